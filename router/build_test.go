package router

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fairway/config/dynamic"
)

const service = "services: {s: {loadBalancer: {servers: [{url: 'http://s'}]}}}"

func TestBuild_DisablesOnlyWhatIsWrong(t *testing.T) {
	tests := map[string]struct {
		router      string // YAML of the router r
		middlewares string
		want        []string // its errors
		status      Status
	}{
		"nothing wrong":           {router: "{rule: 'Host(`a`)', service: s}", status: Enabled},
		"no rule":                 {router: "{service: s}", status: Disabled, want: []string{"it has no rule"}},
		"bad rule":                {router: "{rule: 'Host(`a`', service: s}", status: Disabled, want: []string{"rule Host(`a`: "}},
		"bad syntax name":         {router: "{rule: 'Host(`a`)', ruleSyntax: v4, service: s}", status: Disabled, want: []string{`ruleSyntax "v4" is neither v3 nor v2`}},
		"old syntax":              {router: "{rule: 'Host(`a`, `b`)', ruleSyntax: v2, service: s}", status: Enabled},
		"no service":              {router: "{rule: 'Host(`a`)'}", status: Disabled, want: []string{"it has no service"}},
		"missing service":         {router: "{rule: 'Host(`a`)', service: t}", status: Disabled, want: []string{`the service "t@file" does not exist (did you mean "s@file"?)`}},
		"service of no provider":  {router: "{rule: 'Host(`a`)', service: s@docker}", status: Disabled, want: []string{`the service "s@docker" does not exist (did you mean "s@file"?)`}},
		"internal service":        {router: "{rule: 'Host(`a`)', service: api@internal}", status: Enabled},
		"misspelt internal":       {router: "{rule: 'Host(`a`)', service: apl@internal}", status: Disabled, want: []string{`the service "apl@internal" does not exist (did you mean "api@internal"?)`}},
		"missing middleware":      {router: "{rule: 'Host(`a`)', service: s, middlewares: [strp]}", middlewares: "{strip: {stripPrefix: {prefixes: [/a]}}}", status: Disabled, want: []string{`the middleware "strp@file" does not exist (did you mean "strip@file"?)`}},
		"all that is missing":     {router: "{rule: 'Host(`a`)', service: t, middlewares: [x, y]}", status: Disabled, want: []string{`the service "t@file"`, `the middleware "x@file" does not exist`, `the middleware "y@file" does not exist`}},
		"middleware without type": {router: "{rule: 'Host(`a`)', service: s, middlewares: [m]}", middlewares: "{m: {}}", status: Disabled, want: []string{`its middleware "m@file" is out of use: no type is given`}},
		"middleware of two types": {router: "{rule: 'Host(`a`)', service: s, middlewares: [m]}", middlewares: "{m: {addPrefix: {prefix: /a}, stripPrefix: {prefixes: [/a]}}}", status: Disabled, want: []string{`several types are given, addPrefix and stripPrefix`}},
		"middleware that refuses": {router: "{rule: 'Host(`a`)', service: s, middlewares: [m]}", middlewares: "{m: {stripPrefixRegex: {regex: ['(']}}}", status: Disabled, want: []string{`its middleware "m@file" is out of use: `}},
		"middleware not there yet": {
			router: "{rule: 'Host(`a`)', service: s, middlewares: [m]}", middlewares: "{m: {plugin: {a: 1}}}", status: Disabled,
			want: []string{`its middleware "m@file" is out of use: http.middlewares.m.plugin.a: is an option of Traefik's that fairway does not have yet`},
		},
		"a mistyped option":       {router: "{rule: 'Host(`a`)', service: s, midlewares: [auth]}", status: Disabled, want: []string{`http.routers.r.midlewares: there is no option "midlewares" here (did you mean "http.routers.r.middlewares"?)`}},
		"an option to come":       {router: "{rule: 'Host(`a`)', service: s, parentRefs: [x]}", status: Disabled, want: []string{"http.routers.r.parentRefs: is an option of Traefik's"}},
		"no such entry point":     {router: "{rule: 'Host(`a`)', service: s, entryPoints: [wbe]}", status: Disabled, want: []string{`there is no entry point "wbe" (there are: web, websecure, traefik) (did you mean "web"?)`}},
		"one of two entry points": {router: "{rule: 'Host(`a`)', service: s, entryPoints: [wbe, websecure]}", status: Warned, want: []string{`there is no entry point "wbe"`}},
		"too high a priority":     {router: "{rule: 'Host(`a`)', service: s, priority: 9223372036854775807}", status: Warned, want: []string{"priority 9223372036854775807 is above the highest for routers, "}},
		"a chain in itself":       {router: "{rule: 'Host(`a`)', service: s, middlewares: [m]}", middlewares: "{m: {chain: {middlewares: [n]}}, n: {chain: {middlewares: [m]}}}", status: Disabled, want: []string{`the middleware "m@file" contains itself: m@file > n@file > m@file`}},
		"a chain of chains":       {router: "{rule: 'Host(`a`)', service: s, middlewares: [m]}", middlewares: "{m: {chain: {middlewares: [n, o]}}, n: {chain: {middlewares: [o]}}, o: {addPrefix: {prefix: /o}}}", status: Enabled},
		"a hole in a chain":       {router: "{rule: 'Host(`a`)', service: s, middlewares: [m]}", middlewares: "{m: {chain: {middlewares: [n]}}}", status: Disabled, want: []string{`the middleware "n@file" does not exist`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.middlewares == "" {
				tt.middlewares = "{}"
			}
			cfg := parse(t, "file", "http:\n  routers:\n    r: "+tt.router+"\n    bystander: {rule: 'Host(`b`)', service: s}\n  middlewares: "+tt.middlewares+"\n  "+service)
			table := Build(cfg, nil, newEnv())
			defer table.Retire()
			rt := table.Routes()["r@file"]
			if rt.Status != tt.status || len(rt.Errors) != len(tt.want) {
				t.Fatalf("got %s %q, want %s %q", rt.Status, rt.Errors, tt.status, tt.want)
			}
			for i, want := range tt.want {
				if !strings.Contains(rt.Errors[i], want) {
					t.Errorf("got %q, want %q in it", rt.Errors[i], want)
				}
			}
			if other := table.Routes()["bystander@file"]; other.Status != Enabled {
				t.Errorf("the other router is %s: %q", other.Status, other.Errors)
			}
		})
	}
}

