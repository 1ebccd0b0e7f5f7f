package jwt

import (
	"crypto/ecdsa"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/traefik/paerser/types"

	"fairway/internal/record"
	"fairway/middlewares/middlewarestest"
)

func TestJWT_TheIssuerThatATokenNamesGoesBeforeTheNamelessOne(t *testing.T) {
	const other = "https://other.example"
	g := newGate(t, config(func(c *Config) {
		c.Issuer, c.Audiences = "", nil
		c.Issuers = []Issuer{{Issuer: other, PublicKeys: []string{publicPEM(&theirs.PublicKey)}, Audiences: []string{"shop"}}}
	}))
	for name, tt := range map[string]struct {
		token string
		want  int
	}{
		"named, by its key":               {sign(t, jwt.SigningMethodES256, theirs, nil, said(map[string]any{"iss": other})), 200},
		"named, by the nameless one's":    {sign(t, jwt.SigningMethodES256, ours, nil, said(map[string]any{"iss": other})), 401},
		"named, for another audience":     {sign(t, jwt.SigningMethodES256, theirs, nil, said(map[string]any{"iss": other, "aud": "x"})), 401},
		"of somebody else, by our key":    {sign(t, jwt.SigningMethodES256, ours, nil, said(map[string]any{"iss": "https://third.example"})), 200},
		"of somebody else, by the others": {sign(t, jwt.SigningMethodES256, theirs, nil, said(map[string]any{"iss": "https://third.example"})), 401},
	} {
		if got := g.with(tt.token); got.status != tt.want {
			t.Errorf("%s: got %d, want %d: %s", name, got.status, tt.want, got.cause)
		}
	}
}

