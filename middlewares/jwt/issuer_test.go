package jwt

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/traefik/paerser/types"
)

// idp publishes its keys and its list of revoked tokens.
type idp struct {
	*httptest.Server
	mu      sync.Mutex
	keys    map[string]*ecdsa.PrivateKey
	revoked []string
	away    bool
	asked   atomic.Int32
}

func newIDP(t *testing.T) *idp {
	p := &idp{keys: map[string]*ecdsa.PrivateKey{"a": ours}, revoked: []string{}}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *idp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked.Add(1)
	switch {
	case p.away:
		http.Error(w, "away", http.StatusBadGateway)
	case r.URL.Path == "/.well-known/openid-configuration":
		_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":"%s/keys"}`, p.URL, p.URL)
	case r.URL.Path == "/keys":
		_, _ = fmt.Fprint(w, jwksOf(p.keys))
	case r.URL.Path == "/revoked":
		_ = json.NewEncoder(w).Encode(p.revoked)
	}
}

func (p *idp) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *idp) config(change func(c *Config)) *Config {
	return config(func(c *Config) {
		c.Issuer, c.PublicKeys = p.URL, nil
		if change != nil {
			change(c)
		}
	})
}

// token is signed by the key of a name.
func (p *idp) token(t *testing.T, kid string, key *ecdsa.PrivateKey) string {
	return sign(t, jwt.SigningMethodES256, key, map[string]any{"kid": kid}, said(map[string]any{"iss": p.URL}))
}

func TestJWT_KeysComeFromTheIssuerAheadOfRequests(t *testing.T) {
	p := newIDP(t)
	g := newGate(t, p.config(nil))
	if p.asked.Load() != 0 || len(g.started) != 1 {
		t.Fatalf("asked %d times while it was built, starts %d", p.asked.Load(), len(g.started))
	}
	g.started[0](t.Context())
	if n := p.asked.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
	if got := g.with(p.token(t, "a", ours)); got.status != 200 || p.asked.Load() != 2 {
		t.Errorf("got %d %s", got.status, got.cause)
	}
	for i := range 20 { // made-up names of keys
		if got := g.with(p.token(t, fmt.Sprint("x", i, "' OR 1=1"), theirs)); got.status != 401 || !contains(got.cause, "no key of that name") {
			t.Errorf("got %d %s", got.status, got.cause)
		}
	}
	if n := p.asked.Load(); n != 2 {
		t.Errorf("asked %d times for keys with made-up names", n)
	}
}

func TestJWT_KeysAreChangedWhileRequestsFlow(t *testing.T) {
	p := newIDP(t)
	g := newGate(t, p.config(nil))
	old := p.token(t, "a", ours)
	if got := g.with(old); got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.cause)
	}
	p.change(func() { p.keys = map[string]*ecdsa.PrivateKey{"a": ours, "b": theirs} })
	fresh := p.token(t, "b", theirs)
	deadline := time.Now().Add(30 * time.Second)
	for g.with(fresh).status != 200 { // once the pause between two questions is over
		if time.Now().After(deadline) {
			t.Fatal("the new key is not found")
		}
		if got := g.with(old); got.status != 200 {
			t.Fatalf("the old key is refused meanwhile: %d %s", got.status, got.cause)
		}
	}
	if got := g.with(old); got.status != 200 {
		t.Errorf("the old key, which is still there: %d %s", got.status, got.cause)
	}
}

func TestJWT_WhileTheIssuerIsAway(t *testing.T) {
	p := newIDP(t)
	p.away = true
	g := newGate(t, p.config(nil))
	got := g.with(p.token(t, "a", ours))
	if got.status != 503 || got.seen != nil || !contains(got.cause, "it answers 502") {
		t.Errorf("got %d %s", got.status, got.cause)
	}
	if got := g.with("a.b.c"); got.status != 401 {
		t.Errorf("what is no token: got %d %s", got.status, got.cause)
	}
}

func TestJWT_RevokedTokens(t *testing.T) {
	p := newIDP(t)
	c := config(func(c *Config) {
		c.Revocation = &Revocation{URL: p.URL + "/revoked", Interval: types.Duration(10 * time.Millisecond)}
	})
	g := newGate(t, c)
	token := signed(t, map[string]any{"jti": "t1"})
	p.change(func() { p.away = true })
	if got := g.with(token); got.status != 503 {
		t.Errorf("before the list is there: got %d %s", got.status, got.cause)
	}
	p.change(func() { p.away = false })
	await := func(want int) {
		t.Helper()
		deadline := time.Now().Add(10 * time.Second)
		for got := g.with(token); got.status != want; got = g.with(token) {
			if time.Now().After(deadline) {
				t.Fatalf("got %d %s, want %d", got.status, got.cause, want)
			}
		}
	}
	await(200)
	if got := g.with(signed(t, nil)); got.status != 401 || !contains(got.cause, "no jti") {
		t.Errorf("without jti: got %d %s", got.status, got.cause)
	}
	p.change(func() { p.revoked = []string{"t0", "t1"} })
	await(401)
	p.change(func() { p.away = true })
	if got := g.with(token); got.status != 401 {
		t.Errorf("while the list is away: got %d", got.status)
	}
}

func TestJWT_FilesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	keys, secretFile := filepath.Join(dir, "keys.json"), filepath.Join(dir, "secret")
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(keys, jwksOf(map[string]*ecdsa.PrivateKey{"a": ours}))
	write(secretFile, hsSecret+"\r\n")
	g := newGate(t, config(func(c *Config) { c.PublicKeys, c.JWKS, c.SecretFile = nil, keys, secretFile }))
	byKey, bySecret := sign(t, jwt.SigningMethodES256, ours, map[string]any{"kid": "a"}, said(nil)), sign(t, jwt.SigningMethodHS256, []byte(hsSecret), nil, said(nil))
	for _, token := range []string{byKey, bySecret} {
		if got := g.with(token); got.status != 200 {
			t.Errorf("got %d %s", got.status, got.cause)
		}
	}
	write(keys, jwksOf(map[string]*ecdsa.PrivateKey{"b": theirs}))
	write(secretFile, "another-secret-0123456789abcdef0123456789")
	deadline := time.Now().Add(10 * time.Second)
	for g.with(byKey).status != 401 || g.with(bySecret).status != 401 { // tokens that are known, too
		if time.Now().After(deadline) {
			t.Fatal("tokens by keys that are gone are let in")
		}
	}
}

func FuzzToken(f *testing.F) {
	c := &Config{}
	c.SetDefaults()
	c.PublicKeys, c.RequireExpiry = []string{publicPEM(&ours.PublicKey)}, false
	good := signed(f, nil)
	f.Add(good)
	f.Add(signedRaw(f, `{"alg":"ES256","crit":["a"]}`, `{"a":{"b":[1,2,{"c":null}]}}`))
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, token string) {
		g := newGate(t, c)
		got := g.with(token)
		if got.status != 200 && got.status != 401 && got.status != 400 { // 400: more than one token
			t.Errorf("got %d", got.status)
		}
		if _, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return &ours.PublicKey, nil }, jwt.WithValidMethods([]string{"ES256"})); err != nil && got.status == 200 {
			t.Errorf("let in %q: %v", token, err)
		}
	})
}
