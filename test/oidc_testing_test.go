//go:build e2e

package test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// echoService shows what it sees.
func echoService(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, `<!doctype html><title>shop</title><a id="out" href="/oauth2/logout">Log out</a><pre id="seen">`)
		_ = json.NewEncoder(w).Encode(map[string]any{"target": r.RequestURI, "header": r.Header})
		_, _ = io.WriteString(w, "</pre>")
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// oidcRoutes has a route at localhost, with and without TLS. options are those of the middleware
// beside the usual ones, in YAML.
func oidcRoutes(t *testing.T, issuer, options string) string {
	t.Helper()
	return routesIn(t, strings.NewReplacer("@", "`", "ISSUER", issuer, "BACKEND", echoService(t), "OPTIONS", options).Replace(`http:
  routers:
    shop: {rule: Host(@localhost@), service: s, middlewares: [login], entryPoints: [web]}
    safe: {rule: Host(@localhost@), service: s, middlewares: [login], entryPoints: [websecure], tls: {}}
  services: {s: {loadBalancer: {servers: [{url: 'BACKEND'}]}}}
  middlewares:
    login: {oidc: {issuer: 'ISSUER', clientID: shop, clientSecret: 's3cret: of & shop', forwardHeaders: {X-User: preferred_username}, OPTIONS}}
`))
}

// visitor is somebody with a browser that shows nothing, but follows redirects and has cookies.
type visitor struct {
	t      *testing.T
	at     string
	client *http.Client
}

func newVisitor(t *testing.T, f *fairway) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(f.address("web"))
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &visitor{t, "http://localhost:" + port, &http.Client{Jar: jar, Timeout: 20 * time.Second, Transport: transport}}
}

// sight is what a visitor sees in the end.
type sight struct {
	status int
	url    *url.URL
	text   string
}

func (v *visitor) do(req *http.Request) sight {
	v.t.Helper()
	req.Header.Set("Accept", "text/html")
	res, err := v.client.Do(req)
	if err != nil {
		v.t.Error(err)
		return sight{url: req.URL}
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return sight{res.StatusCode, res.Request.URL, string(text)}
}

// get opens a path of the gateway, or a whole address.
func (v *visitor) get(path string) sight {
	v.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = v.at + path
	}
	req, err := http.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.do(req)
}

// submit fills in the login page of the provider.
func (v *visitor) submit(p sight, user string) sight {
	v.t.Helper()
	if !strings.Contains(p.text, "Log in at the provider") {
		v.t.Errorf("at %s is no login page: %d %s", p.url, p.status, p.text)
		return p
	}
	form := url.Values{"username": {user}, "password": {"secret-of-" + user}}
	req, err := http.NewRequest(http.MethodPost, p.url.String(), strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.do(req)
}

func (v *visitor) login(path, user string) sight {
	v.t.Helper()
	return v.submit(v.get(path), user)
}

// is tells whether a page is that of the service, for a user.
func (p sight) is(user string) bool {
	return p.status == 200 && strings.Contains(p.text, `"X-User":["`+user+`"]`)
}

// hold has the visitor follow no redirect from there, and returns the address that one leads to.
func (v *visitor) hold(until string, f func()) (address string) {
	v.client.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(req.URL.String(), v.at+until) {
			address = req.URL.String()
			return http.ErrUseLastResponse
		}
		return nil
	}
	defer func() { v.client.CheckRedirect = nil }()
	f()
	return address
}
