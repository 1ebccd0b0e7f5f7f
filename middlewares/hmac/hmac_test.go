package hmac

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	stdhmac "crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
	"github.com/traefik/paerser/types"

	"fairway/internal/consumers"
	"fairway/internal/record"
	"fairway/internal/secret"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

// example is the request of RFC 9421, appendix B.2.
func example(input, signature string) *http.Request {
	r := httptest.NewRequest("POST", "http://example.com/foo?param=Value&Pet=dog", strings.NewReader(`{"hello": "world"}`))
	r.Header = http.Header{
		"Date": {"Tue, 20 Apr 2021 02:07:55 GMT"}, "Content-Type": {"application/json"}, "Content-Length": {"18"}, "Signature-Input": {input}, "Signature": {signature},
		"Content-Digest": {"sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"},
	}
	return r
}

func unbase(t testing.TB, text string) []byte {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The vectors of RFC 9421, appendices B.2.5 and B.2.6.
func TestVerify_VectorsOfTheRFC(t *testing.T) {
	edPEM := "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----\n"
	ages := types.Duration(100 * 365 * 24 * time.Hour)
	shared := unbase(t, "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==")
	for name, tt := range map[string]struct {
		key              Key
		covers           []string
		input, signature string
	}{
		"B.2.5": {
			Key{ID: "test-shared-secret", Secret: secret.String(shared)},
			[]string{"date", "@authority", "content-type"},
			`sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"`, `sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:`,
		},
		"B.2.6": {
			Key{ID: "test-key-ed25519", PublicKey: edPEM},
			[]string{"@method", "@path"},
			`sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`,
			`sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:`,
		},
	} {
		c := &Config{Keys: []Key{tt.key}, RequiredComponents: tt.covers, MaxAge: ages, MaxBody: 1 << 20}
		status, rec := newGate(t, c).ask(example(tt.input, tt.signature))
		if status != 200 || rec.User != tt.key.ID {
			t.Errorf("%s: got %d: %s", name, status, rec.Cause)
		}
		bad := example(tt.input, tt.signature)
		bad.Header.Set("Content-Type", "text/plain")
		if status, _ := newGate(t, c).ask(bad); status != 401 {
			t.Errorf("%s, changed: got %d", name, status)
		}
	}
}

type gate struct {
	http.Handler
	env  middlewares.Env
	body string // that the service has read
}

func newGate(t testing.TB, c *Config) *gate {
	t.Helper()
	g := &gate{env: middlewarestest.Env("hmac")}
	h, err := c.New(t.Context(), g.env, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		g.body = string(text)
	}))
	if err != nil {
		t.Fatal(err)
	}
	g.Handler = h
	return g
}

func (g *gate) ask(r *http.Request) (int, *record.Record) {
	rec, w := &record.Record{}, httptest.NewRecorder()
	g.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
	return w.Code, rec
}

const ourSecret = "0123456789abcdef0123456789abcdef"

func config(change func(c *Config)) *Config {
	c := &Config{}
	c.SetDefaults()
	c.Keys = []Key{{ID: "k", Secret: ourSecret, Consumer: "ann"}}
	if change != nil {
		change(c)
	}
	return c
}

func bySecret(base []byte) []byte {
	mac := stdhmac.New(sha256.New, []byte(ourSecret))
	_, _ = mac.Write(base)
	return mac.Sum(nil)
}

const usual = `"@method" "@authority" "@path" "@query"`

// sign signs a request as a client does. params begin with a semicolon.
func sign(t testing.TB, r *http.Request, components, params string, by func([]byte) []byte) *http.Request {
	t.Helper()
	input := "(" + components + ")" + params
	d, err := httpsfv.UnmarshalDictionary([]string{"s=" + input})
	if err != nil {
		t.Fatal(err)
	}
	list, _ := d.Get("s")
	text, _, err := base(r, list.(httpsfv.InnerList))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Signature-Input", "s="+input)
	r.Header.Set("Signature", "s=:"+base64.StdEncoding.EncodeToString(by(text))+":")
	return r
}

