package jwt

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"fairway/internal/consumers"
	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

func TestJWT_RefusesWhatIsNoGood(t *testing.T) {
	g := newGate(t, config(func(c *Config) { c.Type = "at+jwt" }))
	at := map[string]any{"typ": "at+jwt"}
	good := sign(t, jwt.SigningMethodES256, ours, at, said(nil))
	if got := g.with(good); got.status != 200 || got.seen == nil {
		t.Fatalf("a good token: got %+v", got)
	}
	parts := strings.Split(good, ".")
	head, claims := `{"alg":"ES256","typ":"at+jwt"}`, fmt.Sprintf(`{"iss":%q,"aud":"shop","exp":%d}`, issuerName, time.Now().Add(time.Hour).Unix())
	hour := time.Hour
	for name, tt := range map[string]struct{ token, cause string }{
		"none":                  {sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, at, said(nil)), "signing method none is invalid"},
		"None":                  {b64([]byte(`{"alg":"None","typ":"at+jwt"}`)) + "." + parts[1] + ".", "signing method"},
		"no algorithm":          {b64([]byte(`{"typ":"at+jwt"}`)) + "." + parts[1] + "." + parts[2], "signing method"},
		"HS by the public key":  {sign(t, jwt.SigningMethodHS256, []byte(publicPEM(&ours.PublicKey)), at, said(nil)), "signing method HS256 is invalid"},
		"no signature":          {parts[0] + "." + parts[1] + ".", "signature is invalid"},
		"another's signature":   {sign(t, jwt.SigningMethodES256, theirs, at, said(nil)), "signature is invalid"},
		"RSA where EC is":       {sign(t, jwt.SigningMethodRS256, oursRSA, at, said(nil)), "no key of that name and kind"},
		"other claims":          {parts[0] + "." + b64([]byte(claims)) + "." + parts[2], "signature is invalid"},
		"own key in jwk":        {sign(t, jwt.SigningMethodES256, theirs, map[string]any{"typ": "at+jwt", "jwk": jwksOf(nil)}, said(nil)), "signature is invalid"},
		"own address in jku":    {sign(t, jwt.SigningMethodES256, theirs, map[string]any{"typ": "at+jwt", "jku": "http://127.0.0.1:1/", "x5u": "http://127.0.0.1:1/"}, said(nil)), "signature is invalid"},
		"crit":                  {sign(t, jwt.SigningMethodES256, ours, map[string]any{"typ": "at+jwt", "crit": []string{"exp"}}, said(nil)), "crit"},
		"b64":                   {sign(t, jwt.SigningMethodES256, ours, map[string]any{"typ": "at+jwt", "b64": false}, said(nil)), "b64"},
		"another type":          {signed(t, nil), `the type of the token is "JWT"`},
		"no type":               {signedRaw(t, `{"alg":"ES256"}`, claims), `the type of the token is ""`},
		"a claim twice":         {signedRaw(t, head, strings.Replace(claims, `{`, `{"sub":"1","sub":"2",`, 1)), `has "sub" twice`},
		"an inner claim twice":  {signedRaw(t, head, strings.Replace(claims, `{`, `{"a":[{"b":1,"b":2}],`, 1)), `has "b" twice`},
		"a head twice":          {signedRaw(t, `{"alg":"none","alg":"ES256","typ":"at+jwt"}`, claims), `has "alg" twice`},
		"escaped twice":         {signedRaw(t, head, strings.Replace(claims, `{`, `{"sub":"1","\u0073ub":"2",`, 1)), `has "sub" twice`},
		"something behind":      {signedRaw(t, head, claims+"{}"), "something behind its end"},
		"no object":             {signedRaw(t, head, `["a"]`), "no object"},
		"nested deep":           {signedRaw(t, head, strings.Repeat(`{"a":`, 40)+"1"+strings.Repeat("}", 40)), "too deep"},
		"not JSON":              {signedRaw(t, head, `{"a"`), "not JSON"},
		"padded":                {parts[0] + "=." + parts[1] + "." + parts[2], "base64url"},
		"base64, not base64url": {strings.ReplaceAll(strings.ReplaceAll(parts[0], "-", "+"), "_", "/") + "+/." + parts[1] + "." + parts[2], "the head of the token"},
		"loose bits":            {good[:len(good)-1] + next(good[len(good)-1]), "token is malformed"},
		"a newline within":      {parts[0] + ".\n" + parts[1] + "." + parts[2], "base64url"},
		"two parts":             {parts[0] + "." + parts[1], "three parts"},
		"five parts":            {good + ".a.b", "three parts"},
		"empty parts":           {"..", "the head of the token"},
		"too long":              {signed(t, map[string]any{"x": strings.Repeat("a", longest)}), "more than 16384 bytes"},
		"another issuer":        {sign(t, jwt.SigningMethodES256, ours, at, said(map[string]any{"iss": "https://evil.example"})), `"https://evil.example" is not trusted`},
		"an issuer with more":   {sign(t, jwt.SigningMethodES256, ours, at, said(map[string]any{"iss": issuerName + "/"})), "is not trusted"},
		"no issuer":             {sign(t, jwt.SigningMethodES256, ours, at, said(map[string]any{"iss": nil})), "is not trusted"},
		"an issuer in a list":   {sign(t, jwt.SigningMethodES256, ours, at, said(map[string]any{"iss": []string{issuerName}})), "is not trusted"},
		"another audience":      {sign(t, jwt.SigningMethodES256, ours, at, said(map[string]any{"aud": []string{"blog", "shop2"}})), "audience"},
		"no audience":           {sign(t, jwt.SigningMethodES256, ours, at, said(map[string]any{"aud": nil})), "aud"},
		"expired":               {sign(t, jwt.SigningMethodES256, ours, at, said(map[string]any{"exp": time.Now().Add(-hour).Unix()})), "expired"},
		"endless":               {sign(t, jwt.SigningMethodES256, ours, at, said(map[string]any{"exp": nil})), "exp claim is required"},
		"exp as text":           {sign(t, jwt.SigningMethodES256, ours, at, said(map[string]any{"exp": "4102444800"})), "exp"},
		"not yet":               {sign(t, jwt.SigningMethodES256, ours, at, said(map[string]any{"nbf": time.Now().Add(hour).Unix()})), "not valid yet"},
		"of the future":         {sign(t, jwt.SigningMethodES256, ours, at, said(map[string]any{"iat": time.Now().Add(hour).Unix()})), "used before issued"},
	} {
		got := g.with(tt.token)
		if got.status != 401 || got.seen != nil || got.challenge != `Bearer realm="fairway", error="invalid_token"` {
			t.Errorf("%s: got %d %s", name, got.status, got.challenge)
		}
		if !strings.HasPrefix(got.cause, "jwt: ") || !contains(got.cause, tt.cause) || got.rec.Auth != record.Refused || got.rec.Identity != nil {
			t.Errorf("%s: the cause is %q, want %q", name, got.cause, tt.cause)
		}
	}
}

