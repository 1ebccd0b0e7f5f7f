package oidc

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/traefik/paerser/types"

	"fairway/internal/consumers"
	"fairway/internal/oidctest"
	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

func TestOIDC_LogsInAndGoesBackToWhatWasAskedFor(t *testing.T) {
	g := newGate(t, nil)
	b := g.browser()
	if got := b.get("/cart?item=17&x=%2F"); got.status != 302 || got.seen != nil || got.header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(got.location, g.p.URL+"/authorize?") {
		t.Fatalf("got %+v", got)
	}
	b = g.browser()
	got := b.login("/cart?item=17&x=%2F", "ann")
	if got.status != 200 || got.url != "http://shop.example/cart?item=17&x=%2F" || got.seen == nil {
		t.Fatalf("got %+v", got)
	}
	if rec := got.rec; rec.Auth != record.Passed || rec.User != "ann" || rec.Identity.Method != "oidc" || rec.Identity.Claims["email"] != "ann@example.com" {
		t.Errorf("got %+v", rec.Identity)
	}
	asked := g.p.Asked("/token")
	for range 3 {
		if got := b.get("/other"); got.status != 200 || got.rec.User != "ann" || len(got.header["Set-Cookie"]) > 0 {
			t.Errorf("got %+v", got)
		}
	}
	if g.p.Asked("/token") != asked {
		t.Error("a valid session asks the provider")
	}
	last := g.p.Last()
	if last.Get("scope") != "openid profile email" || last.Get("redirect_uri") != "http://shop.example/oauth2/callback" || last.Get("nonce") == "" || len(last.Get("state")) != 32 {
		t.Errorf("asked for %v", last)
	}
}

func TestOIDC_CookiesAreMadeForTheScheme(t *testing.T) {
	for name, tt := range map[string]struct {
		change       func(c *Config)
		scheme, want string
	}{
		"http":        {nil, "http", "oidc_*; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax"},
		"https":       {nil, "https", "__Host-oidc_*; Path=/; Max-Age=86400; HttpOnly; Secure; SameSite=Lax"},
		"by option":   {func(c *Config) { c.Scheme = "https" }, "http", "__Host-oidc_*; Path=/; Max-Age=86400; HttpOnly; Secure; SameSite=Lax"},
		"a domain":    {func(c *Config) { c.CookieDomain = "shop.example" }, "https", "__Secure-oidc_*; Path=/; Domain=shop.example; Max-Age=86400; HttpOnly; Secure; SameSite=Lax"},
		"a name":      {func(c *Config) { c.CookieName = "me" }, "https", "__Host-me; Path=/; Max-Age=86400; HttpOnly; Secure; SameSite=Lax"},
		"idle is all": {func(c *Config) { c.IdleTimeout = types.Duration(time.Minute) }, "https", "__Host-oidc_*; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax"},
	} {
		g := newGate(t, tt.change)
		b := g.browser()
		b.scheme = tt.scheme
		b.login("/", "ann")
		found := false
		for _, line := range b.lines {
			first, rest, _ := strings.Cut(line, ";")
			n, v, _ := strings.Cut(first, "=")
			if i := strings.Index(n, "oidc_"); i >= 0 {
				n = n[:i] + "oidc_*"
			}
			found = found || v != "" && n+";"+rest == tt.want
		}
		if !found {
			t.Errorf("%s: got %q", name, b.lines)
		}
	}
}

func TestOIDC_OnlyNavigationsAreSentToLogIn(t *testing.T) {
	g := newGate(t, nil)
	html := http.Header{"Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}}
	with := func(name, value string) http.Header {
		h := html.Clone()
		h.Set(name, value)
		return h
	}
	for name, tt := range map[string]struct {
		method string
		header http.Header
		want   int
	}{
		"a browser":       {"GET", html, 302},
		"its head":        {"HEAD", html, 302},
		"navigates":       {"GET", with("Sec-Fetch-Mode", "navigate"), 302},
		"fetches":         {"GET", with("Sec-Fetch-Mode", "cors"), 401},
		"of its own site": {"GET", with("Sec-Fetch-Mode", "same-origin"), 401},
		"an image":        {"GET", http.Header{"Accept": {"image/avif,image/webp,*/*"}}, 401},
		"curl":            {"GET", http.Header{"Accept": {"*/*"}}, 401},
		"nothing":         {"GET", nil, 401},
		"json":            {"GET", http.Header{"Accept": {"application/json, text/plain"}}, 401},
		"a form":          {"POST", html, 401},
		"jquery":          {"GET", with("X-Requested-With", "XMLHttpRequest"), 401},
		"a websocket":     {"GET", with("Upgrade", "websocket"), 401},
	} {
		got := g.browser().ask(tt.method, "/", tt.header, "")
		if got.status != tt.want || got.seen != nil || got.rec.Auth != record.Refused || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %d, want %d", name, got.status, tt.want)
		}
		if challenge := got.header.Get("WWW-Authenticate"); (challenge == `Cookie realm="fairway"`) != (tt.want == 401) {
			t.Errorf("%s: challenged by %q", name, challenge)
		}
	}
}

