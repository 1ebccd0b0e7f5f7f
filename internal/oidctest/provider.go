// Package oidctest is a provider of OpenID Connect for tests: it has users with passwords, a
// login page, codes that are of use once, PKCE, refresh tokens that change, keys that change,
// logout in both directions, and can be told to misbehave. It is strict where a provider should
// be: with a code or a refresh token that is used twice all that came of it is taken back.
package oidctest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Provider is a running one. Its issuer is its URL. Options are changed by Change.
type Provider struct {
	*httptest.Server
	tb testing.TB

	mu sync.Mutex
	Options

	signing  int // number of the key that signs
	keys     map[string]*ecdsa.PrivateKey
	codes    map[string]*grant
	tokens   map[string]*grant // by access token
	families map[string]*grant // by refresh token, those that were replaced too
	sessions map[string]string // users by sid
	asked    map[string]int    // requests by path
	last     url.Values        // of the last request for a login
}

// Options are what a test changes.
type Options struct {
	ClientID, ClientSecret string // without a secret the client is public
	Passwords              map[string]string
	Claims                 map[string]any // of ID tokens, beside the usual ones
	UserInfo               map[string]any
	Lasts                  time.Duration // of access tokens
	NoRefresh              bool          // no refresh tokens
	Away                   bool          // every request fails
	Slow                   time.Duration // that the token endpoint takes
	Issuer                 string        // that the answers to browsers name; empty: its own
	SilentIssuer           bool          // none is named
	PostOnly               bool          // passwords of clients are taken from forms only
	NoEndSession           bool
	Redirects              []string                   // where browsers may be sent back to; empty: anywhere
	Now                    func() time.Time           // nil: as it is
	Tamper                 func(claims jwt.MapClaims) // of ID tokens
}

// grant is what a login, or a refresh, has given.
type grant struct {
	sub, sid, nonce, challenge, redirect string
	used, revoked                        bool
	root                                 *grant // the login that it came of
	until                                time.Time
}

// New starts a provider with the users ann and bob, whose passwords are secret-of-ann and
// secret-of-bob.
func New(tb testing.TB) *Provider {
	tb.Helper()
	p := &Provider{
		tb: tb, keys: map[string]*ecdsa.PrivateKey{}, codes: map[string]*grant{}, tokens: map[string]*grant{}, families: map[string]*grant{}, sessions: map[string]string{}, asked: map[string]int{},
		Options: Options{ //nolint:gosec // passwords of nobody
			ClientID: "shop", ClientSecret: "s3cret: of & shop", Lasts: 5 * time.Minute,
			Passwords: map[string]string{"ann": "secret-of-ann", "bob": "secret-of-bob"},
		},
	}
	p.newKey()
	p.Server = httptest.NewServer(p)
	tb.Cleanup(p.Close)
	return p
}

// Change changes options.
func (p *Provider) Change(f func(o *Options)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.Options)
}

// Rotate has another key sign from now on; old keys are published no more.
func (p *Provider) Rotate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.keys)
	p.newKey()
}

func (p *Provider) newKey() {
	p.signing++
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.tb.Fatal(err)
	}
	p.keys[p.kid()] = k
}

func (p *Provider) kid() string { return fmt.Sprint("key-", p.signing) }

// Asked is how often a path was asked.
func (p *Provider) Asked(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

// Last has the parameters of the last request for a login.
func (p *Provider) Last() url.Values {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// Revoke takes all refresh tokens back.
func (p *Provider) Revoke() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range p.families {
		g.root.revoked = true
	}
}

// Forget ends all sessions at the provider.
func (p *Provider) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.sessions)
}

// Sessions are the users that have logged in, by sid.
func (p *Provider) Sessions() map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.sessions)
}

func random() string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails
	return hex.EncodeToString(raw)
}

// Sign signs claims by the key of now.
func (p *Provider) Sign(claims jwt.MapClaims) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sign(claims)
}

func (p *Provider) sign(claims jwt.MapClaims) string {
	token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	token.Header["kid"] = p.kid()
	text, err := token.SignedString(p.keys[p.kid()])
	if err != nil {
		p.tb.Error(err)
	}
	return text
}

// LogoutToken is one about a session or a user.
func (p *Provider) LogoutToken(sub, sid string) jwt.MapClaims {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := jwt.MapClaims{
		"iss": p.URL, "aud": p.ClientID, "iat": p.now().Unix(), "exp": p.now().Add(2 * time.Minute).Unix(), "jti": random(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	if sub != "" {
		c["sub"] = sub
	}
	if sid != "" {
		c["sid"] = sid
	}
	return c
}

func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/token" {
		p.mu.Lock()
		slow := p.Slow
		p.mu.Unlock()
		time.Sleep(slow)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked[r.URL.Path]++
	if p.Away {
		http.Error(w, "away", http.StatusBadGateway)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		p.metadata(w)
	case "/keys":
		p.publish(w)
	case "/authorize":
		p.authorize(w, r)
	case "/token":
		p.token(w, r)
	case "/userinfo":
		p.userInfo(w, r)
	case "/logout":
		p.endSession(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (p *Provider) metadata(w http.ResponseWriter) {
	m := map[string]any{
		"issuer": p.URL, "jwks_uri": p.URL + "/keys", "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "userinfo_endpoint": p.URL + "/userinfo",
		"authorization_response_iss_parameter_supported": !p.SilentIssuer,
	}
	if !p.NoEndSession {
		m["end_session_endpoint"] = p.URL + "/logout"
	}
	if p.PostOnly {
		m["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
	}
	answer(w, http.StatusOK, m)
}

func (p *Provider) publish(w http.ResponseWriter) {
	list := []any{}
	b64 := base64.RawURLEncoding.EncodeToString
	for kid, k := range p.keys {
		raw, err := k.PublicKey.Bytes()
		if err != nil {
			p.tb.Error(err)
			continue
		}
		list = append(list, map[string]string{"kty": "EC", "crv": "P-256", "use": "sig", "kid": kid, "x": b64(raw[1:33]), "y": b64(raw[33:])})
	}
	answer(w, http.StatusOK, map[string]any{"keys": list})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

const loginPage = `<!doctype html><title>Log in</title><h1>Log in at the provider</h1><p id="error">%s</p>
<form method="post"><input name="username" id="username"><input name="password" id="password" type="password"><button id="login">Log in</button>
<button id="deny" name="deny" value="1">No</button></form>`

func page(w http.ResponseWriter, status int, text string, args ...any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, text, args...)
}

func wrong(w http.ResponseWriter, what string) {
	page(w, http.StatusBadRequest, "<h1>%s</h1>", html.EscapeString(what))
}