// next is another character of base64url, with the same leading bits.
func next(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)^1])
}

func TestJWT_LeewayIsForClocksThatDiffer(t *testing.T) {
	g := newGate(t, config(nil))
	for name, tt := range map[string]struct {
		claims map[string]any
		want   int
	}{
		"expired just now": {map[string]any{"exp": time.Now().Add(-20 * time.Second).Unix()}, 200},
		"expired before":   {map[string]any{"exp": time.Now().Add(-40 * time.Second).Unix()}, 401},
		"soon":             {map[string]any{"nbf": time.Now().Add(20 * time.Second).Unix(), "iat": time.Now().Add(20 * time.Second).Unix()}, 200},
		"later":            {map[string]any{"nbf": time.Now().Add(40 * time.Second).Unix()}, 401},
	} {
		if got := g.with(signed(t, tt.claims)); got.status != tt.want {
			t.Errorf("%s: got %d, want %d: %s", name, got.status, tt.want, got.cause)
		}
	}
	endless := newGate(t, config(func(c *Config) { c.RequireExpiry = false }))
	for range 2 {
		if got := endless.with(signed(t, map[string]any{"exp": nil})); got.status != 200 {
			t.Errorf("a token without an end: got %d: %s", got.status, got.cause)
		}
	}
}

func TestJWT_KnownTokensExpireAsOthersDo(t *testing.T) {
	g := newGate(t, config(func(c *Config) { c.Leeway = 0 }))
	token := signed(t, nil)
	if got := g.with(token); got.status != 200 {
		t.Fatalf("got %+v", got)
	}
	h := g.Handler.(*handler)
	v, _ := h.cache.Get(token)
	v2 := *v
	v2.until = time.Now().Add(-time.Second)
	v2.claims = map[string]any{"sub": "what was kept"}
	h.cache.Put(token, &v2)
	if got := g.with(token); got.status != 200 || got.rec.User != "17" {
		t.Errorf("a token whose time is over is taken from the cache: %+v", got.rec)
	}
}

