package dashboard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
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
	if m := e.Winner.Middlewares; len(m) != 1 || m[0] != (Step{Name: "strip@file", Type: "stripprefix", Status: "enabled"}) {
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
	h := func(routes string, options ...string) http.Handler { return newAPI(t, "http:\n"+routes, options...) }
	none := h("  routers: {}\n", "--entrypoints.web.address=:8000", "--entrypoints.websecure.address=:8443", "--entrypoints.other.address=127.0.0.1:9000/tcp")
	for u, want := range map[string]string{"http://a:8000": "web", "https://a:8443/": "websecure", "http://a": "other", "https://a": "websecure", "http://a:9000": "other", "http://a:1": "other"} {
		if got := explained(t, none, url.Values{"url": {u}}).EntryPoint; got != want {
			t.Errorf("%s: got %q, want %q", u, got, want)
		}
	}
	services := "  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:1'}]}}}\n"
	inside := h(`
  routers:
    plain: {rule: 'Host("a")', service: s, entryPoints: [web]}
    secret: {rule: 'Host("b")', service: s, entryPoints: [websecure], tls: {}}
    all: {rule: 'PathPrefix("/")', service: s, entryPoints: [traefik]}
`+services, "--entrypoints.traefik.address=:9999", "--entrypoints.web.address=:8000", "--entrypoints.websecure.address=:8443", "--entrypoints.api.address=:7000")
	for u, want := range map[string]string{"http://a": "web", "http://c": "api", "https://b": "websecure", "https://c": "websecure"} {
		if got := explained(t, inside, url.Values{"url": {u}}).EntryPoint; got != want {
			t.Errorf("by its routers, %s: got %q, want %q", u, got, want)
		}
	}
	var points []struct {
		Name      string
		SpeaksTLS bool
	}
	if err := json.Unmarshal(ask(t, h("  routers: {r: {rule: 'Host(\"b\")', service: s, entryPoints: [web], tls: {}}}\n"+services), http.MethodGet, "/api/entrypoints").Body.Bytes(), &points); err != nil || !points[0].SpeaksTLS {
		t.Errorf("an entry point with a router by TLS: got %+v, %v", points, err)
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

const nested = `
http:
  routers:
    a: {rule: 'Host("a")', service: w, middlewares: [all]}
    b: {rule: 'Host("b")', service: f, middlewares: [bad]}
  services:
    s: {loadBalancer: {servers: [{url: "http://127.0.0.1:1"}]}}
    t: {middlewares: [strip], loadBalancer: {servers: [{url: "http://127.0.0.1:2", weight: 4}]}}
    w: {middlewares: [inner], weighted: {services: [{name: f, weight: 3}, {name: t}]}}
    f: {failover: {service: m, fallback: t}}
    m: {mirroring: {service: s, mirrors: [{name: t, percent: 10}]}}
  middlewares:
    strip: {stripPrefix: {prefixes: [/a]}}
    add: {addPrefix: {prefix: /b}}
    inner: {chain: {middlewares: [add]}}
    all: {chain: {middlewares: [strip, inner]}}
    bad: {chain: {middlewares: [strip, deep]}}
    deep: {chain: {middlewares: [gone]}}
    circle: {chain: {middlewares: [circle]}}
`

func names(steps []Step) (all string) {
	for _, s := range steps {
		all += " " + s.Name
		if s.In != "" {
			all += "<" + s.In
		}
	}
	return all
}

func TestExplain_FollowsChainsAndParts(t *testing.T) {
	w := explained(t, newAPI(t, nested), url.Values{"url": {"http://a/"}}).Winner
	if got, want := names(w.Middlewares), " all@file strip@file<all@file inner@file<all@file add@file<inner@file"; got != want {
		t.Errorf("middlewares: got%s, want%s", got, want)
	}
	if got, want := names(w.Service.Middlewares), " inner@file add@file<inner@file"; got != want {
		t.Errorf("middlewares of the service: got%s, want%s", got, want)
	}
	parts := w.Service.Parts
	if len(parts) != 2 || *parts[0].Weight != 3 || *parts[1].Weight != 1 || len(parts[1].Servers) != 1 || parts[1].Servers[0].Weight != 4 || names(parts[1].Middlewares) != " strip@file" {
		t.Fatalf("parts: got %+v", parts)
	}
	if len(w.Servers) != 3 {
		t.Errorf("servers: got %+v", w.Servers)
	}
	failover := parts[0].Parts
	if len(failover) != 2 || failover[0].Role != "main" || failover[1].Role != "fallback" || failover[1].Servers[0].URL != "http://127.0.0.1:2" {
		t.Fatalf("failover: got %+v", failover)
	}
	if mirroring := failover[0].Parts; len(mirroring) != 2 || mirroring[0].Role != "main" || mirroring[0].Servers[0].URL != "http://127.0.0.1:1" || mirroring[1].Role != "mirror" || *mirroring[1].Percent != 10 {
		t.Errorf("mirroring: got %+v", failover[0].Parts)
	}
}

func TestMiddlewares_AChainIsAsWellAsItsMembers(t *testing.T) {
	h := newAPI(t, nested)
	for name, want := range map[string]string{"all": "enabled", "inner": "enabled", "bad": "disabled", "deep": "disabled", "circle": "disabled"} {
		m := get(t, h, "/api/http/middlewares/"+name+"@file").(map[string]any)
		if m["status"] != want || (m["error"] != nil) != (want == "disabled") {
			t.Errorf("%s: got %v, %v, want %s", name, m["status"], m["error"], want)
		}
	}
	if w := explained(t, h, url.Values{"url": {"http://b/"}}).Winner; w == nil || w.Middlewares[0].Status != "disabled" {
		t.Errorf("on the way: got %+v", w)
	}
}

// TestExplain_IsBounded, however services and chains are nested.
func TestExplain_IsBounded(t *testing.T) {
	routes := "http:\n  routers: {a: {rule: 'Host(`a`)', service: s0, middlewares: [c0]}}\n  services:\n    s7: {loadBalancer: {servers: [{url: 'http://127.0.0.1:1'}]}}\n"
	chains := "  middlewares:\n    c7: {addPrefix: {prefix: /a}}\n"
	for i := range 7 {
		routes += fmt.Sprintf("    s%d: {weighted: {services: [{name: s%d}, {name: s%[2]d}, {name: s%[2]d}]}}\n", i, i+1)
		chains += fmt.Sprintf("    c%d: {chain: {middlewares: [c%d, c%[2]d]}}\n", i, i+1)
	}
	w := explained(t, newAPI(t, routes+chains), url.Values{"url": {"http://a/"}}).Winner
	if len(w.Middlewares) > mostSteps || poolsIn(w.Service) > mostSteps+deepest {
		t.Errorf("got %d middlewares and %d services", len(w.Middlewares), poolsIn(w.Service))
	}
}

func poolsIn(p *Pool) int {
	n := 1
	for i := range p.Parts {
		n += poolsIn(&p.Parts[i])
	}
	return n
}
