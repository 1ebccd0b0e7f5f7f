package oauth2client

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

// fixture is a server of tokens, and a service that tells what it was brought.
type fixture struct {
	*handler
	config  *Config
	env     middlewares.Env
	t       *testing.T
	asked   atomic.Int32
	lasts   atomic.Int64
	away    atomic.Bool
	refuses atomic.Bool
	started []func(context.Context)
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{t: t}
	f.lasts.Store(3600)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := f.asked.Add(1)
		if f.away.Load() || r.PostFormValue("grant_type") != "client_credentials" || r.PostFormValue("scope") != "a b" {
			http.Error(w, "away", http.StatusBadGateway)
			return
		}
		_, _ = fmt.Fprintf(w, `{"access_token":"t%d","token_type":"bearer","expires_in":%d}`, n, f.lasts.Load())
	}))
	t.Cleanup(server.Close)
	env := middlewarestest.Env("shop")
	env.Start = func(run func(context.Context)) { f.started = append(f.started, run) }
	c := &Config{TokenURL: server.URL, ClientID: "gateway", ClientSecret: "s3cret", Scopes: []string{"a", "b"}}
	h, err := c.New(t.Context(), env, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Brought", r.Header.Get("Authorization"))
		if f.refuses.Load() {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	f.handler, f.config, f.env = h.(*handler), c, env
	return f
}

func (f *fixture) ask() (status int, brought string) {
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	f.ServeHTTP(w, r.WithContext(record.With(r.Context(), &record.Record{})))
	return w.Code, w.Header().Get("X-Brought")
}

func TestOAuth2Client_HasOneTokenForAll(t *testing.T) {
	f := newFixture(t)
	if f.asked.Load() != 0 {
		t.Error("it asks while it is built")
	}
	f.started[0](t.Context())
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if status, brought := f.ask(); status != 200 || brought != "Bearer t1" {
				t.Errorf("got %d %q", status, brought)
			}
		})
	}
	all.Wait()
	if n := f.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestOAuth2Client_TokensAreReplacedBeforeTheirEnd(t *testing.T) {
	f := newFixture(t)
	f.ask()
	s := f.source
	s.mu.Lock()
	s.fresh, s.asked = time.Now().Add(-time.Second), time.Time{}
	s.mu.Unlock()
	if status, brought := f.ask(); status != 200 || brought != "Bearer t1" {
		t.Errorf("meanwhile: got %d %q", status, brought)
	}
	deadline := time.Now().Add(10 * time.Second)
	for brought := ""; brought != "Bearer t2"; _, brought = f.ask() {
		if time.Now().After(deadline) {
			t.Fatal("the token is not replaced")
		}
	}
}

func TestOAuth2Client_WhileTheServerIsAway(t *testing.T) {
	f := newFixture(t)
	f.away.Store(true)
	if status, brought := f.ask(); status != 503 || brought != "" {
		t.Errorf("got %d %q", status, brought)
	}
	for range 20 {
		f.ask()
	}
	if n := f.asked.Load(); n != 1 {
		t.Errorf("asked %d times within a second", n)
	}
	f.away.Store(false)
	deadline := time.Now().Add(10 * time.Second)
	for status := 0; status != 200; status, _ = f.ask() {
		if time.Now().After(deadline) {
			t.Fatal("it does not recover")
		}
	}
}

func TestOAuth2Client_ATokenThatTheServiceRefusesIsUsedUntilThereIsAnother(t *testing.T) {
	f := newFixture(t)
	f.refuses.Store(true)
	for range 20 { // somebody whom the service does not like costs the others nothing
		if status, brought := f.ask(); status != 401 || brought != "Bearer t1" {
			t.Errorf("got %d %q", status, brought)
		}
	}
	if n := f.asked.Load(); n != 1 {
		t.Errorf("asked %d times within the pause", n)
	}
	f.refuses.Store(false)
	if status, brought := f.ask(); status != 200 || brought != "Bearer t1" {
		t.Errorf("got %d %q", status, brought)
	}
	f.source.mu.Lock()
	f.source.asked = time.Now().Add(-doubtPause) // the pause is over
	f.source.mu.Unlock()
	deadline := time.Now().Add(10 * time.Second)
	for brought := ""; brought != "Bearer t2"; {
		var status int
		if status, brought = f.ask(); status != 200 || brought != "Bearer t1" && brought != "Bearer t2" || time.Now().After(deadline) {
			t.Fatalf("got %d %q", status, brought)
		}
	}
	if n := f.asked.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

func TestOAuth2Client_NothingIsSentThatIsNotValid(t *testing.T) {
	for name, spoil := range map[string]func(s *source){
		"expired":           func(s *source) { s.until = time.Now().Add(-time.Second) },
		"of the old secret": func(s *source) { s.by = "old" },
		"none":              func(s *source) { s.value = "" },
	} {
		f := newFixture(t)
		f.ask()
		f.source.mu.Lock()
		spoil(f.source)
		f.source.asked = time.Now().Add(time.Hour) // just asked
		f.source.mu.Unlock()
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		f.ServeHTTP(w, r.WithContext(record.With(r.Context(), &record.Record{})))
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || w.Header().Get("X-Brought") != "" {
			t.Errorf("%s: got %d %q", name, w.Code, w.Header())
		}
	}
}

func TestOAuth2Client_RoutesShareTheToken(t *testing.T) {
	f := newFixture(t)
	var kept any
	f.env.Keep = func(fresh func() any) any {
		if kept == nil {
			kept = fresh()
		}
		return kept
	}
	var sources []*source
	for range 2 {
		h, err := f.config.New(t.Context(), f.env, http.NotFoundHandler())
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, h.(*handler).source)
	}
	if sources[0] != sources[1] {
		t.Error("they have two")
	}
}

func TestOAuth2Client_AuthoritiesOfItsOwn(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"access_token":"t","token_type":"bearer"}`))
	}))
	t.Cleanup(server.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	for want, change := range map[int]func(c *Config){
		200: func(c *Config) { c.CAFiles = []string{ca} },
		503: func(*Config) {},
		204: func(c *Config) { c.InsecureSkipVerify = true },
	} {
		c := &Config{TokenURL: server.URL, ClientID: "gateway", ClientSecret: "s3cret"}
		change(c)
		h, err := c.New(t.Context(), middlewarestest.Env("shop"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(want) }))
		if err != nil {
			t.Fatal(err)
		}
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		h.ServeHTTP(w, r.WithContext(record.With(r.Context(), &record.Record{})))
		if w.Code != want {
			t.Errorf("got %d, want %d", w.Code, want)
		}
	}
}
