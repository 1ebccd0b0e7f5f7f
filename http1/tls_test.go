package http1

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// serveTLS serves connections that begin with TLS, after looking at their first
// byte, as an entry point does.
func serveTLS(t *testing.T, s *Server) string {
	t.Helper()
	std := httptest.NewUnstartedServer(nil)
	std.StartTLS()
	certificate := std.TLS.Certificates[0]
	std.Close()
	l := listen(t)
	t.Cleanup(func() { _ = l.Close(); _ = s.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				var first [1]byte
				if _, err := io.ReadFull(c, first[:]); err != nil {
					_ = c.Close()
					return
				}
				peeked := &PrefixConn{Conn: c, Prefix: first[:]}
				if first[0] != 22 {
					s.ServeConn(peeked)
					return
				}
				secure := tls.Server(peeked, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
				if secure.Handshake() != nil {
					_ = c.Close()
					return
				}
				s.ServeConn(secure)
			}()
		}
	}()
	return l.Addr().String()
}

func dialTLS(t *testing.T, address string) *tls.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

func TestServer_TLS(t *testing.T) {
	ended := make(chan error, 1)
	address := serveTLS(t, &Server{HalfClosedGrace: 50 * time.Millisecond, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/wait":
			done := r.Context().Done()
			w.(http.Flusher).Flush()
			select {
			case <-done:
			case <-time.After(5 * time.Second):
			}
			ended <- r.Context().Err()
		default:
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%v %s", r.TLS != nil && r.TLS.HandshakeComplete, body)
		}
	})})
	c := dialTLS(t, address)
	br := bufio.NewReader(c)
	for _, size := range []int{0, 10, 3000, 10000, 15000, 40000, 200000} {
		text := strings.Repeat("x", size)
		_, _ = fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", size, text)
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if string(body) != "true "+text || err != nil {
			t.Errorf("%d: got %.50q, %v", size, body, err)
		}
	}
	_, _ = io.WriteString(c, plainGet("/wait"))
	if _, err := http.ReadResponse(br, nil); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	if err := <-ended; err == nil {
		t.Error("nobody noticed that the client left")
	}

	p := dial(t, address).send(plainGet("/"))
	mustEqual(t, "plain, with a prefix", p.mustReceive("GET").body, "false ")
	mustEqual(t, "alive", p.alive(), true)
}

func TestServer_PlainPrefixKeepsTheTCPConnection(t *testing.T) {
	s := &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if w.(*Writer).turn.conn.tcp == nil {
			t.Error("bodies cannot be spliced")
		}
	})}
	defer func() { _ = s.Close() }()
	c, l := tcpPair(t)
	go s.ServeConn(&PrefixConn{Conn: l, Prefix: []byte("GET / HT")})
	_, _ = io.WriteString(c, "TP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	answer, _ := io.ReadAll(c)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 200 OK\r\n") {
		t.Errorf("got %q", answer)
	}
}

// A connection of any kind works, if more slowly.
func TestServer_OtherConnections(t *testing.T) {
	s := &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Context().Done()
		echo(w, r)
	})}
	defer func() { _ = s.Close() }()
	c, server := net.Pipe()
	go s.ServeConn(server)
	br := bufio.NewReader(c)
	for range 3 {
		go func() { _, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello") }()
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if string(body) != "hello" || err != nil {
			t.Errorf("got %q, %v", body, err)
		}
	}
	_ = c.Close()
}
