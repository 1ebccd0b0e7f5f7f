package jwt

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"fairway/internal/record"
	"fairway/internal/tokencache"
	"fairway/middlewares/middlewarestest"
)

// BenchmarkJWT has what a request costs whose token is known, and what the first one costs.
func BenchmarkJWT(b *testing.B) {
	for name, tt := range map[string]struct {
		key    string
		method jwt.SigningMethod
		with   any
	}{"ES256": {publicPEM(&ours.PublicKey), jwt.SigningMethodES256, ours}, "RS256": {publicPEM(&oursRSA.PublicKey), jwt.SigningMethodRS256, oursRSA}} {
		c := config(func(c *Config) {
			c.PublicKeys = []string{tt.key}
			c.ForwardHeaders = map[string]string{"X-User": "sub"}
		})
		made, err := c.New(b.Context(), middlewarestest.Env("jwt"), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		if err != nil {
			b.Fatal(err)
		}
		h := made.(*handler)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		token := sign(b, tt.method, tt.with, nil, said(nil))
		r.Header.Set("Authorization", "Bearer "+token)
		r = r.WithContext(record.With(r.Context(), &record.Record{}))
		b.Run(name+" known", func(b *testing.B) {
			b.ReportAllocs()
			w := httptest.NewRecorder()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
		b.Run(name+" first", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.cache = tokencache.New[*verified](cacheBytes)
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}
