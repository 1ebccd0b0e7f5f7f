package mirroring

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/internal/record"
	"fairway/proxy"
	"fairway/proxy/proxytest"
)

func build(tb testing.TB, c *Config, children ...*proxytest.Child) proxy.Service {
	tb.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	s, err := c.New(tb.Context(), proxy.Env{Log: log, Service: proxytest.Among(children...)})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func configured(mirrors ...Mirror) *Config {
	c := &Config{Service: "main", Mirrors: mirrors}
	c.SetDefaults()
	return c
}

func send(h http.Handler, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
	return w
}

func await(tb testing.TB, what string, is func() bool) {
	tb.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("%s: did not come about", what)
		}
	}
}

func TestMirroring_ShowsAsManyAsIsAskedFor(t *testing.T) {
	main, all, some, none := &proxytest.Child{Name: "main"}, &proxytest.Child{Name: "all"}, &proxytest.Child{Name: "some"}, &proxytest.Child{Name: "none"}
	h := build(t, configured(Mirror{"all", 100}, Mirror{"some", 30}, Mirror{"none", 0}), main, all, some, none)
	for range 100 {
		if w := send(h, "hello"); w.Body.String() != "main" {
			t.Fatalf("got %s", w.Body)
		}
	}
	await(t, "all mirrored", func() bool { return len(all.Seen()) == 100 && len(some.Seen()) == 30 })
	if len(none.Seen()) != 0 || len(main.Seen()) != 100 {
		t.Errorf("main got %d, none got %d", len(main.Seen()), len(none.Seen()))
	}
	for _, body := range all.Seen() {
		if body != "hello" {
			t.Errorf("a mirror got %q", body)
		}
	}
}

func TestMirroring_Bodies(t *testing.T) {
	without, short := false, int64(4)
	for name, tt := range map[string]struct {
		edit func(*Config)
		want string
	}{
		"without bodies": {func(c *Config) { c.MirrorBody = &without }, "[]"},
		"too long":       {func(c *Config) { c.MaxBodySize = &short }, "none"},
	} {
		main, mirror := &proxytest.Child{Name: "main"}, &proxytest.Child{Name: "mirror"}
		c := configured(Mirror{"mirror", 100})
		tt.edit(c)
		h := build(t, c, main, mirror)
		send(h, "hello")
		send(h, "")
		await(t, name, func() bool { return len(mirror.Seen()) > 0 })
		if tt.want == "none" && len(mirror.Seen()) != 1 || strings.Join(mirror.Seen(), "") != "" {
			t.Errorf("%s: the mirror got %q", name, mirror.Seen())
		}
		if got := fmt.Sprint(main.Seen()); got != "[hello ]" {
			t.Errorf("%s: the service got %s", name, got)
		}
	}
}

// slow is a mirror that waits, and panics in the end.
type slow struct {
	proxytest.Child
	begun, ended chan struct{}
}

func (s *slow) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	close(s.begun)
	<-r.Context().Done()
	close(s.ended)
	panic("mirrors may do this")
}

// The client does not wait for mirrors; they end with the service, and have no part in
// the request's record.
func TestMirroring_StandsApart(t *testing.T) {
	main, m := &proxytest.Child{Name: "main"}, &slow{begun: make(chan struct{}), ended: make(chan struct{})}
	ctx, retire := context.WithCancel(t.Context())
	log := logrus.New()
	log.SetOutput(io.Discard)
	h, err := configured(Mirror{"mirror", 100}).New(ctx, proxy.Env{Log: log, Service: func(name string) (proxy.Child, error) {
		if name == "main" {
			return main, nil
		}
		return m, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	rec := &record.Record{Peer: "192.0.2.1"}
	client, gone := context.WithCancel(t.Context())
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	h.ServeHTTP(httptest.NewRecorder(), r.WithContext(record.With(client, rec)))
	gone()
	<-m.begun
	select {
	case <-m.ended:
		t.Error("the mirror ended with the client")
	default:
	}
	retire()
	<-m.ended
	if rec.Cause != "" {
		t.Errorf("the record has the cause %q", rec.Cause)
	}
}

func TestMirroring_GoesOnWithoutAMirror(t *testing.T) {
	main, warning := &proxytest.Child{Name: "main"}, error(nil)
	h, err := configured(Mirror{"x", 100}).New(t.Context(), proxy.Env{Service: proxytest.Among(main), Warn: func(reason error) { warning = reason }})
	if err != nil || fmt.Sprint(warning) != `it goes on without one of its mirrors: the service "x" does not exist` {
		t.Fatalf("got %v, warning %v", err, warning)
	}
	if w := send(h, "hello"); w.Body.String() != "main" {
		t.Errorf("got %s", w.Body)
	}
}

func TestNew_Mistakes(t *testing.T) {
	main := &proxytest.Child{Name: "main"}
	for want, c := range map[string]*Config{
		"it has no service":                            {},
		`the service "x" does not exist`:               {Service: "x"},
		`mirrors[0]: percent 101 is not from 0 to 100`: {Service: "main", Mirrors: []Mirror{{"main", 101}}},
	} {
		_, err := c.New(t.Context(), proxy.Env{Service: proxytest.Among(main)})
		if fmt.Sprint(err) != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}

func TestMirroring_HoldsSoManyBytesAtMost(t *testing.T) {
	main, mirror := &proxytest.Child{Name: "main"}, &proxytest.Child{Name: "mirror"}
	h := build(t, configured(Mirror{"mirror", 100}), main, mirror).(*service)
	h.held.Store(mostHeld - 3) // of others
	send(h, "hello")
	send(h, "abc")
	await(t, "the short one mirrored", func() bool { return len(mirror.Seen()) == 1 && h.held.Load() == mostHeld-3 })
	if got := fmt.Sprint(mirror.Seen(), main.Seen()); got != "[abc] [hello abc]" {
		t.Errorf("got %s", got)
	}
	main.Status.Store(http.StatusOK)
	func() {
		defer func() { _ = recover() }()
		h.main = broken{main}
		send(h, "abc")
	}()
	if got := h.held.Load(); got != mostHeld-3 {
		t.Errorf("after a response that broke off %d bytes are held too many", got-mostHeld+3)
	}
}

// broken is a service whose responses break off.
type broken struct{ proxy.Child }

func (b broken) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.ReadAll(r.Body)
	panic(http.ErrAbortHandler)
}
