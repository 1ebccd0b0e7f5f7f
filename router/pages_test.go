package router

import (
	"strings"
	"testing"
)

const pagesConfig = `
http:
  routers:
    shop: {rule: 'Host(` + "`shop.test`" + `)', service: missing, middlewares: [own]}
    bad: {rule: 'Host(` + "`bad.test`" + `)', service: empty}
    own: {rule: 'Host(` + "`own.test`" + `)', service: empty, middlewares: [own]}
    fine: {rule: 'Host(` + "`fine.test`" + `)', service: shop}
    api: {rule: 'Host(` + "`api.test`" + `)', service: api@internal}
  middlewares:
    pages: {errors: {status: ["400-599"], service: pages, query: "/{status}.html"}}
    own: {errors: {status: ["503"], service: pages, query: "/own"}}
    other: {addPrefix: {prefix: /x}}
  services:
    empty: {loadBalancer: {servers: []}}
    shop: {loadBalancer: {servers: [{url: "http://shop:1"}]}}
    pages: {loadBalancer: {servers: [{url: "http://pages:1"}]}}
`

func TestErrorPages_StandInFrontOfAllRoutesAndNone(t *testing.T) {
	env := newEnv()
	env.ErrorPages = "pages@file"
	r := New(env)
	cfg := parse(t, "file", pagesConfig)
	r.Apply(cfg)
	check := func() {
		t.Helper()
		for url, want := range map[string]string{
			"http://nowhere.test/":  "404 pages:1 /404.html",
			"http://bad.test/":      "503 pages:1 /503.html",
			"http://own.test/":      "503 pages:1 /own",
			"http://fine.test/shop": "200 shop:1 /shop",
			"http://api.test/":      "200 api",
		} {
			if got := ask(t, r, "web", url); got != want {
				t.Errorf("%s: got %s, want %s", url, got, want)
			}
		}
	}
	check()
	before := r.Table().pages
	r.Apply(changed(t, cfg, "http:\n  services: {shop: {loadBalancer: {servers: [{url: 'http://shop:1'}, {url: 'http://shop:1'}]}}}"))
	check()
	if r.Table().pages != before {
		t.Error("a reload of something else made the pages anew")
	}
	r.Apply(changed(t, cfg, "http:\n  middlewares: {pages: {errors: {status: ['404'], service: pages, query: /new}}}"))
	if got := ask(t, r, "web", "http://nowhere.test/"); got != "404 pages:1 /new" {
		t.Errorf("after the middleware changed: got %s", got)
	}
}

func TestErrorPages_WhatIsWrongWithThemCostsNothingElse(t *testing.T) {
	for name, tt := range map[string]struct{ pages, config, want string }{
		"missing":    {"page@file", pagesConfig, `the middleware "page@file" does not exist (did you mean "pages@file"?)`},
		"other kind": {"other@file", pagesConfig, "it is no errors middleware but addPrefix"},
		"no service": {"pages@file", strings.Replace(pagesConfig, "    pages: {loadB", "    gone: {loadB", 1), `the service "pages@file" does not exist`},
		"no config":  {"pages@file", "http: {}", `does not exist`},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv()
			env.ErrorPages = tt.pages
			r := New(env)
			for range 2 { // a reload says it again
				r.Apply(parse(t, "file", tt.config))
				said := strings.Join(reasons(r.Table(), tt.pages), "\n")
				if !strings.Contains(said, "errors have no pages (install option errorPages): ") || !strings.Contains(said, tt.want) {
					t.Errorf("got %q", said)
				}
				if got := ask(t, r, "web", "http://nowhere.test/"); got != "404 404 page not found" {
					t.Errorf("no router: got %s", got)
				}
			}
			if tt.config == pagesConfig {
				if got := ask(t, r, "web", "http://fine.test/"); got != "200 shop:1 /" {
					t.Errorf("a route: got %s", got)
				}
			}
		})
	}
}