func TestJWT_DemandsAreAnsweredWith403(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(c *Config)
		claims map[string]any
		want   int
	}{
		"all scopes":            {func(c *Config) { c.Scopes = []string{"a", "b"} }, map[string]any{"scope": "b x a"}, 200},
		"one is missing":        {func(c *Config) { c.Scopes = []string{"a", "b"} }, map[string]any{"scope": "a bb"}, 403},
		"scopes in a list":      {func(c *Config) { c.Scopes = []string{"a", "b"} }, map[string]any{"scope": []string{"a", "b"}}, 200},
		"no words in a list":    {func(c *Config) { c.Scopes = []string{"a", "b"} }, map[string]any{"scope": []string{"a b"}}, 403},
		"scopes in scp":         {func(c *Config) { c.Scopes = []string{"a"} }, map[string]any{"scp": "a"}, 200},
		"any scope":             {func(c *Config) { c.AnyScope = []string{"a", "b"} }, map[string]any{"scope": "b"}, 200},
		"none of them":          {func(c *Config) { c.AnyScope = []string{"a", "b"} }, map[string]any{"scope": "c"}, 403},
		"an object":             {func(c *Config) { c.AnyScope = []string{"a"} }, map[string]any{"scope": map[string]any{"a": true}}, 403},
		"a claim":               {func(c *Config) { c.RequiredClaims = []string{"email"} }, map[string]any{"email": ""}, 200},
		"no claim":              {func(c *Config) { c.RequiredClaims = []string{"email"} }, nil, 403},
		"a value":               {func(c *Config) { c.RequiredClaims = []string{"realm_access.roles=admin"} }, map[string]any{"realm_access": map[string]any{"roles": []string{"x", "admin"}}}, 200},
		"another value":         {func(c *Config) { c.RequiredClaims = []string{"realm_access.roles=admin"} }, map[string]any{"realm_access": map[string]any{"roles": []string{"administrator"}}}, 403},
		"a boolean":             {func(c *Config) { c.RequiredClaims = []string{"email_verified=true"} }, map[string]any{"email_verified": true}, 200},
		"one of several":        {func(c *Config) { c.RequiredClaims = []string{"role=a|b"} }, map[string]any{"role": "b"}, 200},
		"not that":              {func(c *Config) { c.RequiredClaims = []string{"role!=guest"} }, map[string]any{"role": "guest"}, 403},
		"anything but that":     {func(c *Config) { c.RequiredClaims = []string{"role!=guest"} }, nil, 200},
		"an expression":         {func(c *Config) { c.RequiredClaims = []string{`email~.*@shop\.example`} }, map[string]any{"email": "ann@shop.example"}, 200},
		"expressions are whole": {func(c *Config) { c.RequiredClaims = []string{`email~.*@shop\.example`} }, map[string]any{"email": "ann@shop.example.evil"}, 403},
	} {
		g := newGate(t, config(tt.change))
		token := signed(t, tt.claims)
		for range 2 { // the second one is known
			got := g.with(token)
			if got.status != tt.want || (got.seen != nil) != (tt.want == 200) {
				t.Errorf("%s: got %d, want %d: %s", name, got.status, tt.want, got.cause)
			}
			if tt.want == 403 && !strings.HasPrefix(got.challenge, `Bearer realm="fairway", error="insufficient_scope"`) {
				t.Errorf("%s: challenged by %s", name, got.challenge)
			}
		}
	}
	g := newGate(t, config(func(c *Config) { c.Scopes, c.AnyScope = []string{"a"}, []string{"b"} }))
	if got := g.with(signed(t, nil)); got.challenge != `Bearer realm="fairway", error="insufficient_scope", scope="a b"` {
		t.Errorf("challenged by %s", got.challenge)
	}
}

