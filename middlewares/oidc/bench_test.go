package oidc

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fairway/internal/oidctest"
	"fairway/internal/tokencache"
	"fairway/middlewares/middlewarestest"
)

// BenchmarkSession is a request with the cookie of a session: one that is known, and one that
// is opened for the first time.
func BenchmarkSession(b *testing.B) {
	p := oidctest.New(b)
	c := &Config{}
	c.SetDefaults()
	c.Issuer, c.ClientID, c.ForwardHeaders = p.URL, p.ClientID, map[string]string{"X-User": "preferred_username"}
	made, err := c.New(b.Context(), middlewarestest.Env("login"), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err != nil {
		b.Fatal(err)
	}
	h := made.(*handler)
	now := time.Now()
	s := &session{id: newID(), began: now, seen: now, idToken: p.Sign(map[string]any{"sub": "ann", "preferred_username": "ann", "groups": strings.Repeat("group ", 200)}), refresh: "rt"}
	r := httptest.NewRequest(http.MethodGet, "http://shop.example/", nil)
	r.Header.Set("Cookie", "theme=dark; "+h.jar.name+"="+h.sealer.seal(forSession, s.write())+"; lang=en")
	w := httptest.NewRecorder()
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h.ServeHTTP(w, r)
		}
	})
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h.cache = tokencache.New[*cached](cacheBytes)
			h.ServeHTTP(w, r)
		}
	})
	if w.Code != http.StatusOK {
		b.Errorf("got %d", w.Code)
	}
}
