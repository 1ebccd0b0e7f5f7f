package http1

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"fairway/internal/record"
)

func TestContext_EndsWhenTheClientGoes(t *testing.T) {
	tests := []struct {
		name    string
		request string
		leave   func(p *peer)
		grace   time.Duration
	}{
		{"reset", plainGet("/"), func(p *peer) { _ = p.SetLinger(0); _ = p.Close() }, time.Hour},
		{"close", plainGet("/"), func(p *peer) { _ = p.Close() }, 50 * time.Millisecond},
		{"half closed", plainGet("/"), func(p *peer) { _ = p.CloseWrite() }, -1},
		{"after a body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", func(p *peer) { _ = p.SetLinger(0); _ = p.Close() }, time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			began, ended := make(chan bool), make(chan error, 1)
			address := serve(t, &Server{HalfClosedGrace: tt.grace, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				done := r.Context().Done()
				began <- true
				select {
				case <-done:
				case <-time.After(5 * time.Second):
				}
				ended <- r.Context().Err()
			})})
			p := dial(t, address).send(tt.request)
			<-began
			time.Sleep(20 * time.Millisecond)
			tt.leave(p)
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("the context has the error %v", err)
			}
		})
	}
}

// Whoever has a context whose Done was called keeps it, and the request with it.
func TestContext_IsNotUsedAgainOnceDoneWasCalled(t *testing.T) {
	type kept struct {
		r   *http.Request
		ctx context.Context
	}
	var keep atomic.Pointer[kept]
	var requests atomic.Int32
	address := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		if k := keep.Load(); k != nil && (k.r == r || k.ctx == r.Context()) {
			t.Error("a request that somebody has is used again")
		}
		if requests.Add(1); r.URL.Path == "/keep" {
			r.Context().Done()
			keep.Store(&kept{r, r.Context()})
		}
		_, _ = io.WriteString(w, r.URL.Path)
	})
	p := dial(t, address)
	for range 20 {
		p.send(plainGet("/keep")).mustReceive("GET")
		p.send(plainGet("/other")).mustReceive("GET")
		p.send(plainGet("/other")).mustReceive("GET")
		k := keep.Load()
		if k.r.URL.Path != "/keep" || k.r.Context().Err() != context.Canceled {
			t.Fatalf("the request became %s, %v", k.r.URL, k.r.Context().Err())
		}
		select {
		case <-k.ctx.Done():
		default:
			t.Error("the context of a request that is over has not ended")
		}
	}
	mustEqual(t, "requests", requests.Load(), 60)
}

// A context that is asked for Done when its request is over ends no other request.
func TestContext_LateDone(t *testing.T) {
	contexts := make(chan context.Context, 1)
	address := serveFunc(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case contexts <- r.Context():
		default:
		}
		if err := r.Context().Err(); err != nil {
			t.Errorf("a new request has ended: %v", err)
		}
	})
	p := dial(t, address)
	for range 20 {
		p.send(plainGet("/")).mustReceive("GET")
		time.Sleep(time.Millisecond)
		<-(<-contexts).Done()
	}
}

func TestContext_WatchedConnectionsServeOn(t *testing.T) {
	address := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		w.(*Writer).WatchClient()
		ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
		defer cancel()
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
		echo(w, r)
	})
	p := dial(t, address)
	for range 20 {
		mustEqual(t, "status", p.send(plainGet("/")).mustReceive("GET").status, 200)
		p.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na")
		time.Sleep(time.Millisecond)
		p.send("b" + plainGet("/"))
		mustEqual(t, "body", p.mustReceive("POST").body, "ab")
		mustEqual(t, "status", p.mustReceive("GET").status, 200)
	}
}

func TestContext_AfterFunc(t *testing.T) {
	ran, stopped := make(chan bool, 3), make(chan bool, 3)
	address := serveFunc(t, func(_ http.ResponseWriter, r *http.Request) {
		context.AfterFunc(r.Context(), func() { ran <- true })
		stop := context.AfterFunc(r.Context(), func() { ran <- false })
		stopped <- stop()
		stopped <- stop()
	})
	dial(t, address).send(plainGet("/")).mustReceive("GET")
	mustEqual(t, "first stop", <-stopped, true)
	mustEqual(t, "second stop", <-stopped, false)
	mustEqual(t, "ran", <-ran, true)
	select {
	case <-ran:
		t.Error("a stopped function ran")
	case <-time.After(20 * time.Millisecond):
	}
}

func TestContext_Values(t *testing.T) {
	type key struct{}
	address := serveFunc(t, func(_ http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), key{}, 1)
		rec := record.From(ctx)
		if rec == nil || rec != record.From(r.Context()) {
			t.Error("derived contexts have no record")
			return
		}
		if rec.User != "" {
			t.Errorf("the record is that of %q", rec.User)
		}
		rec.SetUser("somebody")
		own := new(record.Record)
		if record.From(record.With(ctx, own)) != own {
			t.Error("a record of one's own is not found")
		}
		if addr, ok := ctx.Value(http.LocalAddrContextKey).(net.Addr); !ok || addr.Network() != "tcp" {
			t.Error("no local address")
		}
		if ctx.Value(http.ServerContextKey) != nil {
			t.Error("there is no http.Server")
		}
	})
	p := dial(t, address)
	for range 3 {
		mustEqual(t, "status", p.send(plainGet("/")).mustReceive("GET").status, 200)
	}
}
