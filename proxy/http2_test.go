package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

func TestHTTP2_IsSpokenWhereTheServerDoes(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprintf(w, "%s %q", r.Proto, r.Header["Te"]) }
	two, one := secure(t, true, echo), secure(t, false, echo)
	s := trusting(two, one)
	for address, want := range map[string]string{
		two.URL: `HTTP/2.0 ["trailers"]`, one.URL: `HTTP/1.1 ["trailers"]`, cleartext(t, echo): `HTTP/2.0 ["trailers"]`, upstream(t, echo).URL: `HTTP/1.1 ["trailers"]`,
	} {
		g := forwarding(t, s, address)
		for name, client := range both(t) {
			req, err := http.NewRequest(http.MethodGet, g.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Te", "trailers")
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if got := body(t, res); got != want {
				t.Errorf("%s to %s: got %s, want %s", name, address, got, want)
			}
		}
	}
}

// refusing is a server that refuses streams: all, or as many as it is told.
func refusing(t *testing.T, times int) string {
	var n atomic.Int64
	return framedServer(t, func(_ int, f *framed) {
		for r := f.request(); r != nil; r = f.request() {
			if n.Add(1) <= int64(times) {
				_ = f.WriteRSTStream(r.StreamID, http2.ErrCodeRefusedStream)
				continue
			}
			f.respond(r.StreamID, false, ":status", "200")
			_ = f.WriteData(r.StreamID, true, []byte("served"))
		}
	})
}

const always = 1 << 30

func TestHTTP2_RefusedRequestsAreTriedAgain(t *testing.T) {
	echo := cleartext(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	long := strings.Repeat("x", 1<<20)
	for name, tt := range map[string]struct {
		servers []string
		body    string
		status  int
		answer  string
	}{
		"once":                                   {[]string{refusing(t, 1)}, "", 200, "served"},
		"for ever":                               {[]string{refusing(t, always)}, "", 502, ""},
		"another server":                         {[]string{refusing(t, always), refusing(t, 0)}, "", 200, "served"},
		"another server, with a body":            {[]string{refusing(t, always), echo}, "some text", 200, "some text"},
		"another server of HTTP/1.1":             {[]string{refusing(t, always), upstream(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }).URL}, "some text", 200, "some text"},
		"not when much of a body has been spent": {[]string{lateRefusal(t), echo}, long, 502, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := forwarding(t, NewStandard(), tt.servers...)
			method, content := http.MethodGet, io.Reader(nil)
			if tt.body != "" {
				method, content = http.MethodPost, io.MultiReader(strings.NewReader(tt.body)) // of unknown length
			}
			req, err := http.NewRequest(method, g.URL, content)
			if err != nil {
				t.Fatal(err)
			}
			res, err := both(t)["HTTP/2"].Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if got := body(t, res); res.StatusCode != tt.status || got != tt.answer {
				t.Errorf("got %d %q, want %d %q", res.StatusCode, got, tt.status, tt.answer)
			}
			o := <-g.outcomes
			if (o.failure == nil) != (tt.status == 200) {
				t.Errorf("got failure %v", o.failure)
			}
		})
	}
}

// lateRefusal is a server that refuses a stream when it has much of its body.
func lateRefusal(t *testing.T) string {
	return framedServer(t, func(_ int, f *framed) {
		for got := 0; ; {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			if data, ok := frame.(*http2.DataFrame); ok {
				if got += len(data.Data()); got > keepAtMost {
					_ = f.WriteRSTStream(data.StreamID, http2.ErrCodeRefusedStream)
					f.drain()
					return
				}
			}
		}
	})
}

