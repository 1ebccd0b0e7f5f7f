//go:build !race

// The race detector allocates as well: this file is left out under it.

package jwt

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"fairway/internal/record"
	"fairway/middlewares/middlewarestest"
)

func TestJWT_AKnownTokenAllocatesNothing(t *testing.T) {
	c := config(func(c *Config) {
		c.PublicKeys = []string{publicPEM(&ours.PublicKey)}
		c.ForwardHeaders = map[string]string{"X-User": "sub"}
	})
	passed := 0
	h, err := c.New(t.Context(), middlewarestest.Env("jwt"), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed++ }))
	if err != nil {
		t.Fatal(err)
	}
	rec := &record.Record{}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+sign(t, jwt.SigningMethodES256, ours, nil, said(nil)))
	r = r.WithContext(record.With(r.Context(), rec))
	w := httptest.NewRecorder()
	n := testing.AllocsPerRun(100, func() {
		*rec = record.Record{}
		h.ServeHTTP(w, r)
	})
	if passed != 101 || n != 0 {
		t.Errorf("%d requests passed, with %v allocations each; want 101 with none", passed, n)
	}
}