func TestBuild_ServiceThatCannotBeBuiltNamesItself(t *testing.T) {
	table := Build(parse(t, "file", "http: {routers: {r: {rule: 'Host(`a`)', service: s}}, services: {s: {loadBalancer: {servers: [{url: 'ftp://x'}]}}}}"), nil, newEnv())
	if s := table.Services()["s@file"]; s.Status != Disabled || len(s.Errors) != 1 {
		t.Errorf("got %s %q", s.Status, s.Errors)
	}
	rt := table.Routes()["r@file"]
	if rt.Status != Disabled || !strings.Contains(rt.Errors[0], `its service "s@file" is out of use: loadBalancer: server 1: url "ftp://x": the scheme is none of http, https and h2c`) {
		t.Errorf("got %s %q", rt.Status, rt.Errors)
	}
}

func TestBuild_ProblemsOfOneProviderLeaveAnothersObjectsAlone(t *testing.T) {
	all := dynamic.Merge(map[string]*dynamic.Configuration{
		"file":   parse(t, "file", "http: {routers: {r: {rule: 'Host(`a`)', service: s}}, "+service+"}"),
		"docker": parse(t, "docker", "http: {routers: {'r@file': {rule: 'Host(`evil`)', service: s@file, bogus: 1}}}"),
	})
	table := Build(all, nil, newEnv())
	if rt := table.Routes()["r@file"]; rt.Status != Enabled || rt.Config.Rule != "Host(`a`)" {
		t.Errorf("the file's router is %s %q", rt.Status, rt.Errors)
	}
	if rt := table.Routes()["r-file@docker"]; rt == nil || rt.Status != Disabled {
		t.Errorf("got %+v, want the container's router out of use", rt)
	}
}

func TestBuild_ChainsThatGrowWithoutBoundAreRefused(t *testing.T) {
	var b strings.Builder
	b.WriteString("http:\n  " + service + "\n  routers: {r: {rule: 'Host(`a`)', service: s, middlewares: [c0]}, fine: {rule: 'Host(`b`)', service: s}}\n  middlewares:\n    c40: {addPrefix: {prefix: /x}}\n")
	for i := range 40 {
		fmt.Fprintf(&b, "    c%d: {chain: {middlewares: [c%d, c%d]}}\n", i, i+1, i+1)
	}
	table := Build(parse(t, "file", b.String()), nil, newEnv())
	if rt := table.Routes()["r@file"]; rt.Status != Disabled || !strings.Contains(strings.Join(rt.Errors, " "), "more than 1000 middlewares") {
		t.Errorf("got %s with %d errors", rt.Status, len(rt.Errors))
	}
	if rt := table.Routes()["fine@file"]; rt.Status != Enabled {
		t.Errorf("the other router is %s", rt.Status)
	}
}

