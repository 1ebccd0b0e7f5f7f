package oidc

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fairway/internal/oauthclient"
	"fairway/internal/record"
	"fairway/middlewares/middlewarestest"
)

func TestCookies_OfWhichThereAreThousands(t *testing.T) {
	g := newGate(t, nil)
	prefix := g.Handler.(*handler).jar.name + "_login_"
	var many strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&many, "%s%d=1; ", prefix, i)
	}
	r := httptest.NewRequest(http.MethodGet, "http://shop.example/", nil)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Cookie", many.String())
	if names := cookieNames(r, func(string) bool { return true }); len(names) != mostNames {
		t.Errorf("%d are looked at", len(names))
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r.WithContext(record.With(r.Context(), &record.Record{})))
	if n := len(w.Header()["Set-Cookie"]); w.Code != http.StatusFound || n > mostNames+1 {
		t.Errorf("got %d with %d cookies", w.Code, n)
	}
}

func TestRefusals_OfTheGrantAreToldFromThoseOfTheGateway(t *testing.T) {
	refused := func(status int, code string) error {
		return &awayError{&oauthclient.RefusedError{Status: status, Code: code}}
	}
	for _, tt := range []struct {
		err           error
		grant, silent bool
	}{
		{refused(400, "invalid_grant"), true, false},
		{refused(403, "invalid_grant"), true, false},
		{refused(401, "invalid_grant"), true, false},
		{refused(400, "invalid_request"), true, false},
		{refused(400, ""), true, false},
		{refused(400, "invalid_client"), false, false},
		{refused(401, "invalid_client"), false, false},
		{refused(400, "unauthorized_client"), false, false},
		{refused(429, ""), false, true},
		{refused(503, "invalid_grant"), false, true},
		{refused(403, ""), false, false},
		{errors.New("dial"), false, true},
	} {
		if got := refusesGrant(tt.err); got != tt.grant {
			t.Errorf("%v: about the grant: %v", tt.err, got)
		}
		if got := silent(tt.err); got != tt.silent {
			t.Errorf("%v: silent: %v", tt.err, got)
		}
	}
}

func TestEndings_ALaterLoginByTheSameNameIsAnother(t *testing.T) {
	now := time.Now()
	for _, kind := range []string{bySID, bySub} {
		e := newEndings(10)
		e.add(ending{kind, "https://id.example", "x"}, now, time.Hour)
		before, after := &session{id: "1", sid: "x", sub: "x", began: now.Add(-time.Second)}, &session{id: "2", sid: "x", sub: "x", began: now.Add(time.Second)}
		if !e.has("https://id.example", before) || e.has("https://id.example", after) || e.has("https://other.example", before) {
			t.Errorf("by %s the sessions are not told apart", kind)
		}
	}
}

func TestLogin_WhereBrowsersKeepNoCookie(t *testing.T) {
	g := newGate(t, func(c *Config) { c.CookieDomain = "example.com" })
	if got := g.browser().get("/"); got.status != http.StatusInternalServerError || !strings.Contains(got.rec.Cause, "is not below the option cookieDomain") {
		t.Errorf("got %d %q", got.status, got.rec.Cause)
	}
	for domain, hosts := range map[string]map[string]bool{
		"": {"a.example": true}, "shop.example": {"shop.example": true, "A.Shop.example:8443": true, "evilshop.example": false, "example": false}, ".shop.example": {"a.shop.example": true},
	} {
		j := newJar("s", domain, "https")
		for host, want := range hosts {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Host = host
			if got := j.keeps(r); got != want {
				t.Errorf("%q below %q: got %v", host, domain, got)
			}
		}
	}
}

func idTokenOf(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".AA"
}

func TestSession_KeepsTheNameThatTheLoginWasTold(t *testing.T) {
	s := &session{id: "1", idToken: idTokenOf(`{"sub":"17","sid":"x"}`), began: time.UnixMilli(1)}
	if err := s.understand(); err != nil {
		t.Fatal(err)
	}
	next, err := s.with(&tokens{idToken: idTokenOf(`{"sub":"17"}`)})
	if err != nil || next.sid != "x" {
		t.Fatalf("got %+v %v", next, err)
	}
	read, err := readSession(next.write())
	if err != nil || read.sid != "x" || read.sub != "17" {
		t.Errorf("got %+v %v", read, err)
	}
}

func TestOIDC_WhoIsDeniedIsNobodyWhereNoLoginIsNeeded(t *testing.T) {
	g := newGate(t, func(c *Config) {
		c.RequiredClaims, c.SkipPaths, c.ForwardHeaders = []string{"role=boss"}, []string{"/open"}, map[string]string{"X-User": "sub"}
	})
	b := g.browser()
	if got := b.login("/", "ann"); got.status != http.StatusForbidden {
		t.Fatalf("got %d: %s", got.status, got.rec.Cause)
	}
	got := b.get("/open/page")
	if got.status != http.StatusOK || got.rec.Identity != nil || got.rec.Auth != "" {
		t.Errorf("got %d as %+v, auth %q", got.status, got.rec.Identity, got.rec.Auth)
	}
}

func TestOIDC_WhatTheProviderSendsIsHidden(t *testing.T) {
	g := newGate(t, nil)
	for path, want := range map[string]string{"/oauth2/callback?code=a&state=b": "[code state]", "/oauth2/frontchannel-logout?iss=x&sid=y": "[sid]", "/?code=a": "[]"} {
		if got := fmt.Sprint(g.browser().get(path).rec.Hidden); got != want {
			t.Errorf("%s: got %s", path, got)
		}
	}
}

func TestOIDC_ProvidersOfAuthoritiesOfOnesOwn(t *testing.T) {
	var s *httptest.Server
	s = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":"%[1]s/keys","authorization_endpoint":"%[1]s/authorize","token_endpoint":"%[1]s/token"}`, s.URL)
	}))
	t.Cleanup(s.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	env := middlewarestest.Env("login")
	kept := newShared()
	env.Keep = func(func() any) any { return kept }
	for name, tt := range map[string]struct {
		change func(c *Config)
		known  bool
	}{
		"those of the system": {func(*Config) {}, false}, "its own": {func(c *Config) { c.CAFiles = []string{ca} }, true}, "whoever it is": {func(c *Config) { c.InsecureSkipVerify = true }, true},
	} {
		c := &Config{}
		c.SetDefaults()
		c.Issuer, c.ClientID = s.URL, "shop"
		tt.change(c)
		made, err := c.New(t.Context(), env, http.NotFoundHandler())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := made.(*handler).provider.metadata(t.Context()); (err == nil) != tt.known {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
