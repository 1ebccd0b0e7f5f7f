package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"fairway/config"
)

func TestHTTP3_IsAdvertisedByTLSOnly(t *testing.T) {
	url := scripted(t, func(c net.Conn, r *bufio.Reader) {
		for {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nalt-svc: h3=\":9\"\r\nAlt-Svc: h2=\":8\"\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	h2cURL := h2c(multilingual(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Alt-Svc", `h3=":9"`) }))
	for name, tt := range map[string]struct {
		routes  string
		options []string
		port    string // "": that of the entry point
	}{
		"plain":              {routes: routeTo(url)},
		"wrapped":            {routes: wrapped(routeTo(url))},
		"by h2c":             {routes: routeTo(h2cURL)},
		"by h2c and wrapped": {routes: wrapped(routeTo(h2cURL))},
		"another port":       {routes: routeTo(url), options: []string{"--entrypoints.web.http3.advertisedport=8443"}, port: "8443"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start3(t, tt.routes, tt.options...)
			if _, own, _ := net.SplitHostPort(r.Addresses()["web"]); tt.port == "" {
				tt.port = own
			}
			want := fmt.Sprintf(`[h3=":%s"; ma=2592000]`, tt.port)
			newVersions(t).each(t, func(t *testing.T, client http.RoundTripper) {
				got := over(client, r.call(t, "GET", "/", nil))
				if alt := fmt.Sprint(got.header["Alt-Svc"]); got.status != 200 || alt != want {
					t.Errorf("got %d, %s, want %s; %v", got.status, alt, want, got.err)
				}
			})
			if res, _ := r.get(t, "a.test", "/"); res.Header["Alt-Svc"] != nil {
				t.Errorf("in plain text: got %v", res.Header["Alt-Svc"])
			}
		})
	}
	t.Run("off", func(t *testing.T) {
		r := start(t, secured(routeTo(h2cURL)))
		got := over(newVersions(t)["HTTP/2.0"], r.call(t, "GET", "/", nil))
		if alt := fmt.Sprint(got.header["Alt-Svc"]); alt != `[h3=":9"]` {
			t.Errorf("the server's own: got %s, %v", alt, got.err)
		}
	})
}

func TestHTTP3_ServersLearnOfTheClient(t *testing.T) {
	seen := make(chan *http.Request, 1)
	r := start3(t, routeTo(backend(t, func(q *http.Request) { seen <- q })))
	if got := over(newVersions(t)["HTTP/3.0"], r.call(t, "GET", "/", nil)); got.body != "answer" {
		t.Fatalf("got %d, %v", got.status, got.err)
	}
	h := (<-seen).Header
	if h.Get("X-Forwarded-For") != "127.0.0.1" || h.Get("X-Forwarded-Proto") != "https" || h.Get("X-Real-Ip") != "127.0.0.1" {
		t.Errorf("got %v", h)
	}
}

func TestHTTP3_APortThatIsTaken(t *testing.T) {
	udp := udpOnly(t)
	loaded, err := config.Load([]string{"--entrypoints.websecure.address=" + udp.LocalAddr().String(), "--entrypoints.websecure.http3"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	log, _ := newLog()
	_, err = New(Options{Config: loaded, Log: log})
	if err == nil || !strings.Contains(err.Error(), "entry point websecure: http3: listen udp "+udp.LocalAddr().String()) {
		t.Errorf("got %v", err)
	}
	tcp, err := net.Listen("tcp", udp.LocalAddr().String())
	if err != nil {
		t.Fatalf("the TCP port is not free again: %v", err)
	}
	_ = tcp.Close()
}

// udpOnly binds a port whose number is free for TCP.
func udpOnly(t *testing.T) net.PacketConn {
	t.Helper()
	for range 100 {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = udp.Close() })
		if tcp, err := net.Listen("tcp", udp.LocalAddr().String()); err == nil {
			_ = tcp.Close()
			return udp
		}
	}
	t.Fatal("there is no free port")
	return nil
}

// A change of configuration closes no connection, and counts for the next request.
func TestHTTP3_ReloadOverAnOpenConnection(t *testing.T) {
	one := backend(t, func(*http.Request) {})
	other := multilingual(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "other") })
	r := start3(t, routeTo(one))
	dials := 0
	client := &http3.Transport{TLSClientConfig: trusting.Clone(), Dial: countDials(&dials)}
	defer client.Close()
	for _, want := range []string{"answer", "other", "answer"} {
		r.apply(document(t, secured(routeTo(map[string]string{"answer": one, "other": h2c(other)}[want]))))
		if got := over(client, r.call(t, "GET", "/", nil)); got.body != want {
			t.Errorf("got %d %q, %v, want %q", got.status, got.body, got.err, want)
		}
	}
	if dials != 1 {
		t.Errorf("got %d connections, want 1", dials)
	}
}

