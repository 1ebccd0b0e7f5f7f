package proxy

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"fairway/internal/record"
)

// forwarding starts a gateway, which speaks HTTP/2 in plain text and HTTP/1.1, in
// front of targets that are tried in turn, as a load balancer does.
func forwarding(t testing.TB, s *Standard, addresses ...string) *gateway {
	t.Helper()
	var targets []*Target
	for _, address := range addresses {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		targets = append(targets, &Target{URL: u})
	}
	g := &gateway{outcomes: make(chan outcome, 64)}
	e := &Engine{standard: s}
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &record.Record{}
		r = r.WithContext(record.With(r.Context(), rec))
		var failed *Error
		defer func() { g.outcomes <- outcome{failed, rec} }()
		defer Finish(w, r)
		for _, target := range targets {
			err := e.Forward(w, r, target, Options{PassHost: true})
			if failed = nil; err == nil {
				return
			}
			if failed, _ = errors.AsType[*Error](err); !failed.Unsent && !failed.Again {
				break
			}
		}
		w.WriteHeader(failed.Status)
	}))
	g.Config.Protocols = new(http.Protocols)
	g.Config.Protocols.SetHTTP1(true)
	g.Config.Protocols.SetUnencryptedHTTP2(true)
	g.Start()
	t.Cleanup(func() { g.Close(); s.CloseIdle() })
	return g
}

// cleartext starts a server that speaks HTTP/2 in plain text only.
func cleartext(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return strings.Replace(s.URL, "http:", "h2c:", 1)
}

// trusting is a forwarder that trusts the certificates of servers.
func trusting(servers ...*httptest.Server) *Standard {
	s := NewStandard()
	roots := x509.NewCertPool()
	for _, server := range servers {
		roots.AddCert(server.Certificate())
	}
	s.secure.TLSClientConfig = &tls.Config{RootCAs: roots}
	s.upgrade.TLSClientConfig = &tls.Config{RootCAs: roots}
	return s
}

func secure(t testing.TB, by2 bool, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = by2
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// both are clients by HTTP/1.1 and by HTTP/2.
func both(t testing.TB) map[string]*http.Client {
	t.Helper()
	h1, h2 := &http.Transport{}, &http.Transport{Protocols: new(http.Protocols)}
	h2.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(func() { h1.CloseIdleConnections(); h2.CloseIdleConnections() })
	return map[string]*http.Client{"HTTP/1.1": {Transport: h1}, "HTTP/2": {Transport: h2}}
}

// framed is one connection of a server that says exactly what it is told.
type framed struct {
	*http2.Framer
	conn  net.Conn
	block bytes.Buffer
	enc   *hpack.Encoder
}

// framedServer starts a server by HTTP/2 whose connections are served by serve,
// which is told the number of the connection.
func framedServer(t testing.TB, serve func(n int, f *framed)) string {
	t.Helper()
	conns := make(chan int, 1)
	conns <- 0
	return strings.Replace(rawUpstream(t, func(c net.Conn) {
		n := <-conns
		conns <- n + 1
		defer func() { _ = c.Close() }()
		if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		f := &framed{Framer: http2.NewFramer(c, c), conn: c}
		f.enc = hpack.NewEncoder(&f.block)
		f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		_ = f.WriteSettings()
		serve(n, f)
	}), "http:", "h2c:", 1)
}

// request reads frames until a request begins, or returns nil at the end.
func (f *framed) request() *http2.MetaHeadersFrame {
	for {
		got, err := f.ReadFrame()
		if err != nil {
			return nil
		}
		switch got := got.(type) {
		case *http2.SettingsFrame:
			if !got.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *http2.MetaHeadersFrame:
			return got
		}
	}
}

// drain reads until the client hangs up.
func (f *framed) drain() {
	for f.request() != nil { // nobody answers
	}
}

func (f *framed) respond(stream uint32, end bool, list ...string) {
	f.block.Reset()
	for i := 0; i+1 < len(list); i += 2 {
		_ = f.enc.WriteField(hpack.HeaderField{Name: list[i], Value: list[i+1]})
	}
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: f.block.Bytes(), EndHeaders: true, EndStream: end})
}
