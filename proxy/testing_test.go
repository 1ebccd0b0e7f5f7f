package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"fairway/internal/record"
)

// outcome is what the gateway knows of a request after it.
type outcome struct {
	failure *Error
	record  *record.Record
}

// gateway serves requests by forwarding them to server.
type gateway struct {
	*httptest.Server
	outcomes chan outcome // one for each request
}

// newGateway starts a gateway in front of the server at address. prepare may
// change requests before they are forwarded, as entry point and middlewares do.
func newGateway(tb testing.TB, address string, o Options, prepare func(*http.Request)) *gateway {
	tb.Helper()
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	g := &gateway{outcomes: make(chan outcome, 16)}
	forwarder := NewStandard()
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &record.Record{}
		r = r.WithContext(record.With(r.Context(), rec))
		if prepare != nil {
			prepare(r)
		}
		var failure *Error
		defer func() { g.outcomes <- outcome{failure, rec} }()
		if err := forwarder.Forward(w, r, &Target{URL: u, PreservePath: strings.HasSuffix(u.Path, "/keep")}, o); errors.As(err, &failure) {
			w.WriteHeader(failure.Status)
		}
	}))
	tb.Cleanup(func() { g.Close(); forwarder.CloseIdle() })
	return g
}

// raw sends text over a connection of its own and returns it.
func (g *gateway) raw(tb testing.TB, text string) (net.Conn, *bufio.Reader) {
	tb.Helper()
	conn, err := net.Dial("tcp", g.Listener.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		tb.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

// upstream starts a server.
func upstream(tb testing.TB, h http.HandlerFunc) *httptest.Server {
	tb.Helper()
	s := httptest.NewServer(h)
	tb.Cleanup(s.Close)
	return s
}

// rawUpstream starts a server that answers each connection by handle.
func rawUpstream(tb testing.TB, handle func(net.Conn)) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go handle(conn)
		}
	}()
	return "http://" + l.Addr().String()
}

// deadAddress is the address of a server that has just gone.
func deadAddress(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return fmt.Sprintf("http://%s", l.Addr())
}

func body(tb testing.TB, res *http.Response) string {
	tb.Helper()
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

func get(tb testing.TB, address string) *http.Response {
	tb.Helper()
	res, err := http.Get(address)
	if err != nil {
		tb.Fatal(err)
	}
	return res
}
