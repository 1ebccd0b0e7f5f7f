package oidc

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"fairway/internal/oidctest"
	"fairway/middlewares/middlewarestest"
)

// sentBack begins a login and returns the address that the provider sends back to.
func (b *browser) sentBack(path string) string {
	b.g.Helper()
	return b.approve(b.get(path).location, "ann")
}

func TestLogin_TabsDoNotDisturbEachOther(t *testing.T) {
	g := newGate(t, nil)
	b := g.browser()
	first, second := b.get("/first"), b.get("/second")
	backOfSecond := b.approve(second.location, "ann")
	backOfFirst := b.approve(first.location, "ann")
	if got := b.get(backOfFirst); got.status != 302 || got.location != "/first" {
		t.Errorf("got %v", got)
	}
	if got := b.get(backOfSecond); got.status != 302 || got.location != "/second" {
		t.Errorf("got %v", got)
	}
	for range 20 { // nor do they fill the browser
		g.browser()
		b.get("/oauth2/login")
	}
	r, _ := url.Parse("http://shop.example/")
	if n := len(b.jar.Cookies(r)); n > mostAttempts+1 {
		t.Errorf("%d cookies", n)
	}
}

func TestLogin_IsOfUseOnceAndInItsBrowserOnly(t *testing.T) {
	g := newGate(t, nil)
	b := g.browser()
	back := b.sentBack("/cart")
	if got := g.browser().get(back); got.status != 400 || !strings.Contains(got.rec.Cause, "no login under way") || b64of(got) {
		t.Errorf("in another browser: got %v", got)
	}
	stolen := g.browser()
	u, _ := url.Parse("http://shop.example/")
	stolen.jar.SetCookies(u, b.jar.Cookies(u))
	if got := b.get(back); got.status != 302 || got.location != "/cart" {
		t.Fatalf("got %v", got)
	}
	if got := b.get(back); got.status != 400 || b64of(got) {
		t.Errorf("again: got %v", got)
	}
	asked := g.p.Asked("/token")
	if got := stolen.get(back); got.status != 400 || !strings.Contains(got.rec.Cause, "over already") || g.p.Asked("/token") != asked {
		t.Errorf("with cookies of before: got %v", got)
	}
}

func TestLogin_ACodeIsOfUseOnce(t *testing.T) {
	g := newGate(t, nil)
	b, other := g.browser(), g.browser()
	back, _ := url.Parse(b.sentBack("/"))
	theirs, _ := url.Parse(other.sentBack("/"))
	query := theirs.Query()
	query.Set("code", back.Query().Get("code")) // a code that somebody has seen
	theirs.RawQuery = query.Encode()
	if got := other.get(theirs.String()); got.status != 401 || !strings.Contains(got.rec.Cause, "invalid_grant") || b64of(got) {
		t.Errorf("got %v", got)
	}
	if got := b.get(back.String()); got.status != 302 {
		t.Errorf("the browser whose code it is: got %v", got)
	}
}

func TestLogin_WhatComesBackIsChecked(t *testing.T) {
	set := func(name, value string) func(q url.Values) { return func(q url.Values) { q.Set(name, value) } }
	for name, tt := range map[string]struct {
		change func(q url.Values)
		want   int
		cause  string
	}{
		"another issuer":     {set("iss", "https://evil.example"), 401, `the answer is by the issuer "https://evil.example"`},
		"no issuer":          {func(q url.Values) { q.Del("iss") }, 401, "does not name its issuer"},
		"an empty issuer":    {set("iss", ""), 401, "by the issuer"},
		"two issuers":        {func(q url.Values) { q.Add("iss", "https://evil.example") }, 400, "iss twice"},
		"two codes":          {func(q url.Values) { q.Add("code", "x") }, 400, "code twice"},
		"two states":         {func(q url.Values) { q.Add("state", "x") }, 400, "state twice"},
		"another state":      {set("state", strings.Repeat("A", 32)), 400, "no login under way"},
		"a state like it":    {func(q url.Values) { q.Set("state", q.Get("state")[:stateInName]+strings.Repeat("A", 20)) }, 400, "another login"},
		"no state":           {func(q url.Values) { q.Del("state") }, 400, "the state"},
		"no code":            {func(q url.Values) { q.Del("code") }, 400, "no code"},
		"a made-up code":     {set("code", "guess"), 401, "invalid_grant"},
		"refused":            {set("error", "access_denied"), 403, "access_denied"},
		"out of order":       {set("error", "server_error"), 503, "server_error"},
		"wants a login":      {set("error", "login_required"), 401, "login_required"},
		"an error of itself": {set("error", "<script>alert(1)</script>"), 401, "refuses the login"},
	} {
		g := newGate(t, nil)
		b := g.browser()
		back, _ := url.Parse(b.sentBack("/"))
		query := back.Query()
		tt.change(query)
		back.RawQuery = query.Encode()
		got := b.get(back.String())
		if got.status != tt.want || !strings.Contains(got.rec.Cause, tt.cause) || b64of(got) || got.location != "" {
			t.Errorf("%s: got %v", name, got)
		}
		if strings.Contains(got.body, "script") || strings.Contains(got.rec.Cause, "script") || strings.Contains(got.body, "_") || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: the page is\n%s", name, got.body)
		}
	}
}

func TestLogin_AProviderThatNamesNoIssuer(t *testing.T) {
	g := newGate(t, nil)
	g.p.Change(func(o *oidctest.Options) { o.SilentIssuer = true })
	if got := g.browser().login("/", "ann"); got.status != 200 {
		t.Errorf("got %v", got)
	}
}

