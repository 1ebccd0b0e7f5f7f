package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// script is an upstream that does as it is told with each connection.
type script struct {
	net.Listener
	conns atomic.Int32
}

// newScript starts an upstream that hands every connection, with its number from
// 1, to serve.
func newScript(t *testing.T, serve func(n int, c net.Conn, r *bufio.Reader)) (*script, *Upstream) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &script{Listener: l}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n := int(s.conns.Add(1))
			go func() {
				defer c.Close()
				serve(n, c, bufio.NewReader(c))
			}()
		}
	}()
	u := &Upstream{Address: l.Addr().String()}
	t.Cleanup(func() { u.Close(); _ = l.Close() })
	return s, u
}

// always answers every request with the same bytes.
func always(response string) func(int, net.Conn, *bufio.Reader) {
	return func(_ int, c net.Conn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			_, _ = io.WriteString(c, response)
		}
	}
}

// do sends a request and reads the whole response.
func do(u *Upstream, r *http.Request) (body string, err error) {
	x, err := u.Do(nil, r, &Outgoing{URI: r.URL.RequestURI(), Host: r.Host})
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(x)
	return string(text), errors.Join(err, x.End())
}

func get() *http.Request {
	return httptest.NewRequest(http.MethodGet, "http://a.test/", nil)
}

func TestUpstream_Responses(t *testing.T) {
	tests := []struct {
		name, response, body string
		conns                int32 // for two requests
	}{
		{"a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", 1},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello", 1},
		{"no body", "HTTP/1.1 204 No Content\r\n\r\n", "", 1},
		{"the server closes", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", "hello", 2},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", 2},
		{"more than was announced", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n", "hello", 2},
		{"after heads in advance", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, u := newScript(t, always(tt.response))
			for range 2 {
				body, err := do(u, get())
				if err != nil || body != tt.body {
					t.Fatalf("got %q, %v", body, err)
				}
			}
			if got := s.conns.Load(); got != tt.conns {
				t.Errorf("got %d connections, want %d", got, tt.conns)
			}
		})
	}
}

func TestUpstream_RefusesWhatTwoParsersCouldReadDifferently(t *testing.T) {
	for name, response := range map[string]string{
		"length and coding":    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"two lengths":          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		"bad length":           "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
		"coding in 1.0":        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"unknown coding":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"folded line":          "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n",
		"bare LF":              "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
		"no status":            "HTTP/1.1 OK\r\n\r\n",
		"space before a colon": "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
		"NUL in a value":       "HTTP/1.1 200 OK\r\nA: \x00\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, u := newScript(t, always(response))
			_, err := do(u, get())
			if _, ok := errors.AsType[*ProtocolError](err); !ok {
				t.Errorf("got error %v, want a ProtocolError", err)
			}
		})
	}
}

