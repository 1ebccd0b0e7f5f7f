package oidc

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"fairway/internal/oidctest"
	"fairway/internal/record"
	"fairway/internal/secret"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

// gate is the middleware in front of a service, and its provider.
type gate struct {
	*testing.T
	http.Handler
	p   *oidctest.Provider
	env middlewares.Env

	mu  sync.Mutex
	now time.Time // zero: as it is

	clock *gate // whose time it is; nil: its own
}

func newGate(t *testing.T, change func(c *Config)) *gate {
	t.Helper()
	return gateOf(t, oidctest.New(t), middlewarestest.Env("login"), change)
}

func gateOf(t *testing.T, p *oidctest.Provider, env middlewares.Env, change func(c *Config)) *gate {
	t.Helper()
	g := &gate{T: t, p: p, env: env}
	c := &Config{}
	c.SetDefaults()
	c.Issuer, c.ClientID, c.ClientSecret = p.URL, p.ClientID, secret.String(p.ClientSecret)
	if change != nil {
		change(c)
	}
	h, err := c.New(t.Context(), g.env, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60, s-maxage=3600")
		if seen, ok := r.Context().Value(seenKey{}).(**http.Request); ok {
			*seen = r.Clone(r.Context())
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	h.(*handler).now = g.time
	p.Change(func(o *oidctest.Options) { o.Now = g.time })
	g.Handler = h
	return g
}

type seenKey struct{}

func (g *gate) time() time.Time {
	if g.clock != nil {
		return g.clock.time()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now.IsZero() {
		return time.Now()
	}
	return g.now
}

// later puts the clock of the gateway forward.
func (g *gate) later(by time.Duration) {
	now := g.time()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now = now.Add(by)
}

// browser keeps cookies, and asks the gateway as shop.example and the provider as itself.
type browser struct {
	g      *gate
	jar    *cookiejar.Jar
	scheme string
	host   string
	lines  []string // Set-Cookie of the gateway
}

func (g *gate) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		g.Fatal(err)
	}
	return &browser{g: g, jar: jar, scheme: "http", host: "shop.example"}
}

// outcome is what became of a request, and of the last one where there were several.
type outcome struct {
	status        int
	header        http.Header
	body          string
	location      string
	url           string
	rec           *record.Record
	seen          *http.Request // by the service; nil: it was not asked
	before, after http.Header
}

var navigation = http.Header{"Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"}}

func (b *browser) get(path string) outcome { return b.ask("GET", path, navigation, "") }

// ask asks the gateway once.
func (b *browser) ask(method, path string, header http.Header, body string) outcome {
	b.g.Helper()
	at := path
	if strings.HasPrefix(path, "/") {
		at = b.scheme + "://" + b.host + path
	}
	u, err := url.Parse(at)
	if err != nil {
		b.g.Fatal(err)
	}
	var seen *http.Request
	r := httptest.NewRequest(method, at, strings.NewReader(body))
	for name, values := range header {
		r.Header[name] = append([]string{}, values...)
	}
	for _, c := range b.jar.Cookies(u) {
		r.Header["Cookie"] = append(r.Header["Cookie"], c.Name+"="+c.Value)
	}
	r.Header.Set("X-Forwarded-Proto", b.scheme)
	rec, w := &record.Record{}, httptest.NewRecorder()
	ctx := record.With(contextWith(r, &seen), rec)
	before := r.Header.Clone()
	b.g.ServeHTTP(w, r.WithContext(ctx))
	res := w.Result()
	b.jar.SetCookies(u, res.Cookies())
	b.lines = append(b.lines, res.Header["Set-Cookie"]...)
	return outcome{w.Code, res.Header, w.Body.String(), res.Header.Get("Location"), at, rec, seen, before, r.Header}
}

// provider asks the provider; a form is sent by POST.
func (b *browser) provider(at string, form url.Values) (location, text string) {
	b.g.Helper()
	c := &http.Client{Jar: b.jar, Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Get(at)
	if form != nil {
		_ = res.Body.Close()
		res, err = c.PostForm(at, form)
	}
	if err != nil {
		b.g.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res.Header.Get("Location"), string(body)
}

// approve logs in at the provider, where the gateway has sent the browser, and returns the
// address that it sends back to.
func (b *browser) approve(at, user string) string {
	b.g.Helper()
	if back, _ := b.provider(at, nil); back != "" { // the provider knows the browser
		return back
	}
	back, text := b.provider(at, url.Values{"username": {user}, "password": {"secret-of-" + user}})
	if back == "" {
		b.g.Fatalf("no way back: %s", text)
	}
	return back
}

// login asks for a path, logs in, and follows to the end.
func (b *browser) login(path, user string) outcome {
	b.g.Helper()
	sent := b.get(path)
	if sent.status != 302 {
		b.g.Fatalf("got %d: %s", sent.status, sent.rec.Cause)
	}
	got := b.get(b.approve(sent.location, user))
	if got.status != 302 {
		return got
	}
	return b.get(got.location)
}

// session is the text of the session's cookie.
func (b *browser) session() string { return b.g.Handler.(*handler).jar.find(b.request()) }

// request is one with the cookies of the browser.
func (b *browser) request() *http.Request {
	r := httptest.NewRequest("GET", b.scheme+"://"+b.host+"/", nil)
	r.Header.Set("X-Forwarded-Proto", b.scheme)
	for _, c := range b.jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	return r
}

func (o outcome) String() string { return fmt.Sprint(o.status, " ", o.location, " ", o.rec.Cause) }

func contextWith(r *http.Request, seen **http.Request) context.Context {
	return context.WithValue(r.Context(), seenKey{}, seen)
}