func now(d time.Duration) string {
	return fmt.Sprintf(`;created=%d;keyid="k"`, time.Now().Add(d).Unix())
}

func get() *http.Request { return httptest.NewRequest("GET", "http://shop.example/a%20b?x=1&y=2", nil) }

func post(body, digest string) *http.Request {
	r := httptest.NewRequest("POST", "http://shop.example/", strings.NewReader(body))
	r.Header.Set("Content-Digest", digest)
	return r
}

func digestOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

func TestHMAC_RefusesWhatIsNotSignedAsItHasToBe(t *testing.T) {
	changed := func(r *http.Request, f func(r *http.Request)) *http.Request { f(r); return r }
	good := func() *http.Request { return sign(t, get(), usual, now(0), bySecret) }
	for name, tt := range map[string]struct {
		r      *http.Request
		change func(c *Config)
		status int
		cause  string
	}{
		"good":                 {good(), nil, 200, ""},
		"not signed":           {get(), nil, 401, "not signed"},
		"no input":             {changed(good(), func(r *http.Request) { r.Header.Del("Signature-Input") }), nil, 401, "not signed"},
		"another method":       {changed(good(), func(r *http.Request) { r.Method = "DELETE" }), nil, 401, "is wrong"},
		"another path":         {changed(good(), func(r *http.Request) { r.URL.Path = "/other" }), nil, 401, "is wrong"},
		"another query":        {changed(good(), func(r *http.Request) { r.URL.RawQuery = "x=2" }), nil, 401, "is wrong"},
		"another host":         {changed(good(), func(r *http.Request) { r.Host = "evil.example" }), nil, 401, "is wrong"},
		"host in capitals":     {changed(good(), func(r *http.Request) { r.Host = "SHOP.example:80" }), nil, 200, ""},
		"another signature":    {changed(good(), func(r *http.Request) { r.Header.Set("Signature", "s=:AAAA:") }), nil, 401, "is wrong"},
		"under another name":   {changed(good(), func(r *http.Request) { r.Header.Set("Signature", "t"+r.Header.Get("Signature")[1:]) }), nil, 401, "not written as one"},
		"no dictionary":        {changed(good(), func(r *http.Request) { r.Header.Set("Signature-Input", "(((") }), nil, 401, "cannot be read"},
		"no signature":         {changed(good(), func(r *http.Request) { r.Header.Set("Signature", "((") }), nil, 401, "cannot be read"},
		"an item":              {changed(good(), func(r *http.Request) { r.Header.Set("Signature-Input", "s=1") }), nil, 401, "not written as one"},
		"a text":               {changed(good(), func(r *http.Request) { r.Header.Set("Signature", `s="x"`) }), nil, 401, "not written as one"},
		"too little covered":   {sign(t, get(), `"@method" "@authority" "@path"`, now(0), bySecret), nil, 401, `does not cover "@query"`},
		"a parameter as cover": {sign(t, get(), `"@method" "@authority" "@path" "@query-param";name="x"`, now(0), bySecret), nil, 401, `does not cover "@query"`},
		"old":                  {sign(t, get(), usual, now(-6*time.Minute), bySecret), nil, 401, "too old"},
		"of the future":        {sign(t, get(), usual, now(time.Minute), bySecret), nil, 401, "of the future"},
		"a little ahead":       {sign(t, get(), usual, now(10*time.Second), bySecret), nil, 200, ""},
		"without a time":       {sign(t, get(), usual, `;keyid="k"`, bySecret), nil, 401, "when it was made"},
		"expired":              {sign(t, get(), usual, now(-time.Minute)+fmt.Sprintf(";expires=%d", time.Now().Add(-time.Second).Unix()), bySecret), nil, 401, "expired"},
		"another key":          {sign(t, get(), usual, fmt.Sprintf(`;created=%d;keyid="other"`, time.Now().Unix()), bySecret), nil, 401, "no signature is by a key"},
		"no key":               {sign(t, get(), usual, fmt.Sprintf(`;created=%d`, time.Now().Unix()), bySecret), nil, 401, "no signature is by a key"},
		"another algorithm":    {sign(t, get(), usual, now(0)+`;alg="ed25519"`, bySecret), nil, 401, "is not for"},
		"the algorithm":        {sign(t, get(), usual, now(0)+`;alg="hmac-sha256"`, bySecret), nil, 200, ""},
		"another tag":          {sign(t, get(), usual, now(0)+`;tag="x"`, bySecret), func(c *Config) { c.Tag = "shop" }, 401, "is for"},
		"the tag":              {sign(t, get(), usual, now(0)+`;tag="shop"`, bySecret), func(c *Config) { c.Tag = "shop" }, 200, ""},
		"no nonce":             {good(), func(c *Config) { c.RequireNonce = true }, 401, "no nonce"},
		"a body":               {sign(t, post("x", digestOf("x")), usual+` "content-digest"`, now(0), bySecret), nil, 200, ""},
		"a body, not covered":  {sign(t, post("x", digestOf("x")), usual, now(0), bySecret), nil, 401, `does not cover "content-digest"`},
		"another body":         {sign(t, post("y", digestOf("x")), usual+` "content-digest"`, now(0), bySecret), nil, 401, "not that of Content-Digest"},
		"a weak digest":        {sign(t, post("x", "md5=:AAAA:"), usual+` "content-digest"`, now(0), bySecret), nil, 401, "neither sha-256 nor sha-512"},
		"one digest of two":    {sign(t, post("x", digestOf("x")+", sha-512=:AAAA:"), usual+` "content-digest"`, now(0), bySecret), nil, 401, "not that of Content-Digest"},
		"a long body":          {sign(t, post("xxxx", digestOf("xxxx")), usual+` "content-digest"`, now(0), bySecret), func(c *Config) { c.MaxBody = 3 }, 413, "longer"},
		"a body that may":      {sign(t, post("x", ""), usual, now(0), bySecret), func(c *Config) { c.RequireDigest = false }, 200, ""},
		"not signed, optional": {get(), func(c *Config) { c.Optional = true }, 200, ""},
		"wrong, optional":      {changed(good(), func(r *http.Request) { r.Method = "PUT" }), func(c *Config) { c.Optional = true }, 401, "is wrong"},
	} {
		g := newGate(t, config(tt.change))
		status, rec := g.ask(tt.r)
		if status != tt.status || !strings.Contains(rec.Cause, tt.cause) || (rec.Identity != nil) != (status == 200 && !strings.Contains(name, "not signed")) {
			t.Errorf("%s: got %d %q %+v, want %d %q", name, status, rec.Cause, rec.Identity, tt.status, tt.cause)
		}
	}
}