func TestLogin_TakesItsTimeAndNoMore(t *testing.T) {
	g := newGate(t, nil)
	b := g.browser()
	back := b.sentBack("/")
	g.later(11 * time.Minute)
	if got := b.get(back); got.status != 400 || !strings.Contains(got.rec.Cause, "too long") {
		t.Errorf("got %v", got)
	}
}

func TestLogin_StaysOnItsHost(t *testing.T) {
	g := newGate(t, nil)
	b := g.browser()
	back := b.sentBack("/")
	elsewhere := strings.Replace(back, "shop.example", "blog.example", 1)
	u, _ := url.Parse("http://blog.example/")
	own, _ := url.Parse("http://shop.example/")
	b.jar.SetCookies(u, b.jar.Cookies(own))
	if got := b.get(elsewhere); got.status != 400 || !strings.Contains(got.rec.Cause, "another host") {
		t.Errorf("got %v", got)
	}
}

func TestLogin_LeadsBackToThisHostOnly(t *testing.T) {
	g := newGate(t, nil)
	for asked, want := range map[string]string{
		"/a/b?c=d&e=%2F": "/a/b?c=d&e=%2F", "//evil.example/x": "/", `/\evil.example`: "/%5Cevil.example", "/a\\b": "/a%5Cb", "/" + strings.Repeat("a", 3000): "/",
		"/oauth2/login?rd=//evil.example": "/", "/oauth2/login?rd=https://evil.example": "/", "/oauth2/login?rd=/%09/evil.example": "/", `/oauth2/login?rd=/\evil.example`: "/",
		"/oauth2/login?rd=/%5Cevil.example": "/", "/oauth2/login?rd=%2Fa%3Fb": "/a?b", "/oauth2/login?rd=/oauth2/logout": "/", "/oauth2/login?rd=/%0d%0aX:y": "/", "/oauth2/login": "/",
	} {
		b := g.browser()
		sent := b.ask("GET", "http://shop.example"+asked, navigation, "")
		got := b.get(b.approve(sent.location, "ann"))
		if got.status != 302 || got.location != want {
			t.Errorf("%s: leads to %q, want %q", asked, got.location, want)
		}
	}
}

func TestLogin_TheProviderIsKnownBeforeTheFirstRequest(t *testing.T) {
	env := middlewarestest.Env("login")
	var started []func(context.Context)
	env.Start = func(run func(context.Context)) { started = append(started, run) }
	g := gateOf(t, oidctest.New(t), env, nil)
	if n := g.p.Asked("/.well-known/openid-configuration"); n != 0 || len(started) != 1 {
		t.Fatalf("asked %d times while it was built, starts %d", n, len(started))
	}
	started[0](t.Context())
	if g.p.Asked("/.well-known/openid-configuration") == 0 || g.p.Asked("/keys") != 1 {
		t.Error("it is not asked")
	}
	g.p.Change(func(o *oidctest.Options) { o.Away = true })
	if got := g.browser().get("/"); got.status != 302 {
		t.Errorf("got %v", got)
	}
	away := gateOf(t, g.p, env, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	started[1](ctx) // ends, though nobody answers
	if got := away.browser().get("/"); got.status != 503 {
		t.Errorf("got %v", got)
	}
}

func TestLogin_WhileTheProviderIsAway(t *testing.T) {
	g := newGate(t, nil)
	in := g.browser()
	in.login("/", "ann")
	late := g.browser()
	back := late.sentBack("/")
	g.p.Change(func(o *oidctest.Options) { o.Away = true })
	if got := in.get("/"); got.status != 200 {
		t.Errorf("who is in: got %v", got)
	}
	if got := late.get(back); got.status != 503 || got.header.Get("Retry-After") == "" || b64of(got) {
		t.Errorf("in the middle of it: got %v", got)
	}
	unaware := gateOf(t, g.p, g.env, nil)
	if got := unaware.browser().get("/"); got.status != 503 || got.header.Get("Retry-After") == "" || got.seen != nil {
		t.Errorf("when nothing is known of it: got %v", got)
	}
	if got := unaware.browser().ask("GET", "/", nil, ""); got.status != 401 {
		t.Errorf("a program: got %v", got)
	}
}

func TestLogin_IsAsFreshAsItWasAskedFor(t *testing.T) {
	g := newGate(t, func(c *Config) { c.AuthorizationParameters = map[string]string{"max_age": "600"} })
	for name, tt := range map[string]struct {
		auth any
		want int
	}{
		"just now":  {time.Now().Unix(), 200},
		"long ago":  {time.Now().Add(-time.Hour).Unix(), 401},
		"not said":  {nil, 401},
		"no number": {"now", 401},
	} {
		g.p.Change(func(o *oidctest.Options) { o.Claims = map[string]any{"auth_time": tt.auth} })
		if got := g.browser().login("/", "ann"); got.status != tt.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestLogin_ParametersOfTheOperators(t *testing.T) {
	g := newGate(t, func(c *Config) {
		c.AuthorizationParameters, c.Scopes = map[string]string{"prompt": "login", "hd": "example.com"}, []string{"email", "offline_access"}
	})
	sent, _ := url.Parse(g.browser().get("/").location)
	if q := sent.Query(); q.Get("prompt") != "login" || q.Get("hd") != "example.com" || q.Get("scope") != "openid email offline_access" || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" {
		t.Errorf("got %v", q)
	}
	if got := g.browser().ask("POST", "/oauth2/login", nil, ""); got.status != 405 {
		t.Errorf("got %v", got)
	}
	if got := g.browser().ask("POST", "/oauth2/callback", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, "state=x&code=y"); got.status != 400 {
		t.Errorf("got %v", got)
	}
}