func TestJWT_WithoutATokenIsChallengedOrLetIn(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header = http.Header{"X-User": {"root"}, "X_user": {"root"}}
	if got := newGate(t, config(nil)).ask(r); got.status != 401 || got.challenge != `Bearer realm="fairway"` || got.seen != nil {
		t.Errorf("got %+v", got)
	}
	open := newGate(t, config(func(c *Config) { c.Optional, c.ForwardHeaders = true, map[string]string{"X-User": "sub"} }))
	got := open.ask(r)
	if got.status != 200 || got.seen == nil || len(got.seen.Header) != 0 || got.rec.Auth != "" {
		t.Errorf("optional: got %+v", got)
	}
	if len(r.Header) != 2 {
		t.Errorf("the head was not put back: %v", r.Header)
	}
	if got := open.with("a.b.c"); got.status != 401 {
		t.Errorf("optional, with a bad token: got %d", got.status)
	}
}

func TestJWT_TellsTheServiceAndHidesTheToken(t *testing.T) {
	g := newGate(t, config(func(c *Config) {
		c.TokenFrom = []string{"header:Authorization", "cookie:session", "query:token"}
		c.StripToken, c.ForwardHeaders = true, map[string]string{"X-User": "sub", "X-Roles": "roles"}
	}))
	token := signed(t, map[string]any{"roles": []string{"a", "b"}})
	requests := map[string]func(r *http.Request){
		"header": func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) },
		"cookie": func(r *http.Request) { r.Header.Set("Cookie", "a=b; session="+token) },
		"query":  func(r *http.Request) { r.URL.RawQuery = "x=1&token=" + token },
	}
	for name, put := range requests {
		r := httptest.NewRequest("GET", "http://shop.example/p?x=1", nil)
		r.Header = http.Header{"X-User": {"root", "admin"}, "X_user": {"root"}, "X-Roles": {"all"}}
		put(r)
		before := r.Header.Clone()
		got := g.ask(r)
		if got.status != 200 || got.seen.Header.Get("X-User") != "17" || got.seen.Header.Get("X-Roles") != "a,b" || len(got.seen.Header["X-User"]) != 1 || got.seen.Header["X_user"] != nil {
			t.Errorf("%s: got %d %v", name, got.status, got.seen)
		}
		if text := fmt.Sprint(got.seen.Header, got.seen.URL, got.seen.RequestURI); contains(text, token) {
			t.Errorf("%s: the service sees the token: %s", name, text)
		}
		if fmt.Sprint(before) != fmt.Sprint(r.Header) {
			t.Errorf("%s: the head was not put back", name)
		}
	}
}

func TestJWT_FindsConsumersAsTheyAreNow(t *testing.T) {
	g := newGate(t, config(func(c *Config) { c.GroupsClaim = "groups" }))
	token := signed(t, map[string]any{"groups": []string{"x"}})
	if got := g.with(token).rec; got.Identity.Consumer != nil || got.User != "17" || got.Auth != record.Passed || fmt.Sprint(got.Identity.Groups) != "[x]" {
		t.Errorf("got %+v", got.Identity)
	}
	g.know(map[string]*consumers.Config{"ann@file": {Claims: []string{"iss=" + issuerName, "sub=17"}, Groups: []string{"staff"}}})
	for range 2 {
		if got := g.with(token).rec.Identity; got.Consumer == nil || got.Consumer.Name != "ann@file" || fmt.Sprint(got.Groups) != "[staff x]" {
			t.Errorf("got %+v", got)
		}
	}
	g.know(map[string]*consumers.Config{"bob@file": {Claims: []string{"sub=18"}}})
	if got := g.with(token).rec.Identity; got.Consumer != nil || fmt.Sprint(got.Groups) != "[x]" {
		t.Errorf("got %+v", got)
	}
}

