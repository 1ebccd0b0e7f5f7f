package dynamic

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fairway/internal/decode"
	"fairway/middlewares/addprefix"
	"fairway/tls/certs"
)

func TestQualified_ObjectsAndProblemsBelongToTheirProvider(t *testing.T) {
	web := &Router{Rule: "Host(`a`)", Service: "s"}
	c := &Configuration{
		HTTP: &HTTP{Routers: map[string]*Router{"web": web, "web@file": {}, "x@y": {Rule: "1"}, "x-y": {Rule: "2"}}},
		Problems: []Problem{
			{Kind: KindRouter, Name: "web@file", Disables: true}, {Kind: KindRouter, Name: "web"}, {Reason: "of nothing"},
		},
	}
	q := c.Qualified("docker")
	if diff := cmp.Diff([]string{"web-file@docker", "web@docker", "x-y@docker"}, slices.Sorted(maps.Keys(q.HTTP.Routers))); diff != "" {
		t.Error(diff)
	}
	if q.HTTP.Routers["web@docker"] != web {
		t.Error("the objects are not shared")
	}
	if got := q.HTTP.Routers["x-y@docker"].Rule; got != "2" {
		t.Errorf("of two names that come out alike: got %s, want the one that was written so", got)
	}
	var names []string
	for _, p := range q.Problems {
		names = append(names, p.Provider+" "+p.Name)
	}
	if diff := cmp.Diff([]string{"docker web-file@docker", "docker web@docker", "docker "}, names); diff != "" {
		t.Error(diff)
	}
}

func TestQualified_AcceptsAnEmptyConfiguration(t *testing.T) {
	if q := (&Configuration{}).Qualified("file"); q.HTTP == nil || len(q.HTTP.Routers) != 0 {
		t.Errorf("got %+v", q)
	}
}

func TestMerge_KeepsAllProviders(t *testing.T) {
	a := (&Configuration{HTTP: &HTTP{Routers: map[string]*Router{"r": {}}}, Problems: []Problem{{Reason: "1"}}}).Qualified("a")
	b := (&Configuration{HTTP: &HTTP{Routers: map[string]*Router{"r": {}}}, Problems: []Problem{{Reason: "2"}}}).Qualified("b")
	m := Merge(map[string]*Configuration{"b": b, "a": a, "c": {}})
	if len(m.HTTP.Routers) != 2 || len(m.Problems) != 2 || m.Problems[0].Reason != "1" {
		t.Errorf("got %+v", m)
	}
	if len(a.HTTP.Routers)+len(b.HTTP.Routers) != 2 {
		t.Error("the parts changed")
	}
}

func TestEqual(t *testing.T) {
	one := func() *Configuration {
		return &Configuration{HTTP: &HTTP{
			Routers:     map[string]*Router{"r": {Rule: "x", TLS: &RouterTLS{}}},
			Middlewares: map[string]*Middleware{"m": {AddPrefix: &addprefix.Config{Prefix: "/a"}}},
		}}
	}
	tests := map[string]struct {
		change func(*Configuration)
		want   bool
	}{
		"the same":        {func(*Configuration) {}, true},
		"empty, not nil":  {func(c *Configuration) { c.HTTP.Services = map[string]*Service{} }, true},
		"another rule":    {func(c *Configuration) { c.HTTP.Routers["r"] = &Router{Rule: "y", TLS: &RouterTLS{}} }, false},
		"no TLS":          {func(c *Configuration) { c.HTTP.Routers["r"] = &Router{Rule: "x"} }, false},
		"one more":        {func(c *Configuration) { c.HTTP.Services = map[string]*Service{"s": {}} }, false},
		"one less":        {func(c *Configuration) { c.HTTP.Middlewares = nil }, false},
		"a problem":       {func(c *Configuration) { c.Problems = []Problem{{Reason: "x"}} }, false},
		"nothing at all":  {func(c *Configuration) { c.HTTP = nil }, false},
		"another's value": {func(c *Configuration) { c.HTTP.Middlewares["m"].AddPrefix = &addprefix.Config{Prefix: "/b"} }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a, b := one(), one()
			tt.change(b)
			if got := Equal(a, b); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if got := Equal(b, a); got != tt.want {
				t.Errorf("the other way round: got %v, want %v", got, tt.want)
			}
		})
	}
	if !Equal(nil, nil) || Equal(nil, one()) || Equal(one(), nil) {
		t.Error("nil equals nil alone")
	}
}