func TestOIDC_WhatClientsSayOfThemselvesNeverArrives(t *testing.T) {
	forged := http.Header{"X-User": {"root", "admin"}, "X_user": {"root"}, "X_User": {"root"}, "X-Groups": {"admins"}, "Authorization": {"Bearer forged"}}
	for name, tt := range map[string]struct {
		change func(c *Config)
		in     bool
		want   string
	}{
		"logged in":       {nil, true, "[ann] [a,b]"},
		"optional":        {func(c *Config) { c.Optional = true }, false, "[] []"},
		"optional and in": {func(c *Config) { c.Optional = true }, true, "[ann] [a,b]"},
		"a skipped path":  {func(c *Config) { c.SkipPaths = []string{"/free"} }, false, "[] []"},
	} {
		g := newGate(t, func(c *Config) {
			c.ForwardHeaders, c.ForwardAccessToken = map[string]string{"X-User": "preferred_username", "x-groups": "groups"}, true
			if tt.change != nil {
				tt.change(c)
			}
		})
		g.p.Change(func(o *oidctest.Options) { o.Claims = map[string]any{"groups": []string{"a", "b"}} })
		b := g.browser()
		if tt.in {
			b.login("/oauth2/login?rd=/", "ann")
		}
		h := forged.Clone()
		h["Cookie"] = []string{"theme=dark; lang=de", "c=d"}
		got := b.ask("GET", "/free", h, "")
		if got.status != 200 || got.seen == nil {
			t.Fatalf("%s: got %+v", name, got)
		}
		if text := fmt.Sprint(got.seen.Header["X-User"], " ", got.seen.Header["X-Groups"]); text != tt.want || got.seen.Header["X_user"] != nil || strings.Contains(fmt.Sprint(got.seen.Header), "X_U") {
			t.Errorf("%s: the service sees %v", name, got.seen.Header)
		}
		if token := got.seen.Header["Authorization"]; (len(token) == 1 && strings.HasPrefix(token[0], "Bearer at-")) != tt.in || len(token) > 1 || !tt.in && token != nil {
			t.Errorf("%s: the service sees %q", name, token)
		}
		if cookies := strings.Join(got.seen.Header["Cookie"], "; "); strings.Contains(cookies, "oidc_") || !strings.Contains(cookies, "theme=dark; lang=de") || !strings.Contains(cookies, "c=d") {
			t.Errorf("%s: the service sees %q", name, cookies)
		}
		if fmt.Sprint(got.after) != fmt.Sprint(got.before) {
			t.Errorf("%s: the head was not put back: %v", name, got.after)
		}
	}
}

func TestOIDC_PathsThatNeedNoLogin(t *testing.T) {
	g := newGate(t, func(c *Config) { c.SkipPaths = []string{"/api/public", "/static/"} })
	for path, want := range map[string]int{
		"/api/public": 200, "/api/public/x": 200, "/static/a.css": 200, "/static": 200,
		"/api/publicity": 401, "/api": 401, "/api/public/../admin": 401, "/api/public/%2e%2e/admin": 401, "/api/public%2F..%2Fadmin": 401, "/api/public//x": 401,
		"/api/public/..;/admin": 401, `/api/public/..\admin`: 401, "/api/public/%5c": 401,
	} {
		if got := g.browser().ask("GET", path, nil, ""); got.status != want {
			t.Errorf("%s: got %d, want %d", path, got.status, want)
		}
	}
}

func TestOIDC_WhoIsNotMeantIsToldSo(t *testing.T) {
	g := newGate(t, func(c *Config) { c.RequiredClaims, c.GroupsClaim = []string{`email~ann@.*`}, "groups" })
	if got := g.browser().login("/", "bob"); got.status != 403 || got.seen != nil || got.location != "" || got.rec.Auth != record.Refused {
		t.Errorf("got %+v", got)
	}
	g.p.Change(func(o *oidctest.Options) { o.Claims = map[string]any{"groups": []string{"x"}} })
	b := g.browser()
	if got := b.login("/", "ann"); got.status != 200 || fmt.Sprint(got.rec.Identity.Groups) != "[x]" {
		t.Errorf("got %d", got.status)
	}
	g.env.Consumers.Store(consumers.New(map[string]*consumers.Config{"ann@file": {Claims: []string{"sub=ann"}, Groups: []string{"staff"}}}, nil))
	if got := b.get("/"); got.rec.Identity.Consumer == nil || fmt.Sprint(got.rec.Identity.Groups) != "[staff x]" {
		t.Errorf("got %+v", got.rec.Identity)
	}
}