func TestJWT_SharedSecretsAreForHSOnly(t *testing.T) {
	g := newGate(t, config(shared))
	if got := g.with(sign(t, jwt.SigningMethodHS256, []byte(hsSecret), nil, said(nil))); got.status != 200 {
		t.Errorf("got %d: %s", got.status, got.cause)
	}
	for _, token := range []string{signed(t, nil), sign(t, jwt.SigningMethodHS256, []byte(hsSecret+"x"), nil, said(nil)), sign(t, jwt.SigningMethodHS256, []byte{}, nil, said(nil))} {
		if got := g.with(token); got.status != 401 {
			t.Errorf("got %d", got.status)
		}
	}
	both := newGate(t, config(func(c *Config) { shared(c); c.JWKS = jwksOf(map[string]*ecdsa.PrivateKey{"k": ours}) }))
	if got := both.with(sign(t, jwt.SigningMethodES256, ours, map[string]any{"kid": "k"}, said(nil))); got.status != 200 {
		t.Errorf("by the key beside the secret: got %d: %s", got.status, got.cause)
	}
}

func TestJWT_SeveralIssuers(t *testing.T) {
	g := newGate(t, config(func(c *Config) {
		c.Issuers = []Issuer{{Issuer: "https://other.example", Audiences: []string{"both"}, PublicKeys: []string{publicPEM(&theirs.PublicKey)}}}
	}))
	other := map[string]any{"iss": "https://other.example", "aud": "both"}
	for name, tt := range map[string]struct {
		token string
		want  int
	}{
		"the first":            {signed(t, nil), 200},
		"the second":           {sign(t, jwt.SigningMethodES256, theirs, nil, said(other)), 200},
		"by the other's key":   {sign(t, jwt.SigningMethodES256, ours, nil, said(other)), 401},
		"the other's audience": {sign(t, jwt.SigningMethodES256, theirs, nil, said(map[string]any{"iss": "https://other.example"})), 401},
	} {
		if got := g.with(tt.token); got.status != tt.want {
			t.Errorf("%s: got %d, want %d: %s", name, got.status, tt.want, got.cause)
		}
	}
}

func TestJWT_BoundToACertificate(t *testing.T) {
	cert := &x509.Certificate{Raw: []byte("the client's")}
	sum := sha256.Sum256(cert.Raw)
	bound := signed(t, map[string]any{"cnf": map[string]any{"x5t#S256": b64(sum[:])}})
	plain, must := newGate(t, config(nil)), newGate(t, config(func(c *Config) { c.CertificateBound = true }))
	for name, tt := range map[string]struct {
		gate  *gate
		token string
		cert  *x509.Certificate
		want  int
	}{
		"with it":               {plain, bound, cert, 200},
		"without it":            {plain, bound, nil, 401},
		"with another":          {plain, bound, &x509.Certificate{Raw: []byte("x")}, 401},
		"unbound":               {plain, signed(t, nil), nil, 200},
		"unbound where it must": {must, signed(t, nil), cert, 401},
		"bound where it must":   {must, bound, cert, 200},
		"bound by DPoP":         {plain, signed(t, map[string]any{"cnf": map[string]any{"jkt": b64(sum[:])}}), cert, 401},
		"bound by both":         {plain, signed(t, map[string]any{"cnf": map[string]any{"x5t#S256": b64(sum[:]), "jkt": "x"}}), cert, 401},
		"bound to nothing":      {must, signed(t, map[string]any{"cnf": map[string]any{}}), cert, 401},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+tt.token)
		if tt.cert != nil {
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{tt.cert}}
		}
		if got := tt.gate.ask(r); got.status != tt.want {
			t.Errorf("%s: got %d, want %d: %s", name, got.status, tt.want, got.cause)
		}
	}
}