func TestBlame_FindsTheObject(t *testing.T) {
	tests := map[string]struct {
		fault decode.Fault
		want  Problem
	}{
		"a router":               {decode.Fault{Path: "http.routers.web.x"}, Problem{Kind: KindRouter, Name: "Web", Disables: true}},
		"a middleware":           {decode.Fault{Path: "HTTP.Middlewares.m.x"}, Problem{Kind: KindMiddleware, Name: "m", Disables: true}},
		"a service":              {decode.Fault{Path: "http.services.s.x"}, Problem{Kind: KindService, Name: "s"}},
		"an option to come":      {decode.Fault{Path: "http.routers.web.x", Kind: decode.NotYet}, Problem{Severity: Warning, Kind: KindRouter, Name: "Web"}},
		"a router below another": {decode.Fault{Path: "http.routers.web.parentRefs", Kind: decode.NotYet}, Problem{Kind: KindRouter, Name: "Web", Disables: true, Reason: "; the router is out of use, for what its parents demand may be what keeps strangers out"}},
		"a deprecated option":    {decode.Fault{Path: "http.routers.web.x", Kind: decode.Deprecated}, Problem{Severity: Notice, Kind: KindRouter, Name: "Web"}},
		"an option twice":        {decode.Fault{Path: "http.routers.web.rule", Kind: decode.Twice}, Problem{Kind: KindRouter, Name: "Web", Disables: true}},
		"a router twice":         {decode.Fault{Path: "http.routers.web", Kind: decode.Twice}, Problem{Kind: KindRouter, Name: "Web"}},
		"a section":              {decode.Fault{Path: "http.routerz.web.x"}, Problem{}},
		"a router of TCP":        {decode.Fault{Path: "tcp.routers.web.x"}, Problem{Kind: KindTCPRouter, Name: "web", Disables: true}},
		"a transport of TCP":     {decode.Fault{Path: "tcp.serverstransports.t.x"}, Problem{Kind: KindTCPTransport, Name: "t", Disables: true}},
		"a service of UDP":       {decode.Fault{Path: "udp.services.s.x"}, Problem{Kind: KindUDPService, Name: "s"}},
		"another protocol":       {decode.Fault{Path: "sctp.routers.web.x"}, Problem{}},
		"a name that is none":    {decode.Fault{Path: "http.routers..x"}, Problem{}},
		"nothing below":          {decode.Fault{Path: "http.routers"}, Problem{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := &HTTP{Routers: map[string]*Router{"Web": {}}}
			got := (&Configuration{HTTP: h}).Blame(tt.fault)
			tt.want.Key = tt.fault.Path
			if tt.want.Severity == "" {
				tt.want.Severity = Error
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if got.Kind == KindMiddleware && h.Middlewares[got.Name] == nil || got.Kind == KindService && h.Services[got.Name] == nil {
				t.Error("the object is not there to be shown")
			}
		})
	}
}

func TestProblem_String(t *testing.T) {
	tests := map[string]Problem{
		`container web: traefik.x: is wrong (did you mean "y"?)`: {Source: "container web", Key: "traefik.x", Reason: "is wrong", Nearest: "y"},
		"a.yml:3: http.x: is wrong":                              {Source: "a.yml", Line: 3, Key: "http.x", Reason: "is wrong"},
		"router web@file: is wrong":                              {Kind: KindRouter, Name: "web@file", Reason: "is wrong"},
		"is wrong":                                               {Reason: "is wrong"},
	}
	for want, p := range tests {
		if got := p.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestTraefikOption(t *testing.T) {
	for path, want := range map[string]bool{
		"http.middlewares.x.plugin":               true,
		"http.middlewares.x.plugin.a.b":           true,
		"http.middlewares.x.plugins":              false,
		"http.middlewares.plugin.addprefix":       false,
		"http.middlewares.x.plugin.any.db":        true,
		"http.middlewares.x.ratelimit.average":    false,
		"http.routers.x.observability.tracing":    false,
		"http.routers.x.parentrefs":               true,
		"http.routers.x.parentrefs[0]":            true,
		"http":                                    false,
		"tcp.routers.x":                           false,
		"tcp.serverstransports.x.tls.spiffe.ids":  true,
		"":                                        false,
		"http.services.x.loadbalancer.server.url": false,
	} {
		if got := TraefikOption(path); got != want {
			t.Errorf("%q: got %v, want %v", path, got, want)
		}
	}
}

// What the operator has written in a file does not give way to what labels say.
func TestMerge_FilesGoBeforeLabelsInTLS(t *testing.T) {
	stores := func(file string) *TLS {
		return &TLS{Stores: map[string]*certs.Store{DefaultTLS: {DefaultCertificate: &certs.Certificate{CertFile: file}}}, Options: map[string]*certs.Options{DefaultTLS: {MinVersion: file}}}
	}
	merged := Merge(map[string]*Configuration{"docker": {TLS: stores("labels")}, "file": {TLS: stores("file")}, "consul": {}})
	if got := merged.TLS.Stores[DefaultTLS].DefaultCertificate.CertFile + merged.TLS.Options[DefaultTLS].MinVersion; got != "filefile" {
		t.Errorf("got %s", got)
	}
	if len(merged.Problems) != 2 || merged.Problems[0].Provider != "docker" || merged.Problems[0].Reason != "is not used: the provider file has one of the same name" {
		t.Errorf("got %v", merged.Problems)
	}
}
