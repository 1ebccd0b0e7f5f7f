package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// dialsOf counts how often a client connects.
func dialsOf(client *http.Client) *atomic.Int64 {
	dials := new(atomic.Int64)
	client.Transport.(*toEntryPoint).transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return dials
}

func TestServer_KeepAliveMaxRequests(t *testing.T) {
	ways(t, routeTo(telling(t)), []string{"--entrypoints.web.transport.keepalivemaxrequests=3"}, func(t *testing.T, _ *running, client *http.Client) {
		dials := dialsOf(client)
		for n := range 9 {
			res, _ := fetch(t, client, ask(t, "GET", "/", nil))
			if res.StatusCode != 200 {
				t.Errorf("got %d", res.StatusCode)
			}
			if want := n%3 == 2; res.ProtoMajor == 1 && res.Close != want {
				t.Errorf("response %d says that the connection ends: %v, want %v", n+1, res.Close, want)
			}
			if res.ProtoMajor == 2 && n%3 == 2 { // the client must have seen GOAWAY
				await(t, "the next connection", func() bool {
					before := dials.Load()
					if res, _ := fetch(t, client, ask(t, "GET", "/", nil)); res.StatusCode != 200 {
						t.Errorf("got %d", res.StatusCode)
					}
					return dials.Load() > before
				})
				return
			}
		}
		if got := dials.Load(); got != 3 {
			t.Errorf("9 requests: got %d connections, want 3", got)
		}
	})
}

func TestServer_KeepAliveMaxTime(t *testing.T) {
	ways(t, routeTo(telling(t)), []string{"--entrypoints.web.transport.keepalivemaxtime=50ms"}, func(t *testing.T, _ *running, client *http.Client) {
		dials := dialsOf(client)
		await(t, "a second connection", func() bool {
			if res, _ := fetch(t, client, ask(t, "GET", "/", nil)); res.StatusCode != 200 {
				t.Errorf("got %d", res.StatusCode)
			}
			return dials.Load() > 1
		})
	})
}

func TestServer_ConnectionsAreKeptByDefault(t *testing.T) {
	ways(t, routeTo(telling(t)), nil, func(t *testing.T, _ *running, client *http.Client) {
		dials := dialsOf(client)
		for range 20 {
			fetch(t, client, ask(t, "GET", "/", nil))
		}
		if got := dials.Load(); got != 1 {
			t.Errorf("got %d connections, want 1", got)
		}
	})
}

// An upload may take longer than a head, and longer than the handler of a server
// sleeps; only who sends nothing is cut off.
func TestServer_SlowUploadsArrive(t *testing.T) {
	ways(t, routeTo(telling(t)), []string{"--entrypoints.web.transport.respondingtimeouts.readheadertimeout=150ms"}, func(t *testing.T, _ *running, client *http.Client) {
		body, w := io.Pipe()
		go func() {
			for range 5 {
				time.Sleep(100 * time.Millisecond) // the pace is what is tested
				_, _ = w.Write([]byte("part"))
			}
			_ = w.Close()
		}()
		r := ask(t, "POST", "/", body)
		r.ContentLength = 20
		if res, _ := fetch(t, client, r); res.StatusCode != 200 {
			t.Errorf("got %d", res.StatusCode)
		}
	})
}

func TestServer_SlowHeadsAreCut(t *testing.T) {
	for _, engine := range []string{"fairway", "std"} {
		r := start(t, routeTo(telling(t)), "--entrypoints.web.engine="+engine, "--entrypoints.web.transport.respondingtimeouts.readheadertimeout=150ms")
		for name, said := range map[string]string{"one byte": "G", "a line": "GET / HTTP/1.1\r\n", "a field": "GET / HTTP/1.1\r\nHost: a.t"} {
			p := r.dial(t).say(said)
			if got := p.hear("GET"); got.err == nil && got.status != http.StatusRequestTimeout && got.status != http.StatusBadRequest {
				t.Errorf("%s, %s: got %d", engine, name, got.status)
			}
			p.mustEnd()
		}
		conn := r.dial(t).say("\x16\x03\x01")
		conn.mustEnd() // half a handshake
	}
}

// Times of none are what the documentation says, also to servers for which they
// mean something else.
func TestEntryPoint_TimesOfNone(t *testing.T) {
	const to = "--entrypoints.web.transport.respondingtimeouts."
	r := start(t, "", to+"readheadertimeout=0", to+"idletimeout=0", to+"minbodyrate=0")
	e := r.entryPoints[0]
	if e.engine.ReadHeaderTimeout != defaultPatience || e.standard.ReadHeaderTimeout != defaultPatience {
		t.Errorf("heads: got %v, %v", e.engine.ReadHeaderTimeout, e.standard.ReadHeaderTimeout)
	}
	if e.engine.ReadTimeout != 0 || e.standard.ReadTimeout != 0 || e.standard.IdleTimeout >= 0 {
		t.Errorf("requests: got %v, %v, idle: %v", e.engine.ReadTimeout, e.standard.ReadTimeout, e.standard.IdleTimeout)
	}
	if e.outer.pace.rate != 0 || e.engineServer().MinBodyRate >= 0 {
		t.Errorf("rate: got %v, %v", e.outer.pace.rate, e.engineServer().MinBodyRate)
	}
	e = start(t, "").entryPoints[0]
	if e.outer.pace.rate != 240 || e.engineServer().MinBodyRate != 240 || e.standard.IdleTimeout != 180*time.Second || e.engineServer().IdleTimeout != 180*time.Second {
		t.Errorf("defaults: got rate %v, idle %v", e.outer.pace.rate, e.standard.IdleTimeout)
	}
}
