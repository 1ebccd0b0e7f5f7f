package tcp

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"fairway/config/dynamic"
	"fairway/internal/decode"
	"fairway/tls/certs"
)

func configOf(t *testing.T, text string) *dynamic.Configuration {
	t.Helper()
	tree, err := decode.Document([]byte(text), ".yml")
	if err != nil {
		t.Fatal(err)
	}
	cfg := &dynamic.Configuration{}
	for _, f := range tree.Into(cfg, nil) {
		cfg.Problems = append(cfg.Problems, cfg.Blame(f))
	}
	return cfg.Qualified("file")
}

var env = Env{EntryPoints: map[string]bool{"web": true, "db": false}, Resolvers: []string{"le"}, Policy: func(name string) (*certs.Policy, error) {
	if name == "gone@file" {
		return nil, errors.New("it does not exist")
	}
	return certs.DefaultPolicy(), nil
}}

const services = `
  services:
    a: {loadBalancer: {servers: [{address: '10.0.0.1:1'}]}}
    both: {weighted: {services: [{name: a}, {name: a}]}}
    loop: {weighted: {services: [{name: loop}]}}
    broken: {loadBalancer: {servers: [{address: nothing}]}}
    far: {loadBalancer: {serversTransport: gone}}
`

func TestBuild_WhatIsWrongIsSaidAndCostsNothingElse(t *testing.T) {
	table := Build(configOf(t, `tcp:
  routers:
    fine: {rule: 'HostSNI("*")', service: both}
    norule: {service: a}
    named: {rule: 'HostSNI("x")', service: a}
    badrule: {rule: 'HostSNI(', service: a}
    syntax: {rule: 'HostSNI("*")', ruleSyntax: v1, service: a}
    noservice: {rule: 'HostSNI("*")'}
    gone: {rule: 'HostSNI("*")', service: b}
    point: {rule: 'HostSNI("*")', service: a, entryPoints: [dbs]}
    looped: {rule: 'HostSNI("*")', service: loop}
    options: {rule: 'HostSNI("o")', service: a, tls: {options: gone}}
    guarded: {rule: 'HostSNI("g")', service: a, tls: {}, middlewares: [few]}
    passed: {rule: 'HostSNI("p")', service: a, tls: {passthrough: true, certResolver: le}}
    resolved: {rule: 'HostSNI("r")', service: a, tls: {certResolver: lets}}
    wrong: {rule: 'HostSNI("w")', service: a, tls: {}, priorty: 7}
  middlewares: {few: {inFlightConn: {amount: 0}}, none: {}}
`+services), nil, env)
	for name, want := range map[string]string{
		"fine": "enabled ", "norule": "disabled it has no rule", "named": "disabled its rule asks for the name x", "badrule": "disabled rule: at byte", "syntax": `disabled ruleSyntax: "v1"`,
		"noservice": "disabled it has no service", "gone": `disabled its service "b@file" does not exist`, "point": `disabled its entry point "dbs" does not exist (did you mean "db"?)`,
		"looped": `disabled its service "loop@file" is out of use: weighted: services[0]: it is made of itself`, "options": "disabled it does not exist",
		"guarded": `disabled its middleware "few@file" is out of use: inFlightConn: amount: 0 is not above 0`, "passed": "warning with passthrough the service speaks TLS",
		"resolved": `warning there is no certificate resolver "lets" (install option certificatesResolvers): another certificate is served, or the default one (did you mean "le"?)`,
		"wrong":    `disabled tcp.routers.wrong.priorty: there is no option "priorty" here`,
	} {
		rt := table.Routes()[name+"@file"]
		if got := fmt.Sprintf("%s %s", rt.Status, strings.Join(rt.Errors, "; ")); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	for name, want := range map[string]string{"a": "", "both": "", "loop": "it is made of itself", "broken": `servers[0]: address "nothing": is none`, "far": `its serversTransport "gone@file" does not exist`} {
		if got := strings.Join(table.Services()[name+"@file"].Errors, "; "); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("service %s: got %s", name, got)
		}
	}
	table.Retire()
}

// A router that lacks what was to guard it keeps its place, one that lacks its service does not.
func TestBuild_WhoKeepsAPlace(t *testing.T) {
	at := Build(configOf(t, `tcp:
  routers:
    guarded: {rule: 'HostSNI("g.test")', service: a, tls: {}, middlewares: [gone]}
    empty: {rule: 'HostSNI("e.test")', service: gone, tls: {}}
    any: {rule: 'HostSNI("*")', service: a, tls: {}}
    first: {rule: 'HostSNI("p.test")', service: a, tls: {}, priority: 1000}
    second: {rule: 'HostSNI("p.test") && ClientIP("10.0.0.0/8")', service: a, tls: {}}
`+services), nil, env).At("web")
	for name, want := range map[string]string{"g.test": "guarded@file", "e.test": "any@file", "x.test": "any@file", "p.test": "first@file"} {
		if rt := at.Secure(name, nil, netip.MustParseAddr("10.0.0.1")); rt.Name != want {
			t.Errorf("%s: got %s, want %s", name, rt.Name, want)
		}
	}
	if at.HasPlain() || at.Plain(netip.Addr{}) != nil || !at.HasSecure() {
		t.Error("there are routes for plain connections")
	}
}

func TestBuild_WhatIsTheSameStays(t *testing.T) {
	const text = "tcp:\n  routers: {r: {rule: 'HostSNI(\"*\")', service: both}}\n" + services
	first := Build(configOf(t, text), nil, env)
	again := Build(configOf(t, text), first, env)
	for _, name := range []string{"a@file", "both@file"} {
		if first.Services()[name] != again.Services()[name] {
			t.Errorf("%s is another one", name)
		}
	}
	changed := Build(configOf(t, strings.Replace(text, "10.0.0.1:1", "10.0.0.1:2", 1)), again, env)
	for _, name := range []string{"a@file", "both@file"} {
		if changed.Services()[name] == again.Services()[name] {
			t.Errorf("%s is the old one", name)
		}
	}
	changed.RetireFrom(again)
	changed.Retire()
}
