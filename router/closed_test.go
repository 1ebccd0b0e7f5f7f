package router

import (
	"testing"

	"fairway/config/dynamic"
)

// What is to guard may stand in front of the router, of its service, or of a part of
// that.
func TestClosed_ByWhateverGuards(t *testing.T) {
	const config = `
http:
  routers:
    service: {rule: 'Host(@a@) && PathPrefix(@/service@)', service: guarded}
    broken: {rule: 'Host(@a@) && PathPrefix(@/broken@)', service: broken}
    part: {rule: 'Host(@a@) && PathPrefix(@/part@)', service: whole}
    syntax: {rule: 'Host(@a@) && PathPrefix(@/syntax@)', service: s, ruleSyntax: v4}
    upper: {rule: 'Host(@a@) && PathPrefix(@/upper@)', service: s, ruleSyntax: V3}
    gone: {rule: 'Host(@a@) && PathPrefix(@/gone@)', service: none}
    wide: {rule: 'Host(@a@)', service: s}
    same-a: {rule: 'Host(@same@)', service: s, middlewares: [missing]}
    same-b: {rule: 'Host(@same@)', service: s}
  middlewares: {bad: {basicAuth: {users: [x]}}}
  services:
    s: {loadBalancer: {servers: [{url: "http://s:1"}]}}
    guarded: {middlewares: [missing], loadBalancer: {servers: [{url: "http://s:1"}]}}
    broken: {middlewares: [bad], loadBalancer: {servers: [{url: "http://s:1"}]}}
    whole: {failover: {service: guarded, fallback: broken}}
    none: {loadBalancer: {strategy: nosuch, servers: [{url: "http://s:1"}]}}
`
	r := applied(t, newEnv(), config)
	const closed = "503 Service Unavailable"
	for url, want := range map[string]string{
		"http://a/service": closed, "http://a/broken": closed, "http://a/syntax": closed, "http://a/upper": "200 s:1 /upper",
		"http://a/gone": "200 s:1 /gone", "http://a/": "200 s:1 /", "http://same/": "200 s:1 /",
	} {
		if got := ask(t, r, "web", url); got != want {
			t.Errorf("%s: got %s, want %s", url, got, want)
		}
	}
	if got := ask(t, r, "web", "http://a/part"); got != closed {
		t.Errorf("a service all of whose parts are guarded by something broken: got %s", got)
	}
}

// A router that has lost its service to another container gives way, one that has lost a
// middleware does not; a service that has lost one answers nobody.
func TestClosed_WhatBelongsToAnotherContainer(t *testing.T) {
	cfg := parse(t, "docker", `
http:
  routers:
    service: {rule: 'Host(`+"`a`"+`) && PathPrefix(`+"`/service`"+`)', service: s}
    guard: {rule: 'Host(`+"`a`"+`) && PathPrefix(`+"`/guard`"+`)', service: s}
    lost: {rule: 'Host(`+"`a`"+`) && PathPrefix(`+"`/lost`"+`)', service: lost}
    wide: {rule: 'Host(`+"`a`"+`)', service: s}
  services:
    s: {loadBalancer: {servers: [{url: "http://s:1"}]}}
    lost: {loadBalancer: {servers: [{url: "http://s:2"}]}}
`)
	problem := func(kind, name string, yields bool) dynamic.Problem {
		return dynamic.Problem{Severity: dynamic.Error, Kind: kind, Name: name, Reason: "belongs to another container", Disables: true, Yields: yields}
	}
	cfg.Problems = append(cfg.Problems, problem(dynamic.KindRouter, "service@docker", true), problem(dynamic.KindRouter, "guard@docker", false), problem(dynamic.KindService, "lost@docker", false))
	r := New(newEnv())
	r.Apply(cfg)
	for url, want := range map[string]string{"http://a/service": "200 s:1 /service", "http://a/guard": "503 Service Unavailable", "http://a/lost": "503 Service Unavailable"} {
		if got := ask(t, r, "web", url); got != want {
			t.Errorf("%s: got %s, want %s", url, got, want)
		}
	}
}