func TestHMAC_ReservedComponentsAreRefused(t *testing.T) {
	for _, components := range []string{`"@status"`, `"@method";req`, `"x";bs`, `"X-Upper"`, `"@method" "@method"`, `1`, `"not-there"`, `"@query-param"`, `"@query-param";name="z"`, strings.Repeat(`"@method";a=1 `, 70)} {
		r := get()
		r.Header.Set("Signature-Input", "s=("+components+")"+now(0))
		r.Header.Set("Signature", "s=:AAAA:")
		if status, rec := newGate(t, config(nil)).ask(r); status != 401 || strings.Contains(rec.Cause, "is wrong") {
			t.Errorf("%s: got %d %q", components, status, rec.Cause)
		}
	}
}

func TestHMAC_TakesANonceOnce(t *testing.T) {
	g := newGate(t, config(nil))
	one := func(nonce string) int {
		status, _ := g.ask(sign(t, get(), usual, now(0)+`;nonce="`+nonce+`"`, bySecret))
		return status
	}
	if one("a") != 200 || one("a") != 401 || one("b") != 200 {
		t.Error("a nonce is not taken once")
	}
	wrong := sign(t, get(), usual, now(0)+`;nonce="c"`, func([]byte) []byte { return []byte("x") })
	if status, _ := g.ask(wrong); status != 401 {
		t.Errorf("got %d", status)
	}
	if one("c") != 200 {
		t.Error("somebody without the key has used up a nonce")
	}
}