func TestJWT_TwoIssuersOfOneNameAreAMistake(t *testing.T) {
	twice := Issuer{Issuer: issuerName, PublicKeys: []string{publicPEM(&theirs.PublicKey)}}
	for name, c := range map[string]*Config{
		"beside the first": config(func(c *Config) { c.Issuers = []Issuer{twice} }),
		"among issuers":    config(func(c *Config) { c.Issuer, c.PublicKeys, c.Issuers = "", nil, []Issuer{twice, twice} }),
	} {
		if _, err := c.New(t.Context(), middlewarestest.Env("jwt"), nil); err == nil || !strings.Contains(err.Error(), "is there already") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestJWT_MoreThanOneTokenIsAMistake(t *testing.T) {
	g := newGate(t, config(func(c *Config) {
		c.TokenFrom, c.StripToken, c.Optional = []string{"header:Authorization", "cookie:session", "query:token"}, true, true
	}))
	good := signed(t, nil)
	for name, change := range map[string]func(r *http.Request){
		"header and cookie": func(r *http.Request) { r.Header["Cookie"] = []string{"session=" + good} },
		"header and query":  func(r *http.Request) { r.URL.RawQuery = "token=x" },
		"two headers":       func(r *http.Request) { r.Header.Add("Authorization", "Bearer x") },
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+good)
		change(r)
		got := g.ask(r)
		if got.status != 400 || got.challenge != `Bearer realm="fairway", error="invalid_request"` || got.seen != nil || got.rec.Auth != record.Refused {
			t.Errorf("%s: got %d %s", name, got.status, got.challenge)
		}
	}
	r := httptest.NewRequest("GET", "/?token=&a=b", nil)
	r.Header["Authorization"], r.Header["Cookie"] = []string{"Bearer " + good}, []string{"session=; other=1"}
	got := g.ask(r)
	if got.status != 200 || got.seen.URL.RawQuery != "a=b" || got.seen.Header.Get("Cookie") != "other=1" || got.seen.Header["Authorization"] != nil {
		t.Errorf("places are not stripped: %d %v %v", got.status, got.seen.URL, got.seen.Header)
	}
	r = httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Basic abc")
	if got := g.ask(r); got.status != 200 || got.seen.Header.Get("Authorization") != "Basic abc" || got.rec.Identity != nil {
		t.Errorf("credentials of another kind: got %d", got.status)
	}
}

func TestJWT_RoutesShareWhatIsKnown(t *testing.T) {
	env := middlewarestest.Env("jwt")
	var kept any
	env.Keep = func(fresh func() any) any {
		if kept == nil {
			kept = fresh()
		}
		return kept
	}
	with := func(change func(c *Config)) *verifier {
		h, err := config(change).New(t.Context(), env, http.NotFoundHandler())
		if err != nil {
			t.Fatal(err)
		}
		return h.(*handler).verifier
	}
	other := func(c *Config) { c.Scopes = []string{"a"} }
	one, again, another := with(nil), with(nil), with(other)
	if one != again || one == another {
		t.Error("they do not share, or share what is for other options")
	}
	if with(shared) == with(func(c *Config) { shared(c); c.Secret += "x" }) {
		t.Error("another secret is the same to it")
	}
}

func TestRevokedTokens(t *testing.T) {
	for text, want := range map[string]int{
		`[]`:                        0,
		`["a","b"]`:                 2,
		`[{"jti":"a"},"a"]`:         1,
		`[{"jti":"a","iss":"x"}]`:   1,
		`null`:                      -1,
		`{}`:                        -1,
		``:                          -1,
		`["a",1]`:                   -1,
		`["a",null]`:                -1,
		`[{"iss":"x"}]`:             -1,
		`[{"jti":"a"}] and more`:    -1,
		`[{"jti":["a"],"iss":"x"}]`: -1,
	} {
		got, err := revokedTokens([]byte(text))
		if n := len(got); err == nil && n != want || err != nil && want >= 0 || err == nil && want < 0 {
			t.Errorf("%s: got %d, %v", text, n, err)
		}
	}
}

func TestRevocation_OfOneIssuerAndTooOld(t *testing.T) {
	l := &revocation{}
	l.interval.Store(int64(time.Hour))
	tokens, err := revokedTokens([]byte(`[{"jti":"a","iss":"x"},"b"]`))
	if err != nil {
		t.Fatal(err)
	}
	l.list.Store(&revokedAt{tokens, time.Now().Add(-30 * time.Minute)})
	for _, tt := range []struct {
		iss, jti       string
		stale          time.Duration
		revoked, known bool
	}{
		{"x", "a", time.Hour, true, true},
		{"y", "a", time.Hour, false, true},
		{"", "a", time.Hour, false, true},
		{"y", "b", time.Hour, true, true},
		{"y", "c", 0, false, true},
		{"y", "c", time.Minute, false, false},
	} {
		if revoked, known := l.has(tt.iss, tt.jti, tt.stale); revoked != tt.revoked || known != tt.known {
			t.Errorf("%+v: got %v, %v", tt, revoked, known)
		}
	}
}

func TestJWT_AuthoritiesOfItsOwn(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/revoked" { // longer than keys may be
			_, _ = w.Write([]byte(`["x"` + strings.Repeat(`,"0123456789"`, 100_000) + `]`))
			return
		}
		_, _ = w.Write([]byte(jwksOf(map[string]*ecdsa.PrivateKey{"a": ours})))
	}))
	t.Cleanup(server.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	for name, tt := range map[string]struct {
		change func(c *Config)
		want   int
	}{
		"the system's":  {func(*Config) {}, 503},
		"the server's":  {func(c *Config) { c.CAFiles = []string{ca} }, 200},
		"none is asked": {func(c *Config) { c.InsecureSkipVerify = true }, 200},
	} {
		g := newGate(t, config(func(c *Config) {
			c.PublicKeys, c.JWKSURL = nil, server.URL+"/keys"
			c.Revocation = &Revocation{URL: server.URL + "/revoked", Interval: types.Duration(time.Hour)}
			tt.change(c)
		}))
		for _, run := range g.started {
			run(t.Context())
		}
		if got := g.with(signed(t, map[string]any{"jti": "1"})); got.status != tt.want {
			t.Errorf("%s: got %d %s", name, got.status, got.cause)
		}
	}
}
