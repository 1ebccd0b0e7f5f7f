package forwardauth

import (
	"context"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

var served = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "served") })

func build(t *testing.T, c *Config, env middlewares.Env, next http.Handler) http.Handler {
	t.Helper()
	h, err := c.New(t.Context(), env, next)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func do(h http.Handler, r *http.Request) (*httptest.ResponseRecorder, *record.Record) {
	rec := &record.Record{}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
	return w, rec
}

func authServer(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestForwardAuth_TellsOfServersThatDoNotAnswer(t *testing.T) {
	blocked := make(chan struct{})
	slow := authServer(t, func(http.ResponseWriter, *http.Request) { <-blocked })
	t.Cleanup(func() { close(blocked) })
	gone := authServer(t, nil)
	gone.Close()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := map[string]struct {
		address string
		ctx     context.Context
		status  int
	}{
		"refused connection": {gone.URL, t.Context(), 500},
		"too slow":           {slow.URL, t.Context(), 500},
		"client gone":        {slow.URL, canceled, 499},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := build(t, &Config{Address: tt.address, Timeout: types.Duration(50 * time.Millisecond)}, middlewarestest.Env("test"), served)
			w, rec := do(h, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(tt.ctx))
			if w.Code != tt.status || !strings.HasPrefix(rec.Cause, "forwardAuth: ask "+tt.address) {
				t.Errorf("got %d, cause %q, want %d", w.Code, rec.Cause, tt.status)
			}
		})
	}
}

func TestForwardAuth_ShowsNoCredentialsOfTheAddress(t *testing.T) {
	s := authServer(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	gone := authServer(t, nil)
	gone.Close()
	for _, server := range []string{s.URL, gone.URL} {
		h := build(t, &Config{Address: strings.Replace(server, "//", "//me:hidden@", 1) + "/verify?key=hidden"}, middlewarestest.Env("test"), served)
		if _, rec := do(h, httptest.NewRequest(http.MethodGet, "/", nil)); !strings.Contains(rec.Cause, server+"/verify") || strings.Contains(rec.Cause, "hidden") || strings.Contains(rec.Cause, "me@") || strings.Contains(rec.Cause, "?") {
			t.Errorf("got cause %q", rec.Cause)
		}
	}
}

func TestForwardAuth_NotesTheUser(t *testing.T) {
	s := authServer(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-User", "ann") })
	h := build(t, &Config{Address: s.URL, HeaderField: "x-user"}, middlewarestest.Env("test"), served)
	if w, rec := do(h, httptest.NewRequest(http.MethodGet, "/", nil)); rec.User != "ann" || w.Body.String() != "served" {
		t.Errorf("got user %q, %q", rec.User, w.Body)
	}
}

func TestForwardAuth_UsesConnectionsAgainAndClosesThemInTheEnd(t *testing.T) {
	var opened atomic.Int32
	closed := make(chan struct{}, 10)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Bad") != "" {
			w.WriteHeader(http.StatusForbidden)
		}
		_, _ = io.WriteString(w, "body")
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			opened.Add(1)
		case http.StateClosed:
			closed <- struct{}{}
		}
	}
	s.Start()
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h, err := (&Config{Address: s.URL}).New(ctx, middlewarestest.Env("test"), served)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if i%2 == 1 {
			r.Header.Set("X-Bad", "1")
		}
		do(h, r)
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections for 6 requests one after the other", n)
	}
	cancel()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("the idle connection stays open")
	}
}

func TestForwardAuth_SpeaksTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	tests := map[string]struct {
		tls    *TLS
		status int
	}{
		"unknown authority": {nil, 500},
		"named authority":   {&TLS{CA: ca}, 200},
		"any certificate":   {&TLS{InsecureSkipVerify: true}, 200},
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := build(t, &Config{Address: s.URL, TLS: tt.tls}, middlewarestest.Env("test"), served)
			if w, rec := do(h, httptest.NewRequest(http.MethodGet, "/", nil)); w.Code != tt.status {
				t.Errorf("got %d (%s), want %d", w.Code, rec.Cause, tt.status)
			}
		})
	}
}

func TestForwardAuth_TellsWhoAsksAndHow(t *testing.T) {
	var got http.Header
	s := authServer(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	h := build(t, &Config{Address: s.URL}, middlewarestest.Env("test"), served)
	r := httptest.NewRequest(http.MethodPut, "https://shop.example/a%2Fb?c=d", strings.NewReader("not for you"))
	r.RemoteAddr = "192.0.2.7:1"
	r.Header["Connection"], r.Header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	do(h, r)
	for name, want := range map[string]string{
		"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Host": "shop.example", "X-Forwarded-Method": "PUT",
		"X-Forwarded-Proto": "https", "X-Forwarded-Uri": "/a%2Fb?c=d", "Upgrade": "", "Connection": "",
	} {
		if got.Get(name) != want {
			t.Errorf("%s: got %q, want %q", name, got.Get(name), want)
		}
	}
}
