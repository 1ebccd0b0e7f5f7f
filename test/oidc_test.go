//go:build e2e

package test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fairway/internal/oidctest"
	"fairway/internal/redistest"
)

const sessionSecret = "sessionSecrets: [made-by-openssl-rand-base64-32-0]"

func TestOIDC_LoginsThatAreNotWhatTheySeem(t *testing.T) {
	p := oidctest.New(t)
	f := startFairway(t, "--entrypoints.websecure.address=127.0.0.1:0", oidcRoutes(t, p.URL, sessionSecret))
	f.await("the route", func() bool { return f.get("localhost", "/").status == 401 })
	ann := newVisitor(t, f)
	back := ann.hold("/oauth2/callback", func() { ann.login("/cart?x=1", "ann") })
	if got := newVisitor(t, f).get(back); got.status != 400 {
		t.Errorf("in another browser: got %d", got.status)
	}
	if got := ann.get(back); !got.is("ann") || got.url.RequestURI() != "/cart?x=1" {
		t.Fatalf("got %d at %s: %s", got.status, got.url, got.text)
	}
	if got := ann.get(back); got.status != 400 {
		t.Errorf("a second time: got %d", got.status)
	}
	req, _ := http.NewRequest(http.MethodGet, ann.at+"/", nil)
	req.Header["X-User"], req.Header["X_User"], req.Header["x-user"], req.Header["Connection"] = []string{"root", "admin"}, []string{"root"}, []string{"root"}, []string{"X-User"}
	if got := ann.do(req); !got.is("ann") || strings.Contains(got.text, "root") || strings.Contains(got.text, "admin") {
		t.Errorf("who says that he is somebody else: got %d %s", got.status, got.text)
	}

	eve := newVisitor(t, f)
	code, _ := url.Parse(back)
	other, _ := url.Parse(eve.hold("/oauth2/callback", func() { eve.login("/", "bob") }))
	query := other.Query()
	query.Set("code", code.Query().Get("code"))
	other.RawQuery = query.Encode()
	if got := eve.get(other.String()); got.status != 401 || strings.Contains(got.text, "code") {
		t.Errorf("with a code that was used: got %d %s", got.status, got.text)
	}
	p.Change(func(o *oidctest.Options) { o.Issuer = "https://evil.example" })
	if got := newVisitor(t, f).login("/", "bob"); got.status != 401 || strings.Contains(got.text, "evil") {
		t.Errorf("by another issuer: got %d %s", got.status, got.text)
	}
	p.Change(func(o *oidctest.Options) { o.Issuer = "" })
	if got := newVisitor(t, f).login("/", "bob"); !got.is("bob") {
		t.Errorf("got %d", got.status)
	}
	u, _ := url.Parse(ann.at)
	for _, c := range ann.client.Jar.Cookies(u) {
		half := len(c.Value) / 2
		c.Value = c.Value[:half] + string(c.Value[half]^1) + c.Value[half+1:]
		ann.client.Jar.SetCookies(u, []*http.Cookie{{Name: c.Name, Value: c.Value, Path: "/"}})
	}
	if got := ann.hold("/oauth2/callback", func() { ann.get("/") }); got == "" {
		t.Error("a changed cookie is taken")
	}
}

func TestOIDC_ExpiredSessionsAndTheProviderAway(t *testing.T) {
	p := oidctest.New(t)
	p.Change(func(o *oidctest.Options) { o.NoRefresh, o.Away = true, true })
	f := startFairway(t, "--entrypoints.websecure.address=127.0.0.1:0", oidcRoutes(t, p.URL, "lifetime: 4s"))
	f.await("the route", func() bool { return f.get("localhost", "/").status == 401 })
	ann := newVisitor(t, f)
	if got := ann.get("/"); got.status != 503 {
		t.Errorf("while nothing is known of the provider: got %d", got.status)
	}
	p.Change(func(o *oidctest.Options) { o.Away = false })
	f.await("the provider to be asked again", func() bool { return ann.get("/").status == 200 })
	began := time.Now()
	if got := ann.login("/", "ann"); !got.is("ann") {
		t.Fatalf("got %d %s", got.status, got.text)
	}
	p.Change(func(o *oidctest.Options) { o.Away = true })
	if got := ann.get("/"); !got.is("ann") {
		t.Errorf("who is in, while it is away: got %d", got.status)
	}
	if got := newVisitor(t, f).get("/"); got.status != 502 || got.url.Host == "localhost" { // the answer of the provider
		t.Errorf("who comes: got %d at %s", got.status, got.url)
	}
	time.Sleep(time.Until(began.Add(5 * time.Second))) // the lifetime of the session
	p.Change(func(o *oidctest.Options) { o.Away = false; o.Passwords = nil })
	p.Forget()
	if got := ann.get("/"); got.is("ann") || !strings.Contains(got.text, "Log in at the provider") {
		t.Errorf("a session that has lasted its time: got %d", got.status)
	}
}

