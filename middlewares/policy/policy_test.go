package policy

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"fairway/internal/identity"
	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

func built(t testing.TB, c *Config) http.Handler {
	t.Helper()
	h, err := c.New(t.Context(), middlewarestest.Env("policy"), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// request is one with something to say of everything.
func request() *http.Request {
	r := httptest.NewRequest("POST", "https://shop.example/cart/1?a=1&a=2&b=x", strings.NewReader("body"))
	r.Header = http.Header{"X-Version": {"2", "3"}, "User-Agent": {"curl"}}
	r.TLS = &tls.ConnectionState{ServerName: "shop.example", PeerCertificates: []*x509.Certificate{{Subject: pkix.Name{CommonName: "ann"}}}}
	who := &identity.Identity{
		Method: "jwt", Subject: "17", Groups: []string{"staff", "admins"}, Claims: map[string]any{"level": json.Number("3"), "part": json.Number("1.5"), "a": map[string]any{"b": []any{json.Number("1"), "x"}}},
		Consumer: &identity.Consumer{Name: "ann@file", Plan: "gold", Labels: map[string]string{"team": "a"}},
	}
	rec := &record.Record{Host: "shop.example", ClientIP: netip.MustParseAddr("::ffff:10.1.2.3"), Identity: who}
	return r.WithContext(record.With(r.Context(), rec))
}

func TestPolicy_SeesAllThatItIsAbout(t *testing.T) {
	for _, tt := range []struct {
		text string
		want bool
	}{
		{`request.method == "POST" && request.path == "/cart/1" && request.host == "shop.example" && request.scheme == "https"`, true},
		{`request.ip == "10.1.2.3" && inNetwork(request.ip, "10.0.0.0/8") && !inNetwork(request.ip, "192.0.2.0/24")`, true},
		{`request.size == 4`, true},
		{`request.headers["x-version"] == "2, 3"`, true},
		{`"x-nothing" in request.headers`, false},
		{`request.query["a"] == "1, 2" && request.query.b == "x"`, true},
		{`request.path.startsWith("/cart/") && request.path.matches("^/cart/[0-9]+$")`, true},
		{`identity.known && identity.subject == "17" && identity.method == "jwt" && "staff" in identity.groups`, true},
		{`identity.groups.exists(g, g == "nobody")`, false},
		{`consumer.name == "ann@file" && consumer.plan == "gold" && consumer.labels["team"] == "a"`, true},
		{`claims.level >= 3 && claims.part > 1.0 && claims.a.b[0] == 1`, true},
		{`has(claims.nothing) || claims.?nothing.orValue("") == "x"`, false},
		{`tls.used && tls.serverName == "shop.example" && tls.clientSubject == "CN=ann"`, true},
		{`now > timestamp("2026-01-01T00:00:00Z") && now.getHours("Europe/Berlin") < 24`, true},
	} {
		w := httptest.NewRecorder()
		built(t, &Config{Allow: tt.text, Status: 403}).ServeHTTP(w, request())
		if got := w.Code == 200; got != tt.want {
			t.Errorf("%s: got %d", tt.text, w.Code)
		}
	}
}

func TestPolicy_OfNobodyIsEmpty(t *testing.T) {
	r := httptest.NewRequest("GET", "http://a.example/", nil)
	for _, text := range []string{
		`!identity.known && identity.subject == "" && identity.groups.size() == 0 && consumer.name == "" && consumer.labels.size() == 0 && claims.size() == 0`,
		`!tls.used && tls.serverName == "" && tls.clientSubject == "" && request.scheme == "http" && request.ip == "" && request.host == "a.example"`,
	} {
		w := httptest.NewRecorder()
		built(t, &Config{Allow: text, Status: 403}).ServeHTTP(w, r)
		if w.Code != 200 {
			t.Errorf("%s: got %d", text, w.Code)
		}
	}
}

func TestPolicy_ThatFailsLetsNobodyPass(t *testing.T) {
	long := `[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, [1,2,3,4,5,6,7,8,9,10].all(e, a+b+c+d+e > 0)))))`
	for name, c := range map[string]*Config{
		"no claim": {Allow: `claims.nothing == "x"`}, "no claim, denied": {Deny: `claims.nothing == "x"`}, "no address": {Allow: `inNetwork(request.host, "10.0.0.0/8")`},
		"no network": {Deny: `inNetwork(request.ip, "x")`}, "another type": {Allow: `claims.level.startsWith("x")`}, "too long": {Allow: long},
	} {
		c.Status = 403
		r, w := request(), httptest.NewRecorder()
		built(t, c).ServeHTTP(w, r)
		if rec := record.From(r.Context()); w.Code != 403 || rec.Cause == "" || rec.Auth != record.Refused {
			t.Errorf("%s: got %d, cause %q", name, w.Code, rec.Cause)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{`request.method == "GET"`, `claims.a.b[0] in [1, 2]`, `has(claims.x) ? true : false`, `inNetwork("", "")`, `request.headers.all(h, h.size() > 0)`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := (&Config{Allow: text, Status: 403}).New(t.Context(), middlewarestest.Env("policy"), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request())
		if w.Code != 200 && w.Code != 403 {
			t.Errorf("got %d", w.Code)
		}
	})
}
