package jwt

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"fairway/internal/consumers"
	"fairway/internal/record"
	"fairway/internal/secret"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

const (
	issuerName = "https://id.example"
	hsSecret   = "0123456789abcdef0123456789abcdef"
)

// keys of an issuer and of somebody else, made once.
var (
	ours, theirs = ecKey(), ecKey()
	oursRSA      = func() *rsa.PrivateKey { k, _ := rsa.GenerateKey(rand.Reader, 2048); return k }()
)

func ecKey() *ecdsa.PrivateKey {
	k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return k
}

func publicPEM(key crypto.PublicKey) string {
	der, _ := x509.MarshalPKIXPublicKey(key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// jwksOf publishes keys of P-256 by their names.
func jwksOf(keys map[string]*ecdsa.PrivateKey) string {
	var list []map[string]string
	for kid, k := range keys {
		raw, _ := k.PublicKey.Bytes()
		list = append(list, map[string]string{"kty": "EC", "crv": "P-256", "kid": kid, "x": b64(raw[1:33]), "y": b64(raw[33:])})
	}
	text, _ := json.Marshal(map[string]any{"keys": list})
	return string(text)
}

// said are claims that are good for now.
func said(more map[string]any) jwt.MapClaims {
	c := jwt.MapClaims{"iss": issuerName, "sub": "17", "aud": "shop", "exp": time.Now().Add(time.Hour).Unix()}
	for name, v := range more {
		if c[name] = v; v == nil {
			delete(c, name)
		}
	}
	return c
}

func sign(t testing.TB, method jwt.SigningMethod, key any, head, claims map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, jwt.MapClaims(claims))
	maps.Copy(token.Header, head)
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// signed is a token by the issuer's key with these claims beside the usual ones.
func signed(t testing.TB, more map[string]any) string {
	t.Helper()
	return sign(t, jwt.SigningMethodES256, ours, nil, said(more))
}

// signedRaw signs head and claims as they are written.
func signedRaw(t testing.TB, head, claims string) string {
	t.Helper()
	text := b64([]byte(head)) + "." + b64([]byte(claims))
	sig, err := jwt.SigningMethodES256.Sign(text, ours)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + b64(sig)
}

// gate is the middleware in front of a service that notes what it is asked.
type gate struct {
	*testing.T
	http.Handler
	env     middlewares.Env
	started []func(context.Context)

	mu   sync.Mutex
	seen *http.Request
}

func newGate(t *testing.T, c *Config) *gate {
	t.Helper()
	g := &gate{T: t, env: middlewarestest.Env("jwt")}
	g.env.Start = func(run func(context.Context)) { g.started = append(g.started, run) }
	h, err := c.New(t.Context(), g.env, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.seen = r.Clone(r.Context())
	}))
	if err != nil {
		t.Fatal(err)
	}
	g.Handler = h
	return g
}

// outcome is what became of a request.
type outcome struct {
	status    int
	challenge string
	cause     string
	rec       *record.Record
	seen      *http.Request // by the service; nil: it was not asked
}

func (g *gate) ask(r *http.Request) outcome {
	g.Helper()
	g.seen = nil
	rec, w := &record.Record{}, httptest.NewRecorder()
	g.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
	return outcome{w.Code, w.Header().Get("WWW-Authenticate"), rec.Cause, rec, g.seen}
}

func (g *gate) with(token string) outcome {
	g.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://shop.example/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return g.ask(r)
}

// config is one that takes the tokens of the issuer.
func config(change func(c *Config)) *Config {
	c := &Config{}
	c.SetDefaults()
	c.Issuer, c.Audiences, c.PublicKeys = issuerName, []string{"shop"}, []string{publicPEM(&ours.PublicKey)}
	if change != nil {
		change(c)
	}
	return c
}

func (g *gate) know(all map[string]*consumers.Config) {
	g.env.Consumers.Store(consumers.New(all, func(name string, err error) { g.Errorf("%s: %v", name, err) }))
}

func shared(c *Config) { c.PublicKeys, c.Secret = nil, secret.String(hsSecret) }

func contains(text, part string) bool { return strings.Contains(text, part) }
