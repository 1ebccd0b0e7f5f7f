package dashboard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"fairway/config"
)

func explained(t *testing.T, h http.Handler, query url.Values) (e Explained) {
	t.Helper()
	w := ask(t, h, http.MethodGet, "/api/explain?"+query.Encode())
	if w.Code != http.StatusOK {
		t.Fatalf("%v: %d %s", query, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestExplain(t *testing.T) {
	h := newAPI(t, sample)
	e := explained(t, h, url.Values{"url": {"http://good/a"}})
	if e.Winner == nil || e.Winner.Router != "good@file" || e.EntryPoint != "web" || e.Winner.Service.Name != "s@file" || e.Winner.Service.Type != "loadbalancer" {
		t.Fatalf("got %+v", e)
	}
	if m := e.Winner.Middlewares; len(m) != 1 || m[0] != (Step{"strip@file", "stripprefix", "enabled"}) {
		t.Errorf("middlewares: got %+v", m)
	}
	if s := e.Winner.Servers; len(s) != 1 || s[0] != (Server{URL: "http://user:xxxxx@127.0.0.1:1", Up: true, Weight: 1}) {
		t.Errorf("servers: got %+v", s)
	}
	e = explained(t, h, url.Values{"url": {"https://goood/"}, "method": {"post"}})
	if e.Winner != nil || e.EntryPoint != "websecure" || !e.TLS || e.Method != "POST" || len(e.Near) != 1 || e.Near[0].Why != "does not match: Host(`good`)" {
		t.Errorf("got %+v", e)
	}
	if e = explained(t, h, url.Values{"url": {"http://127.0.0.1/"}, "header": {"Host: good"}}); e.Winner == nil {
		t.Errorf("by the header Host: got %+v", e)
	}
}

func TestExplain_Mistakes(t *testing.T) {
	h := newAPI(t, sample)
	for want, query := range map[string]url.Values{
		"url: it has to begin with http:// or https:// and a host":                {"url": {"good"}},
		`entryPoint: there is no "wbe", only web, websecure`:                      {"url": {"http://good"}, "entryPoint": {"wbe"}},
		`header: "no colon" is not written as Name: value`:                        {"url": {"http://good"}, "header": {"no colon"}},
		`client: "nobody" is no address`:                                          {"url": {"http://good"}, "client": {"nobody"}},
		"url: parse \"http://a\\x00\": net/url: invalid control character in URL": {"url": {"http://a\x00"}},
	} {
		w := ask(t, h, http.MethodGet, "/api/explain?"+query.Encode())
		var got struct{ Message string }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusBadRequest || got.Message != want {
			t.Errorf("%v: got %d %s, want %s", query, w.Code, w.Body, want)
		}
	}
}

func TestExplain_WhatTheEntryPointRefuses(t *testing.T) {
	h := newAPIWith(t, sample, func(s *Source) {
		s.Take = func(entryPoint string, _ *http.Request) (*http.Request, error) {
			return nil, fmt.Errorf("refused by %s", entryPoint)
		}
	})
	if e := explained(t, h, url.Values{"url": {"http://good/"}}); e.Refused != "refused by web" || e.Winner != nil {
		t.Errorf("got %+v", e)
	}
}

func TestEntryPointFor(t *testing.T) {
	loaded, err := config.Load([]string{"--entrypoints.web.address=:8000", "--entrypoints.websecure.address=:8443", "--entrypoints.other.address=127.0.0.1:9000/tcp"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for u, want := range map[string]string{"http://a:8000": "web", "https://a:8443/": "websecure", "http://a": "other", "https://a": "websecure", "http://a:9000": "other", "http://a:1": "other", ":": ""} {
		if got := EntryPointFor(u, loaded.EntryPoints); got != want {
			t.Errorf("%s: got %q, want %q", u, got, want)
		}
	}
}

func FuzzQuestion(f *testing.F) {
	f.Add("GET", "http://a.test/b?c=d", "Name: value", "192.0.2.1")
	f.Add("", "https://[::1]:8443", "Host: x", "::1")
	h := newAPI(f, sample)
	f.Fuzz(func(t *testing.T, method, u, header, client string) {
		query := url.Values{"method": {method}, "url": {u}, "header": {header}, "client": {client}}
		if w := ask(t, h, http.MethodGet, "/api/explain?"+query.Encode()); w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
			t.Errorf("%v: got %d %s", query, w.Code, w.Body)
		}
	})
}
