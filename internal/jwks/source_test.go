package jwks

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// issuer publishes keys, and can be broken.
type issuer struct {
	*httptest.Server
	asked  atomic.Int32
	answer atomic.Pointer[http.HandlerFunc]
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":"%s/keys"}`, i.URL, i.URL)
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		i.asked.Add(1)
		(*i.answer.Load())(w, r)
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	i.says(http.StatusOK, keyset("a"))
	return i
}

func (i *issuer) says(status int, text []byte) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write(text)
	})
	i.answer.Store(&h)
}

func keyset(kid string) []byte { return set(with(ecJWK(&ecKeys["ES256"].PublicKey), "kid", kid)) }

// clock is a time that tests move.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()) }
func (c *clock) forward(d time.Duration) { c.at.Add(int64(d)) }

func idOf(t *testing.T, keys []Key, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return keys[0].ID
}

func TestSource_AsksOnceAndAgainWhenAKeyIsMissing(t *testing.T) {
	i, c := newIssuer(t), &clock{}
	c.forward(time.Hour)
	s := &Source{Issuer: i.URL, now: c.now}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if keys, err := s.Keys(t.Context()); err != nil || keys[0].ID != "a" {
				t.Errorf("got %v %v", keys, err)
			}
		})
	}
	all.Wait()
	if n := i.asked.Load(); n != 1 {
		t.Fatalf("asked %d times for the first keys", n)
	}
	i.says(http.StatusOK, keyset("b"))
	for range 50 { // made-up tokens
		keys, err := s.Again(t.Context())
		if idOf(t, keys, err) != "a" {
			t.Fatal("asked too soon")
		}
	}
	c.forward(retryAfter)
	if keys, err := s.Again(t.Context()); idOf(t, keys, err) != "b" || i.asked.Load() != 2 {
		t.Errorf("asked %d times for the key that was missing", i.asked.Load())
	}
}

func TestSource_KeepsWhatItHasWhileTheIssuerIsAway(t *testing.T) {
	i, c := newIssuer(t), &clock{}
	c.forward(time.Hour)
	failed := make(chan error, 1)
	s := &Source{Issuer: i.URL, now: c.now, Failed: func(err error) { failed <- err }}
	if keys, err := s.Keys(t.Context()); idOf(t, keys, err) != "a" {
		t.Fatal("no keys")
	}
	for want, says := range map[string]func(){
		"it answers 500": func() { i.says(500, nil) },
		"no public key":  func() { i.says(200, []byte(`{"keys":[]}`)) },
		"not JSON":       func() { i.says(200, []byte(`<html>`)) },
		"is longer than": func() { i.says(200, make([]byte, mostBytes+1)) },
	} {
		says()
		c.forward(freshFor + time.Second)
		if keys, err := s.Keys(t.Context()); idOf(t, keys, err) != "a" {
			t.Errorf("%s: the keys are gone", want)
		}
		if err := <-failed; !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	i.says(http.StatusOK, keyset("b"))
	c.forward(retryAfter)
	if keys, err := s.Again(t.Context()); idOf(t, keys, err) != "b" {
		t.Error("it does not recover")
	}
}

func TestSource_WithoutKeysSaysWhy(t *testing.T) {
	i := newIssuer(t)
	i.says(404, nil)
	s := &Source{Address: i.URL + "/keys"}
	if _, err := s.Keys(t.Context()); err == nil || !strings.Contains(err.Error(), "it answers 404") {
		t.Errorf("got %v", err)
	}
	if _, err := s.Keys(t.Context()); err == nil || i.asked.Load() != 1 {
		t.Errorf("got %v after %d questions", err, i.asked.Load())
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	hang := make(chan struct{})
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang })
	i.answer.Store(&h)
	defer close(hang)
	if _, err := (&Source{Address: i.URL + "/keys"}).Keys(gone); err == nil {
		t.Error("who has gone waits")
	}
}

func TestDiscover_TakesOnlyTheIssuersOwnWords(t *testing.T) {
	for name, tt := range map[string]struct{ path, says, want string }{
		"OpenID Connect":     {"/a/.well-known/openid-configuration", `{"issuer":"ISSUER/a","jwks_uri":"https://k/"}`, ""},
		"RFC 8414":           {"/.well-known/oauth-authorization-server/a", `{"issuer":"ISSUER/a","jwks_uri":"https://k/"}`, ""},
		"another issuer":     {"/a/.well-known/openid-configuration", `{"issuer":"https://evil.example","jwks_uri":"https://k/"}`, `is about the issuer "https://evil.example"`},
		"no keys":            {"/a/.well-known/openid-configuration", `{"issuer":"ISSUER/a"}`, "names no jwks_uri"},
		"something else":     {"/a/.well-known/openid-configuration", `<html>`, "is not JSON"},
		"nothing there":      {"/nowhere", "", "it answers 404"},
		"a slash at the end": {"/a/.well-known/openid-configuration", `{"issuer":"ISSUER/a/","jwks_uri":"https://k/"}`, "is about the issuer"},
	} {
		var s *httptest.Server
		s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != tt.path {
				http.NotFound(w, r)
				return
			}
			_, _ = w.Write([]byte(strings.ReplaceAll(tt.says, "ISSUER", s.URL)))
		}))
		m, err := Discover(t.Context(), nil, s.URL+"/a")
		if tt.want == "" && (err != nil || m.JWKSURI != "https://k/") || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v %v, want %q", name, m, err, tt.want)
		}
		s.Close()
	}
	if _, err := Discover(t.Context(), nil, "not a url"); err == nil {
		t.Error("that is no issuer")
	}
}