// A server that goes away says which requests it has not seen. They are sent once
// more; the others are not.
func TestHTTP2_GoAway(t *testing.T) {
	for name, tt := range map[string]struct {
		last   uint32
		method string
		status int
	}{
		"not seen":                 {0, "GET", 200},
		"not seen, with a body":    {0, "POST", 200},
		"seen and given up":        {1, "POST", 502},
		"seen, but may be resent":  {1, "GET", 200},
		"seen, PUT with some body": {1, "PUT", 200},
	} {
		t.Run(name, func(t *testing.T) {
			leaving := framedServer(t, func(_ int, f *framed) {
				if r := f.request(); r != nil {
					_ = f.WriteGoAway(tt.last, http2.ErrCodeNo, nil)
					if tt.last == 0 {
						f.drain()
					}
				}
			})
			stays := cleartext(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(w, r.Body)
				_, _ = io.WriteString(w, "served")
			})
			g := forwarding(t, NewStandard(), leaving, stays)
			req, err := http.NewRequest(tt.method, g.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			want := "served"
			if tt.method != "GET" {
				req.Body, req.ContentLength, want = io.NopCloser(strings.NewReader("text ")), 5, "text served"
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if got := body(t, res); res.StatusCode != tt.status || tt.status == 200 && got != want {
				t.Errorf("got %d %q, want %d %q", res.StatusCode, got, tt.status, want)
			}
		})
	}
}

// Answers that are none are 502, with the reason.
func TestHTTP2_FaultyServers(t *testing.T) {
	for name, tt := range map[string]struct {
		serve func(f *framed, stream uint32)
		cause string
	}{
		"reset":           {func(f *framed, s uint32) { _ = f.WriteRSTStream(s, http2.ErrCodeInternal) }, "INTERNAL_ERROR"},
		"no status":       {func(f *framed, s uint32) { f.respond(s, true, "x-a", "1") }, "status"},
		"bad status":      {func(f *framed, s uint32) { f.respond(s, true, ":status", "abc") }, "status"},
		"capitals":        {func(f *framed, s uint32) { f.respond(s, true, ":status", "200", "X-A", "1") }, ""},
		"data before all": {func(f *framed, s uint32) { _ = f.WriteData(s, true, []byte("x")) }, ""},
		"endless head": {func(f *framed, s uint32) {
			list := []string{":status", "200"}
			for range 100 {
				list = append(list, "x-a", strings.Repeat("x", 100))
			}
			for range 10 {
				list = append(list, list[2:202]...)
			}
			f.respondLong(s, list)
		}, ""},
		"not HTTP/2": {func(f *framed, _ uint32) {
			_, _ = io.WriteString(f.conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}, ""},
		"hangs up": {func(f *framed, _ uint32) { _ = f.conn.Close() }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			address := framedServer(t, func(_ int, f *framed) {
				if r := f.request(); r != nil {
					tt.serve(f, r.StreamID)
					f.drain()
				}
			})
			g := forwarding(t, NewStandard(), address)
			res, err := http.Post(g.URL, "text/plain", strings.NewReader("x"))
			if err != nil {
				t.Fatal(err)
			}
			_ = body(t, res)
			o := <-g.outcomes
			if res.StatusCode != 502 || o.failure == nil || !strings.HasPrefix(o.failure.Error(), "forward to "+address+": ") || !strings.Contains(o.failure.Error(), tt.cause) {
				t.Errorf("got %d, %v", res.StatusCode, o.failure)
			}
		})
	}
}

// respondLong is respond with a head of several frames.
func (f *framed) respondLong(stream uint32, list []string) {
	f.block.Reset()
	for i := 0; i+1 < len(list); i += 2 {
		_, _ = f.block.Write(append([]byte{0x10, byte(len(list[i]))}, list[i]...)) // a literal that is never indexed
		_, _ = f.block.Write(append([]byte{byte(len(list[i+1]))}, list[i+1]...))
	}
	block := f.block.Bytes()
	const most = 16 << 10
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block[:min(most, len(block))], EndStream: true, EndHeaders: len(block) <= most})
	for at := most; at < len(block); at += most {
		_ = f.WriteContinuation(stream, at+most >= len(block), block[at:min(at+most, len(block))])
	}
}