// Tokens last two seconds, keys change all the time: nobody notices.
func TestOIDC_KeysChangeWhileRequestsFlow(t *testing.T) {
	p := oidctest.New(t)
	p.Change(func(o *oidctest.Options) { o.Lasts = 2 * time.Second })
	f := startFairway(t, "--entrypoints.websecure.address=127.0.0.1:0", oidcRoutes(t, p.URL, "forwardAccessToken: true"))
	f.await("the route", func() bool { return f.get("localhost", "/").status == 401 })
	var people []*visitor
	for range 3 {
		v := newVisitor(t, f)
		if got := v.login("/", "ann"); !got.is("ann") {
			t.Fatalf("got %d %s", got.status, got.text)
		}
		people = append(people, v)
	}
	asked := p.Asked("/token")
	var over atomic.Bool
	var requests atomic.Int32
	var all sync.WaitGroup
	for _, v := range people {
		for range 4 { // parts of a page, at once
			all.Go(func() {
				for !over.Load() {
					if got := v.get("/"); !got.is("ann") {
						t.Errorf("got %d at %s", got.status, got.url)
						return
					}
					requests.Add(1)
					time.Sleep(5 * time.Millisecond)
				}
			})
		}
	}
	for range 3 {
		time.Sleep(2500 * time.Millisecond)
		p.Rotate()
	}
	time.Sleep(2500 * time.Millisecond)
	over.Store(true)
	all.Wait()
	refreshed := p.Asked("/token") - asked
	t.Logf("%d requests, %d refreshes", requests.Load(), refreshed)
	if refreshed < 6 || refreshed > 40 {
		t.Errorf("%d refreshes", refreshed)
	}
}

func TestOIDC_SessionsInRedisAreThoseOfAllGateways(t *testing.T) {
	p := oidctest.New(t)
	store := redistest.New(t)
	routes := oidcRoutes(t, p.URL, sessionSecret+", redis: {address: '"+store.Address+"', password: "+redistest.Password+"}")
	port := freePort(t)
	first := startFairway(t, "--entrypoints.websecure.address=127.0.0.1:0", "--entrypoints.web.address=127.0.0.1:"+port, routes)
	second := startFairway(t, "--entrypoints.websecure.address=127.0.0.1:0", routes)
	for _, f := range []*fairway{first, second} {
		f.await("the route", func() bool { return f.get("localhost", "/").status == 401 })
	}
	ann := newVisitor(t, first)
	if got := ann.login("/", "ann"); !got.is("ann") {
		t.Fatalf("got %d %s", got.status, got.text)
	}
	here := ann.at
	ann.at = newVisitor(t, second).at
	if got := ann.get("/"); !got.is("ann") {
		t.Errorf("at the other one: got %d", got.status)
	}
	ann.at = here
	_ = first.cmd.Process.Kill()
	first.wait()
	first = startFairway(t, "--entrypoints.websecure.address=127.0.0.1:0", "--entrypoints.web.address=127.0.0.1:"+port, routes)
	first.await("the route", func() bool { return first.get("localhost", "/").status == 401 })
	if got := ann.get("/"); !got.is("ann") {
		t.Errorf("after a start anew: got %d", got.status)
	}
	res, err := http.PostForm("http://"+second.address("web")+"/oauth2/backchannel-logout", url.Values{"logout_token": {p.Sign(p.LogoutToken("ann", ""))}})
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 404 { // no router for that host
		t.Errorf("got %d", res.StatusCode)
	}
	res, err = http.PostForm(newVisitor(t, second).at+"/oauth2/backchannel-logout", url.Values{"logout_token": {p.Sign(p.LogoutToken("ann", ""))}})
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	p.Forget()
	if got := ann.get("/"); res.StatusCode != 200 || got.is("ann") {
		t.Errorf("after a logout at the other one, %d: got %d", res.StatusCode, got.status)
	}
	ann.login("/", "ann")
	store.Stop()
	if got := ann.get("/"); got.status != 503 {
		t.Errorf("while Redis is away: got %d", got.status)
	}
}

func TestOIDC_KeepsSecrets(t *testing.T) {
	f := startFairway(t, "--log.level=DEBUG", "--accesslog", routesIn(t, strings.NewReplacer("@", "`", "~", "@", "CANARY", canary).Replace(`http:
  routers:
    shop: {rule: Host(@localhost@), service: s, middlewares: [other]}
    none: {rule: Host(@none.test@), service: s, middlewares: [login]}
    blog: {rule: Host(@blog.test@), service: s, middlewares: [other]}
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:1'}]}}}
  middlewares:
    login: {oidc: {issuer: 'http://u:CANARY~127.0.0.1:1/x?key=CANARY', clientID: shop, clientSecret: CANARY, sessionSecrets: [CANARY-CANARY-CANARY-CANARY-CANARY]}}
    other: {oidc: {issuer: 'http://127.0.0.1:1', clientID: shop, clientSecret: CANARY, redis: {address: '127.0.0.1:1', password: CANARY}}}
`)))
	v := newVisitor(t, f)
	f.await("a login that fails", func() bool { return v.get("/").status == 503 })
	f.problem("issuer", "which no issuer has")
	f.await("it to be logged", func() bool { return strings.Contains(f.text(), "metadata of the issuer") })
	a, err := ask(fresh, "http://"+f.address("web")+"/oauth2/callback?code="+canary+"&state="+canary, "blog.test")
	if err != nil || a.status != 400 {
		t.Errorf("got %d, %v", a.status, err)
	}
	all := f.answers(t, "rawdata", "http/middlewares", "http/middlewares/login@file", "http/middlewares/other@file", "problems", "changes")
	all["the log"] = f.text()
	for where, text := range all {
		if where == "the log" { // the access log has what clients ask for
			text = strings.ReplaceAll(text, "/oauth2/callback?code="+canary+"&state="+canary, "")
		}
		if at := strings.Index(text, canary); at >= 0 {
			t.Errorf("%s shows it: …%s…", where, text[max(at-300, 0):at+len(canary)])
		}
	}
}
