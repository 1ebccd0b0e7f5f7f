package http1

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// mustCloseWithin checks that the server hangs up after about d.
func mustCloseWithin(t *testing.T, p *peer, least, most time.Duration) {
	t.Helper()
	start := time.Now()
	_, _ = io.Copy(io.Discard, p)
	if d := time.Since(start); d < least || d > most {
		t.Errorf("closed after %v, want %v to %v", d, least, most)
	}
}

func trickle(p *peer, text string, pause time.Duration) {
	for _, c := range text {
		if _, err := p.Write([]byte(string(c))); err != nil {
			return
		}
		time.Sleep(pause)
	}
}

func TestServer_Timeouts(t *testing.T) {
	const exact, coarse = 300 * time.Millisecond, 1100 * time.Millisecond
	for name, d := range map[string]time.Duration{"exact": exact, "coarse": coarse} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := serve(t, &Server{Handler: http.HandlerFunc(echo), ReadHeaderTimeout: d, IdleTimeout: d, ReadTimeout: 2 * d})
			slow := d + 700*time.Millisecond
			t.Run("silent", func(t *testing.T) {
				t.Parallel()
				mustCloseWithin(t, dial(t, address), d-tick, slow)
			})
			t.Run("slow head", func(t *testing.T) {
				t.Parallel()
				p := dial(t, address)
				go trickle(p, "GET / HTTP/1.1\r\nHost: "+strings.Repeat("a", 1000), 20*time.Millisecond)
				mustCloseWithin(t, p, d-tick, slow)
			})
			t.Run("idle", func(t *testing.T) {
				t.Parallel()
				p := dial(t, address).send(plainGet("/"))
				p.mustReceive("GET")
				mustCloseWithin(t, p, d-tick, slow)
			})
			t.Run("slow body", func(t *testing.T) {
				t.Parallel()
				p := dial(t, address).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
				go trickle(p, strings.Repeat("a", 1000), 20*time.Millisecond)
				got := p.mustReceive("POST")
				mustEqual(t, "status", got.status, 400)
				if !strings.Contains(got.body, "timeout") {
					t.Errorf("body %q", got.body)
				}
			})
		})
	}
}

func TestServer_WriteTimeout(t *testing.T) {
	failed := make(chan error, 1)
	address := serve(t, &Server{WriteTimeout: 300 * time.Millisecond, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				failed <- err
				return
			}
		}
	})})
	dial(t, address).send(plainGet("/"))
	select {
	case err := <-failed:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the write goes on")
	}
}

func TestServer_MinBodyRate(t *testing.T) {
	s := &Server{MinBodyRate: 1000, RateGrace: 500 * time.Millisecond}
	failed := make(chan error, 1)
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					failed <- err
					return
				}
			}
		}
		time.Sleep(time.Second) // the handler's own pace does not count
		echo(w, r)
	})
	address := serve(t, s)

	slow := dial(t, address).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
	go trickle(slow, strings.Repeat("a", 1000), 10*time.Millisecond)
	fast := dial(t, address).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n")
	go func() {
		for range 30 {
			fast.send(strings.Repeat("a", 100))
			time.Sleep(50 * time.Millisecond)
		}
	}()
	mustEqual(t, "slow", slow.mustReceive("POST").status, 400)
	mustEqual(t, "fast", fast.mustReceive("POST").status, 200)
}

// A client that has got the beginning of the response may wait for more of it.
func TestServer_MinBodyRate_IsNotForConversations(t *testing.T) {
	s := &Server{MinBodyRate: 1000, RateGrace: 250 * time.Millisecond}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_ = http.NewResponseController(w).Flush()
		echo(w, r)
	})
	p := dial(t, serve(t, s)).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na")
	time.Sleep(1500 * time.Millisecond)
	mustEqual(t, "body", p.send("b").mustReceive("POST").body, "ab")
}

func TestServer_ShutdownLeavesHijackedConnections(t *testing.T) {
	s := &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.Copy(c, c)
		_ = c.Close()
	})}
	p := dial(t, serve(t, s)).send(plainGet("/"))
	buf := make([]byte, 5)
	time.Sleep(50 * time.Millisecond)
	ctx, cancel := context.WithTimeout(background, 2*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	p.send("world")
	if _, err := io.ReadFull(p, buf); err != nil || string(buf) != "world" {
		t.Errorf("got %q, %v", buf, err)
	}
}

func TestServer_DateIsCurrent(t *testing.T) {
	address := serveFunc(t, echo)
	p := dial(t, address)
	for range 2 {
		got := p.send(plainGet("/")).mustReceive("GET")
		date, err := http.ParseTime(got.header.Get("Date"))
		if d := time.Since(date); err != nil || d < -time.Second || d > 2*time.Second {
			t.Errorf("date %v, %v", date, err)
		}
		time.Sleep(1100 * time.Millisecond)
	}
}

func TestServer_Shutdown(t *testing.T) {
	began, goOn := make(chan bool), make(chan bool)
	s := &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			began <- true
			<-goOn
		}
		_, _ = io.WriteString(w, "ok")
	})}
	address := serve(t, s)
	idle := dial(t, address).send(plainGet("/"))
	idle.mustReceive("GET")
	active := dial(t, address).send(plainGet("/slow"))
	<-began
	done := make(chan error)
	go func() { done <- s.Shutdown(background) }()
	idle.mustEnd()
	select {
	case err := <-done:
		t.Fatalf("Shutdown did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	goOn <- true
	got := active.mustReceive("GET")
	mustEqual(t, "body", got.body, "ok")
	mustEqual(t, "Connection", got.closes, true)
	active.mustEnd()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestServer_ShutdownEndsWithItsContext(t *testing.T) {
	began := make(chan bool)
	s := &Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		began <- true
		<-r.Context().Done()
	})}
	address := serve(t, s)
	p := dial(t, address).send(plainGet("/"))
	<-began
	ctx, cancel := context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	_ = s.Close()
	p.mustEnd()
}