func TestHMAC_PublicKeysAndConsumers(t *testing.T) {
	edPublic, ed, _ := ed25519.GenerateKey(rand.Reader)
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	r2048, _ := rsa.GenerateKey(rand.Reader, 2048)
	raw := func(k *ecdsa.PrivateKey, sum []byte) []byte {
		r, s, err := ecdsa.Sign(rand.Reader, k, sum)
		if err != nil {
			t.Fatal(err)
		}
		size := k.Curve.Params().BitSize / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	}
	for name, tt := range map[string]struct {
		public    crypto.PublicKey
		algorithm string
		by        func([]byte) []byte
	}{
		"ed25519":           {edPublic, "", func(b []byte) []byte { return ed25519.Sign(ed, b) }},
		"ecdsa-p256-sha256": {&p256.PublicKey, "", func(b []byte) []byte { s := sha256.Sum256(b); return raw(p256, s[:]) }},
		"ecdsa-p384-sha384": {&p384.PublicKey, "", func(b []byte) []byte { s := sha512.Sum384(b); return raw(p384, s[:]) }},
		"rsa-pss-sha512": {&r2048.PublicKey, "", func(b []byte) []byte {
			s := sha512.Sum512(b)
			sig, _ := rsa.SignPSS(rand.Reader, r2048, crypto.SHA512, s[:], &rsa.PSSOptions{SaltLength: 64})
			return sig
		}},
		"rsa-v1_5-sha256": {&r2048.PublicKey, "rsa-v1_5-sha256", func(b []byte) []byte {
			s := sha256.Sum256(b)
			sig, _ := rsa.SignPKCS1v15(rand.Reader, r2048, crypto.SHA256, s[:])
			return sig
		}},
	} {
		der, _ := x509.MarshalPKIXPublicKey(tt.public)
		text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		g := newGate(t, config(func(c *Config) { c.Keys = []Key{{ID: "k", PublicKey: text, Algorithm: tt.algorithm, Consumer: "ann"}} }))
		g.env.Consumers.Store(consumers.New(map[string]*consumers.Config{"ann@docker": {Groups: []string{"staff"}}}, nil))
		status, rec := g.ask(sign(t, get(), usual, now(0)+`;alg="`+name+`"`, tt.by))
		if status != 200 || rec.Identity.Consumer == nil || rec.Identity.Consumer.Name != "ann@docker" {
			t.Errorf("%s: got %d: %s", name, status, rec.Cause)
		}
		if status, _ := g.ask(sign(t, get(), usual, now(0), func(b []byte) []byte { s := tt.by(b); s[0] ^= 1; return s })); status != 401 {
			t.Errorf("%s, wrong: got %d", name, status)
		}
	}
}

func TestHMAC_TheServiceReadsTheBody(t *testing.T) {
	g := newGate(t, config(nil))
	if status, rec := g.ask(sign(t, post("hello", digestOf("hello")), usual+` "content-digest"`, now(0), bySecret)); status != 200 || g.body != "hello" {
		t.Errorf("got %d %q: %s", status, g.body, rec.Cause)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(`s=("@method" "@authority" "@path" "@query");created=1;keyid="k"`, `s=:AAAA:`, "")
	f.Add(`s=("@query-param";name="x" "content-digest");created=1;keyid="k";nonce="n"`, `s=:AAAA:`, "sha-256=:AAAA:")
	f.Add(`s=(), t=1`, `s=1;a, t=:`, "x")
	g := newGate(f, config(func(c *Config) { c.MaxAge = types.Duration(100 * 365 * 24 * time.Hour) }))
	f.Fuzz(func(t *testing.T, input, signature, digest string) {
		r := post("x", digest)
		r.Header["Signature-Input"], r.Header["Signature"] = []string{input}, []string{signature}
		if status, rec := g.ask(r); status != 401 || rec.Identity != nil {
			t.Errorf("got %d", status)
		}
	})
}