// Requests under way end, new ones are not taken, and the clients hear of it.
func TestHTTP3_StopLetsRequestsEnd(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	r := start3(t, routeTo(backend(t, func(q *http.Request) {
		if q.URL.Path == "/slow" {
			close(begun)
			<-release
		}
	})))
	client := newVersions(t)["HTTP/3.0"]
	slow := make(chan reply)
	go func() { slow <- over(client, r.call(t, "GET", "/slow", nil)) }()
	<-begun
	stopped := make(chan struct{})
	go func() { defer close(stopped); r.stop() }()
	await(t, "the gateway to take no more", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), longest)
		defer cancel()
		conn, err := quic.DialAddr(ctx, r.Addresses()["web"], http3.ConfigureTLSConfig(trusting), &quic.Config{HandshakeIdleTimeout: time.Second})
		if err == nil {
			_ = conn.CloseWithError(0, "")
		}
		return err != nil
	})
	close(release)
	if got := <-slow; got.body != "answer" {
		t.Errorf("the request under way: got %d, %v", got.status, got.err)
	}
	<-stopped
}

// What does not end is cut off when its time is over.
func TestHTTP3_StopCutsOff(t *testing.T) {
	begun := make(chan struct{}, 1)
	s := multilingual(t, func(_ http.ResponseWriter, q *http.Request) { begun <- struct{}{}; <-q.Context().Done() })
	r := start3(t, routeTo(h2c(s)), "--entrypoints.web.transport.lifecycle.gracetimeout=50ms")
	hung := make(chan reply)
	go func() { hung <- over(newVersions(t)["HTTP/3.0"], r.call(t, "GET", "/", nil)) }()
	<-begun
	r.stop()
	if got := <-hung; got.err == nil {
		t.Errorf("got %d", got.status)
	}
}

// A connection on which no request comes is closed, whatever else comes.
func TestHTTP3_IdleConnectionsEnd(t *testing.T) {
	r := start3(t, routeTo(backend(t, func(*http.Request) {})), "--entrypoints.web.transport.respondingtimeouts.idletimeout=200ms")
	conn := r.dialQUIC(t)
	if answer, err := send(t, conn, frame(1, section(head("", nil)...))); err != nil || !strings.Contains(answer, "answer") {
		t.Fatalf("got %q, %v", answer, err)
	}
	str, err := conn.OpenStreamSync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = str.Write([]byte{1, 50, 0}) // a head that does not end
	ended := make(chan struct{})
	context.AfterFunc(conn.Context(), func() { close(ended) })
	select {
	case <-ended:
	case <-time.After(longest):
		t.Fatal("the connection is open")
	}
	if got, ok := errors.AsType[*quic.ApplicationError](context.Cause(conn.Context())); !ok || got.ErrorCode != quic.ApplicationErrorCode(http3.ErrCodeNoError) {
		t.Errorf("got %v", context.Cause(conn.Context()))
	}
}

func TestHTTP3_ReadTimeoutEndsSlowBodies(t *testing.T) {
	s := multilingual(t, func(_ http.ResponseWriter, q *http.Request) { _, _ = io.Copy(io.Discard, q.Body) })
	for name, url := range map[string]string{"to http": s.URL, "to h2c": h2c(s)} {
		r := start3(t, routeTo(url), "--entrypoints.web.transport.respondingtimeouts.readtimeout=100ms")
		from, to := io.Pipe()
		if got := over(newVersions(t)["HTTP/3.0"], r.call(t, "POST", "/", from)); got.status != http.StatusRequestTimeout {
			t.Errorf("%s: got %d, %v", name, got.status, got.err)
		}
		_ = to.Close()
	}
}

// Many connections at a time have to show that they receive what is sent to them.
func TestSurge(t *testing.T) {
	var s surge
	for n := range 2 * calm {
		if got, want := s.over(7), n >= calm; got != want {
			t.Fatalf("connection %d: got %v", n, got)
		}
	}
	if s.over(8) {
		t.Error("the next second begins anew")
	}
}

func TestHTTP3_ClientsArriveWhenAddressesAreValidated(t *testing.T) {
	r := start3(t, routeTo(backend(t, func(*http.Request) {})))
	for range 2 * calm {
		r.entryPoints[0].http3.arrivals.over(time.Now().Unix())
	}
	if got := over(newVersions(t)["HTTP/3.0"], r.call(t, "GET", "/", nil)); got.body != "answer" {
		t.Errorf("got %d, %v", got.status, got.err)
	}
}

func TestServer_ConnectionsByHTTP3AreCounted(t *testing.T) {
	r := start3(t, routeTo(backend(t, func(*http.Request) {})), "--entrypoints.traefik.address=127.0.0.1:0", "--metrics.prometheus")
	conn := r.dialQUIC(t)
	scrapeWith(t, r, `fairway_open_connections{entrypoint="web",protocol="UDP"} 1`)
	if err := conn.CloseWithError(0, ""); err != nil {
		t.Fatal(err)
	}
	scrapeWith(t, r, `fairway_open_connections{entrypoint="web",protocol="UDP"} 0`)
}