// The length of a response is what was understood of it, not what was said.
func TestHTTP2_LengthsThatAreNone(t *testing.T) {
	for said, want := range map[string]string{"4": "4", "04": "4", "x": "", "4 4": "", "-4": ""} {
		address := framedServer(t, func(_ int, f *framed) {
			for r := f.request(); r != nil; r = f.request() {
				list := []string{":status", "200"}
				for length := range strings.SplitSeq(said, " ") {
					list = append(list, "content-length", length)
				}
				f.respond(r.StreamID, false, list...)
				_ = f.WriteData(r.StreamID, true, []byte("text"))
			}
		})
		g := forwarding(t, NewStandard(), address)
		for name, client := range both(t) {
			res, err := client.Get(g.URL)
			if err != nil {
				t.Fatal(err)
			}
			if got := res.Header.Get("Content-Length"); got != want || body(t, res) != "text" {
				t.Errorf("%s, %q: got %q, want %q", name, said, got, want)
			}
			<-g.outcomes
		}
	}
}

// A response that the server breaks off is broken off for the client, with the
// reason in the record.
func TestHTTP2_ResponsesThatBreakOff(t *testing.T) {
	address := framedServer(t, func(_ int, f *framed) {
		for r := f.request(); r != nil; r = f.request() {
			f.respond(r.StreamID, false, ":status", "200")
			_ = f.WriteData(r.StreamID, false, []byte("half"))
			_ = f.WriteRSTStream(r.StreamID, http2.ErrCodeInternal)
		}
	})
	g := forwarding(t, NewStandard(), address)
	for name, client := range both(t) {
		res, err := client.Get(g.URL)
		if err == nil {
			_, err = io.ReadAll(res.Body)
			_ = res.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: the client took the half for the whole", name)
		}
		if o := <-g.outcomes; !strings.Contains(o.record.Cause, "response of "+address+" broke off: ") || !strings.Contains(o.record.Cause, "INTERNAL_ERROR") {
			t.Errorf("%s: got cause %q", name, o.record.Cause)
		}
	}
}

// A client that does not read holds the server back, and costs little memory.
func TestHTTP2_SlowReadersHoldTheServerBack(t *testing.T) {
	const total = 256 << 20
	var written atomic.Int64
	part := make([]byte, 32<<10)
	address := cleartext(t, func(w http.ResponseWriter, _ *http.Request) {
		for written.Load() < total {
			n, err := w.Write(part)
			if written.Add(int64(n)); err != nil {
				return
			}
		}
	})
	g := forwarding(t, NewStandard(), address)
	for name, client := range both(t) {
		written.Store(0)
		res, err := client.Get(g.URL)
		if err != nil {
			t.Fatal(err)
		}
		before := int64(-1)
		for now := written.Load(); now != before; now = written.Load() {
			before = now
			time.Sleep(100 * time.Millisecond) // until nothing moves any more
		}
		if before > 32<<20 {
			t.Errorf("%s: the server wrote %d bytes that nobody read", name, before)
		}
		_ = res.Body.Close()
		<-g.outcomes
	}
}

// Requests by TLS that ask for another protocol are sent by HTTP/1.1, also to a
// server that would rather speak HTTP/2.
func TestHTTP2_WebSocketsBySecureServers(t *testing.T) {
	s := secure(t, true, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: %s\r\nConnection: Upgrade\r\nX-A: 1\r\n\r\n", r.Header.Get("Upgrade"))
		_, _ = io.Copy(conn, rw)
	})
	for _, protocol := range []string{"websocket", "tcp"} {
		g := forwarding(t, trusting(s), s.URL)
		conn, reader := g.raw(t, "GET /ws HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: "+protocol+"\n\n")
		res, err := http.ReadResponse(reader, nil)
		if err != nil || res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Upgrade") != protocol || res.Header.Get("X-A") != "1" {
			t.Fatalf("%s: got %v, %v", protocol, res, err)
		}
		echoes(t, conn, reader, "one", "two")
		_ = conn.Close()
		if o := <-g.outcomes; o.failure != nil || o.record.Cause != "" || o.record.Status != http.StatusSwitchingProtocols {
			t.Errorf("%s: got %+v, %+v", protocol, o.failure, o.record)
		}
	}
}