func TestBuild_EntryPoints(t *testing.T) {
	tls := &dynamic.RouterTLS{Options: "strict"}
	tests := map[string]struct {
		points []EntryPoint
		router string
		want   map[string][]string // route -> entry points
	}{
		"none named: the default ones": {nil, "{rule: 'Host(`a`)', service: s}", map[string][]string{"r@file": {"web", "websecure"}}},
		"named ones, sorted, once":     {nil, "{rule: 'Host(`a`)', service: s, entryPoints: [websecure, traefik, websecure]}", map[string][]string{"r@file": {"traefik", "websecure"}}},
		"asDefault":                    {[]EntryPoint{{Name: "a"}, {Name: "b", Default: true}}, "{rule: 'Host(`a`)', service: s}", map[string][]string{"r@file": {"b"}}},
		"no default left":              {[]EntryPoint{{Name: "a"}}, "{rule: 'Host(`a`)', service: s}", map[string][]string{"r@file": nil}},
		"a copy per entry point when one adds something": {
			[]EntryPoint{{Name: "a", Default: true}, {Name: "b", Default: true, TLS: tls}},
			"{rule: 'Host(`a`)', service: s}",
			map[string][]string{"a-r@file": {"a"}, "b-r@file": {"b"}},
		},
		"no copy for a single entry point": {[]EntryPoint{{Name: "b", Default: true, TLS: tls}}, "{rule: 'Host(`a`)', service: s}", map[string][]string{"r@file": {"b"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			table := Build(parse(t, "file", "http: {routers: {r: "+tt.router+"}, "+service+"}"), nil, newEnv(tt.points...))
			got := map[string][]string{}
			for name, rt := range table.Routes() {
				got[name] = rt.EntryPoints
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBuild_EntryPointAddsItsMiddlewaresAndTLS(t *testing.T) {
	points := []EntryPoint{
		{Name: "web", Default: true, Middlewares: []string{"first@file"}},
		{Name: "websecure", Default: true, TLS: &dynamic.RouterTLS{Options: "ep"}},
	}
	cfg := parse(t, "file", `
http:
  `+service+`
  middlewares: {first: {addPrefix: {prefix: /first}}, second: {addPrefix: {prefix: /second}}}
  routers:
    r: {rule: 'PathPrefix("/")', service: s, middlewares: [second]}
    own: {rule: 'Host("own")', service: s, entryPoints: [websecure], tls: {options: own}}
`)
	r := New(newEnv(points...))
	table := r.Apply(cfg)
	web, secure := table.Routes()["web-r@file"], table.Routes()["websecure-r@file"]
	if diff := cmp.Diff([]string{"first@file", "second@file"}, web.Middlewares); diff != "" || web.TLS != nil {
		t.Errorf("at web: TLS %v, %s", web.TLS, diff)
	}
	if diff := cmp.Diff([]string{"second@file"}, secure.Middlewares); diff != "" || secure.TLS.Options != "ep" {
		t.Errorf("at websecure: %s", diff)
	}
	if got := table.Routes()["own@file"].TLS.Options; got != "own" {
		t.Errorf("the router's own TLS options: got %s", got)
	}
	// A request passes the entry point's first: the second adds in front of it.
	if got := ask(t, r, "web", "http://a/x"); got != "200 s /second/first/x" {
		t.Errorf("got %s", got)
	}
}

func TestBuild_CopyOfARouterDoesNotTakeAnothersName(t *testing.T) {
	points := []EntryPoint{{Name: "a", Default: true}, {Name: "b", Default: true, TLS: &dynamic.RouterTLS{}}}
	cfg := parse(t, "file", "http: {routers: {r: {rule: 'Host(`r`)', service: s}, a-r: {rule: 'Host(`other`)', service: s, entryPoints: [a]}}, "+service+"}")
	for range 20 { // maps are walked in any order
		r := New(newEnv(points...))
		r.Apply(cfg)
		if got := ask(t, r, "a", "http://other/") + ask(t, r, "a", "http://r/"); got != "200 s /200 s /" {
			t.Fatalf("got %s", got)
		}
	}
}

func TestBuild_ManyDifferentProblemsAreAllKept(t *testing.T) {
	cfg := parse(t, "file", "http: {routers: {r: {rule: 'Host(`a`)', service: t}}, middlewares: {m: {}}, services: {u: {}}}")
	cfg.Problems = append(cfg.Problems, dynamic.Problem{Severity: dynamic.Notice, Reason: "as published"})
	first := Build(cfg, nil, newEnv())
	second := Build(&dynamic.Configuration{HTTP: cfg.HTTP, Problems: cfg.Problems}, first, newEnv())
	for _, table := range []*Table{first, second} {
		for _, name := range []string{"r@file", "m@file", "u@file", ""} {
			if len(reasons(table, name)) != 1 {
				t.Errorf("problems of %q: %q", name, reasons(table, name))
			}
		}
	}
	if second.Routes()["r@file"] != first.Routes()["r@file"] {
		t.Error("a disabled route was built again though nothing changed")
	}
}

func TestBuild_PrioritiesOfUsersStayBelowTheGatewaysOwn(t *testing.T) {
	cfg := parse(t, "file", fmt.Sprintf("http: {routers: {high: {rule: 'Host(`a`)', service: s, priority: %d}}, %s}", math.MaxInt, service))
	own := parse(t, "internal", fmt.Sprintf("http: {routers: {redirect: {rule: 'Host(`a`)', service: api, priority: %d}}}", math.MaxInt-1))
	r := New(newEnv())
	r.Apply(dynamic.Merge(map[string]*dynamic.Configuration{"file": cfg, "internal": own}))
	if got := ask(t, r, "web", "http://a/"); got != "200 api" {
		t.Errorf("got %s, want the gateway's own", got)
	}
}