func TestOIDC_AnIDTokenIsVerified(t *testing.T) {
	for name, tt := range map[string]struct {
		tamper func(c jwt.MapClaims)
		want   int
	}{
		"as it is":            {func(jwt.MapClaims) {}, 200},
		"azp":                 {func(c jwt.MapClaims) { c["azp"] = "shop" }, 200},
		"several audiences":   {func(c jwt.MapClaims) { c["aud"], c["azp"] = []string{"shop", "x"}, "shop" }, 200},
		"no at_hash":          {func(c jwt.MapClaims) { delete(c, "at_hash") }, 200},
		"another issuer":      {func(c jwt.MapClaims) { c["iss"] = "https://evil.example" }, 401},
		"another audience":    {func(c jwt.MapClaims) { c["aud"] = "blog" }, 401},
		"no audience":         {func(c jwt.MapClaims) { delete(c, "aud") }, 401},
		"audiences, no azp":   {func(c jwt.MapClaims) { c["aud"] = []string{"shop", "x"} }, 401},
		"another azp":         {func(c jwt.MapClaims) { c["azp"] = "blog" }, 401},
		"another nonce":       {func(c jwt.MapClaims) { c["nonce"] = "x" }, 401},
		"no nonce":            {func(c jwt.MapClaims) { delete(c, "nonce") }, 401},
		"expired":             {func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Hour).Unix() }, 401},
		"no exp":              {func(c jwt.MapClaims) { delete(c, "exp") }, 401},
		"no iat":              {func(c jwt.MapClaims) { delete(c, "iat") }, 401},
		"of the future":       {func(c jwt.MapClaims) { c["iat"] = time.Now().Add(time.Hour).Unix() }, 401},
		"nobody":              {func(c jwt.MapClaims) { delete(c, "sub") }, 401},
		"another at_hash":     {func(c jwt.MapClaims) { c["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA" }, 401},
		"a logout token":      {func(c jwt.MapClaims) { c["events"] = map[string]any{logoutEvent: map[string]any{}} }, 401},
		"the subject a list":  {func(c jwt.MapClaims) { c["sub"] = []string{"ann"} }, 401},
		"an audience by part": {func(c jwt.MapClaims) { c["aud"] = "shop2" }, 401},
	} {
		g := newGate(t, nil)
		g.p.Change(func(o *oidctest.Options) { o.Tamper = tt.tamper })
		got := g.browser().login("/", "ann")
		if got.status != tt.want {
			t.Errorf("%s: got %d, want %d: %s", name, got.status, tt.want, got.rec.Cause)
		}
		if tt.want == 401 && (strings.Contains(got.body, "token") || got.header.Get("Cache-Control") != "no-store" || b64of(got)) {
			t.Errorf("%s: the browser is told %q", name, got.body)
		}
	}
}

// b64of tells whether a session was given though the login failed.
func b64of(o outcome) bool {
	for _, line := range o.header["Set-Cookie"] {
		if !strings.Contains(line, "_login_") && !strings.Contains(line, "Max-Age=0") {
			return true
		}
	}
	return false
}

func TestOIDC_PublicClientsAndOtherStyles(t *testing.T) {
	public := newGate(t, func(c *Config) { c.ClientSecret = "" })
	public.p.Change(func(o *oidctest.Options) { o.ClientSecret = "" })
	if got := public.browser().login("/", "ann"); got.status != 200 {
		t.Errorf("public: got %d: %s", got.status, got.rec.Cause)
	}
	post := newGate(t, nil)
	post.p.Change(func(o *oidctest.Options) { o.PostOnly = true })
	if got := post.browser().login("/", "ann"); got.status != 200 {
		t.Errorf("post: got %d: %s", got.status, got.rec.Cause)
	}
	wrong := newGate(t, func(c *Config) { c.ClientSecret = "other" })
	if got := wrong.browser().login("/", "ann"); got.status != 503 || !strings.Contains(got.rec.Cause, "invalid_client") || strings.Contains(got.body, "client") {
		t.Errorf("a wrong secret: got %d: %s", got.status, got.rec.Cause)
	}
}

func TestOIDC_UserInfoIsForWhatTheTokenDoesNotSay(t *testing.T) {
	g := newGate(t, func(c *Config) {
		c.UserInfo, c.ForwardHeaders = true, map[string]string{"X-Team": "team", "X-Iss": "iss"}
	})
	g.p.Change(func(o *oidctest.Options) { o.UserInfo = map[string]any{"team": "blue", "iss": "https://evil.example"} })
	got := g.browser().login("/", "ann")
	if got.status != 200 || got.seen.Header.Get("X-Team") != "blue" || got.seen.Header.Get("X-Iss") != g.p.URL {
		t.Errorf("got %d: %s, %v", got.status, got.rec.Cause, got.seen)
	}
	g.p.Change(func(o *oidctest.Options) { o.UserInfo["sub"] = "bob" })
	if got := g.browser().login("/", "ann"); got.status != 401 {
		t.Errorf("about somebody else: got %d", got.status)
	}
}
