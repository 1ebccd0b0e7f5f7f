package server

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// rawHTTP2 is a client that sends the frames that it is told to.
type rawHTTP2 struct {
	net.Conn
	*http2.Framer
	block *bytes.Buffer
	enc   *hpack.Encoder
}

// dialHTTP2 connects in plain text and reads, in the background, whatever comes.
func (r *running) dialHTTP2(t *testing.T) (client *rawHTTP2, settings map[http2.SettingID]uint32) {
	t.Helper()
	p := r.dial(t).say(http2.ClientPreface)
	c := &rawHTTP2{Conn: p.Conn, Framer: http2.NewFramer(p.Conn, p.Conn), block: new(bytes.Buffer)}
	c.enc = hpack.NewEncoder(c.block)
	if err := c.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	settings = map[http2.SettingID]uint32{}
	frame, err := c.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	first, ok := frame.(*http2.SettingsFrame)
	if !ok {
		t.Fatalf("the first frame is %v", frame)
	}
	_ = first.ForeachSetting(func(s http2.Setting) error { settings[s.ID] = s.Val; return nil })
	go func() {
		for {
			if _, err := c.ReadFrame(); err != nil {
				return
			}
		}
	}()
	return c, settings
}

// head encodes the head of a request.
func (c *rawHTTP2) head() []byte {
	c.block.Reset()
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "a.test"}, {":path", "/"}} {
		_ = c.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	return c.block.Bytes()
}

func TestServer_HTTP2Settings(t *testing.T) {
	for _, tt := range []struct {
		options                 []string
		streams, table, decoder uint32
	}{
		{nil, 250, 4096, 4096},
		{[]string{"--entrypoints.web.http2.maxconcurrentstreams=7", "--entrypoints.web.http2.maxdecoderheadertablesize=1024", "--entrypoints.web.http2.maxencoderheadertablesize=512"}, 7, 1024, 1024},
	} {
		r := start(t, routeTo(telling(t)), tt.options...)
		_, settings := r.dialHTTP2(t)
		if got := settings[http2.SettingMaxConcurrentStreams]; got != tt.streams {
			t.Errorf("streams: got %d, want %d", got, tt.streams)
		}
		if got, given := settings[http2.SettingHeaderTableSize]; given && got != tt.table || !given && tt.table != 4096 {
			t.Errorf("table: got %d, want %d", got, tt.table)
		}
		if got := r.entryPoints[0].standard.HTTP2.MaxDecoderHeaderTableSize; got != int(tt.decoder) {
			t.Errorf("decoder: got %d", got)
		}
	}
}

// held is a server that answers when it is released, or when nobody waits any more.
func held(t *testing.T) (url string, release chan struct{}) {
	release = make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/free" {
			return
		}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, release
}

// A client that takes its requests back as fast as it makes them (CVE-2023-44487)
// gets no more of the gateway than one that waits.
func TestServer_HTTP2RapidReset(t *testing.T) {
	url, release := held(t)
	defer close(release)
	r := start(t, routeTo(url), "--entrypoints.web.http2.maxconcurrentstreams=20")
	c, _ := r.dialHTTP2(t)
	most := int64(0)
	for n := range 10_000 {
		id := uint32(2*n + 1)
		if c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.head(), EndHeaders: true, EndStream: true}) != nil ||
			c.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
			break // it has been cut off
		}
		most = max(most, r.entryPoints[0].outer.active.Load())
		if n%1000 == 0 {
			if got := r.ask(t, "GET /free HTTP/1.1\r\nHost: a.test\r\n\r\n"); got.status != 200 {
				t.Fatalf("another client: got %d, %v", got.status, got.err)
			}
		}
	}
	if most > 20+1 {
		t.Errorf("%d requests at a time were served", most)
	}
	await(t, "the end of all", func() bool { return r.entryPoints[0].outer.active.Load() == 0 })
	if got := r.ask(t, "GET /free HTTP/1.1\r\nHost: a.test\r\n\r\n"); got.status != 200 {
		t.Errorf("afterwards: got %d, %v", got.status, got.err)
	}
}

// A head that does not end (CVE-2023-45288) ends the connection.
func TestServer_HTTP2ContinuationFlood(t *testing.T) {
	r := start(t, routeTo(telling(t)))
	c, _ := r.dialHTTP2(t)
	if err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.head(), EndStream: true}); err != nil {
		t.Fatal(err)
	}
	const enough = 64 << 20
	sent := 0
	for sent < enough {
		c.block.Reset()
		for range 8 {
			_ = c.enc.WriteField(hpack.HeaderField{Name: "x-flood", Value: strings.Repeat("x~", 500), Sensitive: true})
		}
		if c.WriteContinuation(1, false, c.block.Bytes()) != nil {
			break
		}
		if sent += c.block.Len(); sent>>20 != (sent-c.block.Len())>>20 {
			if got := r.ask(t, plainGet); got.status != 200 {
				t.Fatalf("another client: got %d, %v", got.status, got.err)
			}
		}
	}
	if sent >= enough {
		t.Errorf("%d bytes of head were taken", sent)
	}
	if got := r.entryPoints[0].outer.active.Load(); got != 0 {
		t.Errorf("%d requests came of it", got)
	}
}

// Empty continuations cost nothing but the bandwidth of who sends them.
func TestServer_HTTP2EmptyContinuations(t *testing.T) {
	r := start(t, routeTo(telling(t)))
	c, _ := r.dialHTTP2(t)
	if err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.head(), EndStream: true}); err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(longest))
	for n := range 100_000 {
		if c.WriteContinuation(1, false, nil) != nil {
			break
		}
		if n%20_000 == 0 {
			if got := r.ask(t, plainGet); got.status != 200 {
				t.Fatalf("another client: got %d, %v", got.status, got.err)
			}
		}
	}
	if got := r.ask(t, plainGet); got.status != 200 {
		t.Errorf("afterwards: got %d, %v", got.status, got.err)
	}
}

func TestServer_HTTP2StreamsAreBounded(t *testing.T) {
	url, release := held(t)
	r := start(t, routeTo(url), "--entrypoints.web.http2.maxconcurrentstreams=5")
	c, _ := r.dialHTTP2(t)
	for n := range 5 {
		_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*n + 1), BlockFragment: c.head(), EndHeaders: true, EndStream: true})
	}
	await(t, "five requests", func() bool { return r.entryPoints[0].outer.active.Load() == 5 })
	for n := range 50 {
		_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*n + 11), BlockFragment: c.head(), EndHeaders: true, EndStream: true})
	}
	if got := r.ask(t, "GET /free HTTP/1.1\r\nHost: a.test\r\n\r\n"); got.status != 200 {
		t.Errorf("another client: got %d, %v", got.status, got.err)
	}
	if got := r.entryPoints[0].outer.active.Load(); got > 5+1 {
		t.Errorf("%d requests at a time", got)
	}
	close(release)
}