func echoes(t *testing.T, conn net.Conn, reader *bufio.Reader, words ...string) {
	t.Helper()
	for _, text := range words {
		_, _ = io.WriteString(conn, text)
		got := make([]byte, len(text))
		if _, err := io.ReadFull(reader, got); err != nil || string(got) != text {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

// Silent connections are asked whether they are alive, but never so often that a
// server by gRPC would take it for an attack; and a stream cannot fill the memory.
func TestHTTP2_LimitsOfConnections(t *testing.T) {
	s := NewStandard()
	for _, transport := range []*http.Transport{s.secure, s.h2c} {
		if after := transport.HTTP2.SendPingTimeout; after <= 5*time.Minute || transport.HTTP2.PingTimeout == 0 {
			t.Errorf("got a ping after %s", after)
		}
		if n := transport.HTTP2.MaxReceiveBufferPerStream; n <= 0 || n > 1<<20 {
			t.Errorf("got %d bytes for a stream", n)
		}
	}
}

// A client by HTTP/1.1 keeps its connection when all of its request has been sent,
// however fast the answer comes.
func TestHTTP2_ClientsKeepTheirConnections(t *testing.T) {
	g := forwarding(t, NewStandard(), cleartext(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadFull(r.Body, make([]byte, 4))
		w.WriteHeader(http.StatusNoContent)
	}))
	for range 100 {
		res, err := http.Post(g.URL, "text/plain", strings.NewReader("text"))
		if err != nil {
			t.Fatal(err)
		}
		if _ = body(t, res); res.StatusCode != http.StatusNoContent || res.Close {
			t.Fatalf("got %d, close %v", res.StatusCode, res.Close)
		}
		<-g.outcomes
	}
}

// What a client sends after its request has been answered early is never taken for
// part of a later request.
func TestStandard_NobodyReadsAfterTheEnd(t *testing.T) {
	address := cleartext(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	var after error
	done := make(chan struct{})
	s, target := NewStandard(), mustTarget(t, address)
	defer s.CloseIdle()
	gw := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		if err := s.Forward(w, r, target, Options{}); err != nil {
			t.Error(err)
		}
		_, after = r.Body.Read(make([]byte, 1))
	}))
	defer gw.Close()
	from, to := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	context.AfterFunc(ctx, func() { _ = to.Close() })
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, gw.URL, from)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	<-done
	if res.StatusCode != http.StatusForbidden || !errors.Is(after, errBodyOver) {
		t.Errorf("got %d, then %v", res.StatusCode, after)
	}
}

// A client that does not read holds a server back by HTTP/2 as well: little of the
// response waits in the gateway.
func TestStandard_SlowReadersHoldServersBackByHTTP2(t *testing.T) {
	var sent atomic.Int64
	address := cleartext(t, func(w http.ResponseWriter, r *http.Request) {
		part := make([]byte, 16<<10)
		for r.Context().Err() == nil {
			if _, err := w.Write(part); err != nil {
				return
			}
			sent.Add(int64(len(part)))
			_ = http.NewResponseController(w).Flush()
		}
	})
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w := &blocked{ResponseRecorder: httptest.NewRecorder(), until: ctx.Done()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = recover() }() // the client is cut off
		_ = NewStandard().Forward(w, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx), &Target{URL: u}, Options{})
	}()
	before := int64(-1)
	for before == 0 || sent.Load() != before { // until it stands still
		before = sent.Load()
		time.Sleep(50 * time.Millisecond)
	}
	cancel()
	<-done
	if before > 256<<10 {
		t.Errorf("the server could send %d KiB", before>>10)
	}
}

// blocked is a client that reads nothing.
type blocked struct {
	*httptest.ResponseRecorder
	until <-chan struct{}
}

func (b *blocked) Write([]byte) (int, error) {
	<-b.until
	return 0, io.ErrClosedPipe
}

// What the gateway says of the connection to a client has no part in a response that
// changes the protocol.
func TestStandard_AChangeOfProtocolKeepsItsOwnConnection(t *testing.T) {
	server := rawUpstream(t, func(c net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n")
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	g := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		w.Header().Set("X-Kept", "1")
		_ = NewStandard().Forward(w, r, &Target{URL: u}, Options{})
	}))
	t.Cleanup(g.Close)
	c, err := net.Dial("tcp", g.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Connection") != "Upgrade" || res.Header.Get("X-Kept") != "1" {
		t.Errorf("got %+v, %v", res, err)
	}
}