func TestUpstream_BadChunksBreakTheBody(t *testing.T) {
	for name, body := range map[string]string{
		"bad size":        "x\r\nhello\r\n0\r\n\r\n",
		"chunk too long":  "3\r\nhello\r\n0\r\n\r\n",
		"overflow":        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
		"framing trailer": "5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, u := newScript(t, always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+body))
			if _, err := do(u, get()); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestUpstream_SendsWhatItShould(t *testing.T) {
	heads := make(chan string, 1)
	_, u := newScript(t, func(_ int, c net.Conn, r *bufio.Reader) {
		var head strings.Builder
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			head.WriteString(line)
			if line == "\r\n" {
				break
			}
		}
		heads <- head.String()
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	r := get()
	r.Header = http.Header{
		"X-A": {"1", "2"}, "Connection": {"keep-alive, X-B"}, "Keep-Alive": {"5"}, "Transfer-Encoding": {"x"}, "Content-Length": {"9"},
		"Te": {"trailers, deflate"}, "X-Evil": {"a\r\nHost: b"}, "X-Forwarded-For": {"1.1.1.1"}, "Host": {"c"}, "Bad Name": {"x"}, "Expect": {"100-continue"},
	}
	x, err := u.Do(nil, r, &Outgoing{URI: "/p a?q", Host: "b.test", Peer: "2.2.2.2"})
	if err != nil {
		t.Fatal(err)
	}
	_ = x.End()
	head := <-heads
	if !strings.HasPrefix(head, "GET /p%20a?q HTTP/1.1\r\nHost: b.test\r\n") {
		t.Errorf("got %q", head)
	}
	for _, want := range []string{"X-A: 1\r\nX-A: 2\r\n", "X-Evil: a  Host: b\r\n", "X-Forwarded-For: 1.1.1.1, 2.2.2.2\r\n", "Te: trailers\r\nConnection: TE\r\n"} {
		if !strings.Contains(head, want) {
			t.Errorf("%q is missing in %q", want, head)
		}
	}
	for _, never := range []string{"Keep-Alive", "Transfer-Encoding", "Content-Length", "Host: c", "Bad Name", "Expect", "deflate"} {
		if strings.Contains(head, never) {
			t.Errorf("%q was sent in %q", never, head)
		}
	}
}

func TestUpstream_SendsNoMethodThatIsNoToken(t *testing.T) {
	s, u := newScript(t, always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	for _, method := range []string{"GET /b HTTP/1.1\r\nHost: b\r\n\r\nGET", "A B", "A\n", ""} {
		r := get()
		r.Method = method
		if _, err := do(u, r); err == nil || !strings.Contains(err.Error(), "is no token") {
			t.Errorf("%q: got error %v", method, err)
		}
	}
	if got := s.conns.Load(); got != 0 {
		t.Errorf("got %d connections, want none", got)
	}
	r := get()
	r.Method = "M-SEARCH"
	if _, err := do(u, r); err != nil {
		t.Errorf("%s: %v", r.Method, err)
	}
}

func TestUpstream_Bodies(t *testing.T) {
	type got struct {
		length int64
		coding []string
		body   string
		extra  string
	}
	bodies := make(chan got, 1)
	_, u := newScript(t, func(_ int, c net.Conn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			text, err := io.ReadAll(req.Body)
			if err != nil {
				return
			}
			bodies <- got{req.ContentLength, req.TransferEncoding, string(text), req.Trailer.Get("X-Sum")}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	for name, size := range map[string]int{"short": 10, "a buffer": mediumBuffer, "long": 100 << 10, "very long": 1 << 20} {
		text := strings.Repeat("x", size)
		for _, chunked := range []bool{false, true} {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(text))
			if chunked {
				r.ContentLength, r.Trailer = -1, http.Header{"X-Sum": {"7"}}
			}
			if _, err := do(u, r); err != nil {
				t.Fatalf("%s, chunked %v: %v", name, chunked, err)
			}
			b := <-bodies
			if b.body != text || chunked != (len(b.coding) == 1) || !chunked && b.length != int64(size) || chunked != (b.extra == "7") {
				t.Errorf("%s, chunked %v: got %d bytes, length %d, coding %q, trailer %q", name, chunked, len(b.body), b.length, b.coding, b.extra)
			}
		}
	}
}

// A free connection that the upstream has closed is found before a request is
// written to it.
func TestUpstream_StaleConnectionsAreNotUsed(t *testing.T) {
	closed := make(chan struct{})
	requests := atomic.Int32{}
	_, u := newScript(t, func(n int, c net.Conn, r *bufio.Reader) {
		for {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			requests.Add(1)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			if n == 1 {
				_ = c.Close()
				close(closed)
				return
			}
		}
	})
	if _, err := do(u, get()); err != nil {
		t.Fatal(err)
	}
	<-closed
	c := u.shards[0].pop()
	for i := 1; c == nil; i++ {
		c = u.shards[i].pop()
	}
	for !c.stale() { // until the FIN has arrived
		time.Sleep(time.Millisecond)
	}
	c.freed = time.Now().Add(-time.Second)
	u.shards[0].free = append(u.shards[0].free, c)
	r := httptest.NewRequest(http.MethodPost, "/", nil) // may not be sent twice
	if _, err := do(u, r); err != nil {
		t.Fatal(err)
	}
	if got := requests.Load(); got != 2 {
		t.Errorf("the upstream saw %d requests, want 2", got)
	}
}

// closesSecond answers the first request of the first connection, and closes at
// the second without an answer.
func closesSecond(n int, c net.Conn, r *bufio.Reader) {
	for i := 1; ; i++ {
		req, err := http.ReadRequest(r)
		if err != nil || n == 1 && i == 2 {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	}
}

func TestUpstream_OneSafeRetry(t *testing.T) {
	tests := []struct {
		name  string
		r     func() *http.Request
		fails bool
	}{
		{"GET is sent again", func() *http.Request { return get() }, false},
		{"DELETE is sent again", func() *http.Request { return httptest.NewRequest(http.MethodDelete, "/", nil) }, false},
		{"POST is not", func() *http.Request { return httptest.NewRequest(http.MethodPost, "/", nil) }, true},
		{"nor is a body that is spent", func() *http.Request { return httptest.NewRequest(http.MethodPut, "/", strings.NewReader("x")) }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, u := newScript(t, closesSecond)
			if _, err := do(u, get()); err != nil {
				t.Fatal(err)
			}
			_, err := do(u, tt.r())
			if failed := err != nil; failed != tt.fails {
				t.Errorf("got error %v", err)
			}
			if want := map[bool]int32{true: 1, false: 2}[tt.fails]; s.conns.Load() != want {
				t.Errorf("got %d connections, want %d", s.conns.Load(), want)
			}
		})
	}
}

func TestUpstream_AFreshConnectionIsNotRetried(t *testing.T) {
	s, u := newScript(t, func(int, net.Conn, *bufio.Reader) {})
	if _, err := do(u, get()); err == nil {
		t.Error("no error")
	}
	if got := s.conns.Load(); got != 1 {
		t.Errorf("got %d connections, want 1", got)
	}
}

func TestUpstream_DialErrorsSayThatNothingWasSent(t *testing.T) {
	_, u := newScript(t, always(""))
	u.Dial = func(context.Context, string) (net.Conn, error) { return nil, errors.New("no") }
	_, err := do(u, get())
	if _, ok := errors.AsType[*DialError](err); !ok {
		t.Errorf("got error %v, want a DialError", err)
	}
}

func TestUpstream_HeaderTimeout(t *testing.T) {
	_, u := newScript(t, func(_ int, _ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) })
	u.HeaderTimeout = time.Millisecond
	_, err := do(u, get())
	if timeout, ok := errors.AsType[net.Error](err); (!ok || !timeout.Timeout()) && !errors.Is(err, errHeaderTimeout) {
		t.Errorf("got error %v, want a timeout", err)
	}
}

func TestUpstream_TheClientGoesAway(t *testing.T) {
	arrived, closed := make(chan struct{}), make(chan struct{})
	_, u := newScript(t, func(_ int, _ net.Conn, r *bufio.Reader) {
		_, _ = http.ReadRequest(r)
		close(arrived)
		_, _ = io.Copy(io.Discard, r)
		close(closed)
	})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-arrived; cancel() }()
	_, err := do(u, get().WithContext(ctx))
	if !errors.Is(err, ErrClientGone) {
		t.Errorf("got error %v", err)
	}
	<-closed // the upstream is told by the end of the connection
}

// stopper is the writer of a request whose body is a pipe.
type stopper struct {
	http.ResponseWriter
	body *io.PipeWriter
}

// SetReadDeadline stops whoever reads.
func (s stopper) SetReadDeadline(time.Time) error {
	return s.body.CloseWithError(errors.New("stopped"))
}

// An upstream that answers before it has read the body: its answer gets through,
// and the connection is not used again.
func TestUpstream_AnEarlyAnswer(t *testing.T) {
	s, u := newScript(t, func(_ int, c net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
		_, _ = io.Copy(io.Discard, r)
	})
	for range 2 {
		body, writer := io.Pipe()
		r := httptest.NewRequest(http.MethodPost, "/", body)
		r.ContentLength = -1
		x, err := u.Do(stopper{httptest.NewRecorder(), writer}, r, &Outgoing{URI: "/", Host: "a"})
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(x)
		if err != nil || string(text) != "no" || x.Response.Status != 413 {
			t.Errorf("got %d %q, %v", x.Response.Status, text, err)
		}
		_ = x.End()
	}
	if got := s.conns.Load(); got != 2 {
		t.Errorf("got %d connections, want 2", got)
	}
}

func TestUpstream_FullDuplex(t *testing.T) {
	_, u := newScript(t, func(_ int, c net.Conn, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		buf := make([]byte, 64)
		for {
			n, err := req.Body.Read(buf)
			if n > 0 {
				fmt.Fprintf(c, "%x\r\n%s\r\n", n, buf[:n])
			}
			if err != nil {
				_, _ = io.WriteString(c, "0\r\n\r\n")
				return
			}
		}
	})
	body, writer := io.Pipe()
	r := httptest.NewRequest(http.MethodPost, "/", body)
	r.ContentLength = -1
	x, err := u.Do(nil, r, &Outgoing{URI: "/", Host: "a"})
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	for _, word := range []string{"ping", "pong"} {
		if _, err := io.WriteString(writer, word); err != nil {
			t.Fatal(err)
		}
		n, err := io.ReadAtLeast(x, buf, len(word))
		if err != nil || string(buf[:n]) != word {
			t.Fatalf("got %q, %v, want %q", buf[:n], err, word)
		}
	}
	_ = writer.Close()
	if rest, err := io.ReadAll(x); err != nil || len(rest) != 0 {
		t.Errorf("got %q, %v at the end", rest, err)
	}
	if err := x.End(); err != nil {
		t.Error(err)
	}
}

func TestUpstream_Tunnel(t *testing.T) {
	_, u := newScript(t, func(_ int, c net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-A: b\r\n\r\nhello ")
		_, _ = io.Copy(c, r)
	})
	r := get()
	r.Header = http.Header{"Connection": {"upgrade"}, "Upgrade": {"echo"}}
	x, err := u.Do(nil, r, &Outgoing{URI: "/", Host: "a"})
	if err != nil {
		t.Fatal(err)
	}
	head := string(x.AppendSwitch(nil, http.Header{"X-More": {"1"}}))
	if !x.Upgraded() || !strings.Contains(head, "Upgrade: echo\r\n") || !strings.Contains(head, "X-A: b\r\n") || !strings.Contains(head, "X-More: 1\r\n") {
		t.Errorf("got head %q", head)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	inside, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { x.Tunnel(inside, strings.NewReader("early ")); close(ended) }()
	_, _ = io.WriteString(client, "late")
	_ = client.(*net.TCPConn).CloseWrite()
	text, err := io.ReadAll(client)
	if err != nil || string(text) != "hello early late" {
		t.Errorf("got %q, %v", text, err)
	}
	<-ended
}

func TestUpstream_FreeConnectionsAreBounded(t *testing.T) {
	_, u := newScript(t, always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	u.MaxIdle = 2
	var all []*Exchange
	for range 5 {
		x, err := u.Do(nil, get(), &Outgoing{URI: "/", Host: "a"})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	for i := range all {
		if err := all[i].End(); err != nil {
			t.Error(err)
		}
	}
	if got := u.idle.Load(); got != 2 {
		t.Errorf("got %d free connections, want 2", got)
	}
	u.Close()
	if got := u.idle.Load(); got != 0 {
		t.Errorf("got %d free connections after Close", got)
	}
	if _, err := do(u, get()); !errors.Is(err, errUpstreamClosed) {
		t.Errorf("after Close: got error %v", err)
	}
}

func BenchmarkUpstream_SmallGET(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		response := []byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello")
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				buf := make([]byte, 4096)
				for {
					if _, err := c.Read(buf); err != nil {
						return
					}
					_, _ = c.Write(response)
				}
			}()
		}
	}()
	u := &Upstream{Address: l.Addr().String()}
	defer u.Close()
	r := get()
	o := &Outgoing{URI: "/", Host: "a.test"}
	buf := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		x, err := u.Do(nil, r, o)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(x, buf[:5]); err != nil {
			b.Fatal(err)
		}
		if _, err := x.Read(buf); !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
		if err := x.End(); err != nil {
			b.Fatal(err)
		}
	}
}

// A client that goes away late ends no other request on the connection.
func TestUpstream_LateAborts(t *testing.T) {
	_, u := newScript(t, always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	x, err := u.Do(nil, get(), &Outgoing{URI: "/", Host: "a"})
	if err != nil {
		t.Fatal(err)
	}
	c, before := x.conn, x.conn.serial
	_ = x.End()
	if x, err = u.Do(nil, get(), &Outgoing{URI: "/", Host: "a"}); err != nil || x.conn != c {
		t.Fatalf("got another connection, %v", err)
	}
	c.abort(before, errClientGone)
	if err := x.End(); err != nil {
		t.Errorf("got error %v", err)
	}
}

// A connection whose protocol has changed carries no other request.
func TestUpstream_ChangedConnectionsAreNotUsedAgain(t *testing.T) {
	s, u := newScript(t, always("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"))
	for range 2 {
		r := get()
		r.Header = http.Header{"Connection": {"upgrade"}, "Upgrade": {"echo"}}
		x, err := u.Do(nil, r, &Outgoing{URI: "/", Host: "a"})
		if err != nil {
			t.Fatal(err)
		}
		_ = x.End()
	}
	if got := s.conns.Load(); got != 2 {
		t.Errorf("got %d connections, want 2", got)
	}
}

func TestUpgradeOf(t *testing.T) {
	for upgrade, want := range map[string]string{
		"websocket": "websocket", "chat, echo/1": "chat, echo/1", "h2c": "", "H2C": "", "websocket, h2c": "", "HTTP/2.0": "", "TLS/1.2, HTTP/1.1": "",
	} {
		mustEqual(t, upgrade, UpgradeOf(http.Header{"Connection": {"Upgrade"}, "Upgrade": {upgrade}}), want)
	}
	mustEqual(t, "without Connection", UpgradeOf(http.Header{"Upgrade": {"websocket"}}), "")
}

func TestUpstream_RetiredUpstreamsKeepNoConnections(t *testing.T) {
	_, u := newScript(t, always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	x, err := u.Do(nil, get(), &Outgoing{URI: "/", Host: "a"})
	if err != nil {
		t.Fatal(err)
	}
	u.Retire()
	_ = x.End()
	if _, err := do(u, get()); err != nil { // of a client that came before
		t.Error(err)
	}
	mustEqual(t, "free connections", u.idle.Load(), 0)
}

// A connection whose upstream has closed one side of it, which the poller may have
// forgotten by the time of the request, is not waited for.
func TestUpstreamConn_TheSweeperEndsABlindWait(t *testing.T) {
	client, server := tcpPair(t)
	u := &Upstream{}
	u.prepare()
	c := newUpstreamConn(u, client, 0)
	c.begin(t.Context())
	asked := make(chan error, 1)
	go func() { asked <- c.ask(append(takeBuffer(smallBuffer)[:0], "hello"...)) }()
	if _, err := io.ReadFull(server, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	c.look(time.Now())
	select {
	case err := <-asked:
		t.Fatalf("the wait ended at the first look: %v", err)
	default:
	}
	c.look(time.Now())
	if err := <-asked; err != nil || c.in.err != nil {
		t.Fatalf("got %v, %v, want to go on reading", err, c.in.err)
	}
	if _, err := io.WriteString(server, "HTTP/1.1 200"); err != nil {
		t.Fatal(err)
	}
	if err := c.in.beginsWith("HTTP/1.1 200"); err != nil {
		t.Errorf("read after the wait: %v", err)
	}
}

// A request that the socket does not take at once is written to its end.
func TestUpstreamConn_AskWritesAll(t *testing.T) {
	client, server := tcpPair(t)
	_ = client.SetWriteBuffer(4 << 10)
	_ = server.SetReadBuffer(4 << 10)
	u := &Upstream{}
	u.prepare()
	c := newUpstreamConn(u, client, 0)
	c.begin(t.Context())
	for range 20 { // until the buffers of the kernel are full
		_ = client.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		if _, err := client.Write(make([]byte, 64<<10)); err != nil {
			break
		}
	}
	_ = client.SetWriteDeadline(time.Time{})
	asked := make(chan error, 1)
	go func() { asked <- c.ask(append(takeBuffer(largeBuffer)[:0], strings.Repeat("y", largeBuffer)...)) }()
	seen, buf := 0, make([]byte, 32<<10)
	for seen < largeBuffer {
		n, err := server.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		seen += bytes.Count(buf[:n], []byte("y"))
	}
	if err := <-asked; err != nil {
		t.Error(err)
	}
}

// sweptRaw lets the sweeper look twice in the moment before a read begins.
type sweptRaw struct {
	syscall.RawConn
	c *upstreamConn
}

func (r sweptRaw) Read(f func(uintptr) bool) error {
	r.c.look(time.Now())
	r.c.look(time.Now())
	return r.RawConn.Read(f)
}

// A request is written although the sweeper has ended the wait before it began.
func TestUpstreamConn_TheSweeperBeforeTheWrite(t *testing.T) {
	client, server := tcpPair(t)
	u := &Upstream{}
	u.prepare()
	c := newUpstreamConn(u, client, 0)
	c.begin(t.Context())
	c.raw = sweptRaw{c.raw, c}
	if err := c.ask(append(takeBuffer(smallBuffer)[:0], "hello"...)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(server, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(server, "HTTP/1.1 200"); err != nil {
		t.Fatal(err)
	}
	if err := c.in.beginsWith("HTTP/1.1 200"); err != nil {
		t.Errorf("read behind it: %v", err)
	}
}
