package router

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const parts = `http:
  routers: {r: {rule: 'PathPrefix("/")', service: all}}
  services:
    a: {loadBalancer: {servers: [{url: 'http://a'}]}}
    b: {loadBalancer: {servers: [{url: 'http://b'}]}}
    all: {middlewares: [deeper], weighted: {services: [{name: a}, {name: inner}]}}
    inner: {failover: {service: b, fallback: a}}
  middlewares: {deeper: {addPrefix: {prefix: /deep}}}
`

func TestService_OfServicesWithMiddlewares(t *testing.T) {
	r := New(newEnv())
	table := r.Apply(parse(t, "file", parts))
	for _, s := range table.Services() {
		if s.Status != Enabled {
			t.Fatalf("%s is %s: %q", s.Name, s.Status, s.Errors)
		}
	}
	got := map[string]bool{}
	for range 4 {
		got[ask(t, r, "web", "http://x/p")] = true
	}
	if len(got) != 2 || !got["200 a /deep/p"] || !got["200 b /deep/p"] {
		t.Errorf("got %v", got)
	}
}

// What a service is made of may be scaled; it is built anew only when one of them is
// replaced as a whole, or a middleware of its own changes.
func TestService_OfServicesIsKeptAsLongAsItsPartsAre(t *testing.T) {
	r := New(newEnv())
	cfg := parse(t, "file", parts)
	before := r.Apply(cfg)
	instance := func(table *Table) *instance { return table.services["all@file"].current.Load() }
	first := instance(before)
	for _, tt := range []struct {
		name, change string
		same         bool
	}{
		{"a part is scaled", "http: {services: {b: {loadBalancer: {servers: [{url: 'http://b'}, {url: 'http://b2'}]}}}}", true},
		{"another service comes", "http: {services: {c: {loadBalancer: {servers: [{url: 'http://c'}]}}}}", true},
		{"its middleware changes", "http: {middlewares: {deeper: {addPrefix: {prefix: /deeper}}}}", false},
		{"a part gets another kind", "http: {services: {b: {failover: {service: c, fallback: a}}}}", true},
	} {
		cfg = changed(t, cfg, tt.change)
		table := r.Apply(cfg)
		if got := instance(table); (got == first) != tt.same {
			t.Errorf("%s: the same instance %v, want %v", tt.name, got == first, tt.same)
		} else {
			first = got
		}
		if s := table.services["all@file"]; s.Status != Enabled {
			t.Errorf("%s: got %s %q", tt.name, s.Status, s.Errors)
		}
	}
	if got := ask(t, r, "web", "http://x/p") + ask(t, r, "web", "http://x/p"); !strings.Contains(got, "c /deeper/p") || !strings.Contains(got, "a /deeper/p") {
		t.Errorf("got %s", got)
	}
}

func TestService_Mistakes(t *testing.T) {
	for _, tt := range []struct{ name, services, of, want string }{
		{"no such part", "all: {weighted: {services: [{name: bb}]}}", "all", `weighted: the service "bb@file" does not exist`},
		{"itself", "all: {weighted: {services: [{name: all}]}}", "all", `the service "all@file" leads back to itself: all@file > all@file`},
		{"a part out of use", "all: {weighted: {services: [{name: x}]}}, x: {loadBalancer: {servers: [{url: 'ftp://x'}]}}", "all", `its service "x@file" is out of use: loadBalancer: server 1`},
		{"no such middleware", "all: {middlewares: [deper], failover: {service: b, fallback: b}}", "all", `the middleware "deper@file" does not exist`},
		{"no such transport", "all: {loadBalancer: {serversTransport: insde, servers: [{url: 'http://x'}]}}", "all", `the serversTransport "insde@file" does not exist`},
		{"a transport out of use", "all: {loadBalancer: {serversTransport: wrong, servers: [{url: 'http://x'}]}}", "all", `its serversTransport "wrong@file" is out of use: minVersion: "tls1.2" is none of`},
		{"a mistyped transport", "all: {loadBalancer: {serversTransport: mistyped, servers: [{url: 'http://x'}]}}", "all", `its serversTransport "mistyped@file" is out of use: http.serversTransports.mistyped.rootCA: there is no option "rootCA" here`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table := Build(parse(t, "file", `http:
  routers: {r: {rule: 'PathPrefix("/")', service: all}, other: {rule: 'Host("b")', service: b}}
  middlewares: {deeper: {addPrefix: {prefix: /deep}}}
  serversTransports: {inside: {insecureSkipVerify: true}, wrong: {minVersion: tls1.2}, mistyped: {rootCA: [x]}}
  services: {b: {loadBalancer: {servers: [{url: 'http://b'}]}}, `+tt.services+`}
`), nil, newEnv())
			s := table.Services()[tt.of+"@file"]
			if s.Status != Disabled || !strings.Contains(strings.Join(s.Errors, "; "), tt.want) {
				t.Errorf("got %s %q, want %q", s.Status, s.Errors, tt.want)
			}
			if table.Routes()["r@file"].Status != Disabled {
				t.Error("the router is in use")
			}
			if rt := table.Routes()["other@file"]; rt.Status != Enabled {
				t.Errorf("the other router is %s: %q", rt.Status, rt.Errors)
			}
		})
	}
}

// A part that goes and comes, as containers do, is warned of, and costs nothing else.
func TestService_GoesOnWithoutAPart(t *testing.T) {
	r := New(newEnv())
	cfg := parse(t, "file", parts)
	r.Apply(cfg)
	without := changed(t, cfg, "http: {}")
	delete(without.HTTP.Services, "a@file")
	const want = `service all: it goes on without one of its services: the service "a@file" does not exist`
	for range 2 { // the second time all of it is kept
		table := r.Apply(changed(t, without, "http: {}"))
		if s := table.Services()["all@file"]; s.Status != Warned || len(s.Errors) != 1 {
			t.Fatalf("got %s %q", s.Status, s.Errors)
		}
		if got := strings.Join(reasons(table, "all@file"), "; "); !strings.Contains(got, "it goes on without one of its services: the service \"a@file\" does not exist") {
			t.Errorf("got %s, want %s", got, want)
		}
		if got := ask(t, r, "web", "http://x/p") + ask(t, r, "web", "http://x/p"); got != "200 b /deep/p200 b /deep/p" {
			t.Errorf("got %s", got)
		}
	}
	table := r.Apply(cfg)
	if s := table.Services()["all@file"]; s.Status != Enabled || len(table.Problems()) != 0 {
		t.Errorf("with the part: got %s %q, %v", s.Status, s.Errors, table.Problems())
	}
}

// Circles are cut: what can work works.
func TestService_CirclesAreCut(t *testing.T) {
	r := New(newEnv())
	table := r.Apply(parse(t, "file", `http:
  routers: {r: {rule: 'PathPrefix("/")', service: all}}
  services: {all: {weighted: {services: [{name: x}]}}, x: {failover: {service: all, fallback: b}}, b: {loadBalancer: {servers: [{url: 'http://b'}]}}}
`))
	if !strings.Contains(fmt.Sprint(table.Problems()), "leads back to itself: ") {
		t.Errorf("got %v", table.Problems())
	}
	if x := table.Services()["x@file"]; x.Status != Warned { // it has its fallback
		t.Errorf("got %s %q", x.Status, x.Errors)
	}
}

func TestService_MistypedNamesHaveTheNearestRightOne(t *testing.T) {
	table := Build(parse(t, "file", "http: {serversTransports: {inside: {}}, services: {all: {loadBalancer: {serversTransport: insde, servers: [{url: 'http://x'}]}}}}"), nil, newEnv())
	if got := table.Problems(); len(got) != 1 || got[0].Nearest != "inside@file" {
		t.Errorf("got %+v", got)
	}
}

// A transport belongs to the services that name it. When it changes, they talk to
// their servers by the new one.
func TestService_ServersTransport(t *testing.T) {
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, "secure", r.URL.Path) }))
	t.Cleanup(secure.Close)
	const text = `http:
  routers: {r: {rule: 'PathPrefix("/")', service: s}}
  services: {s: {loadBalancer: {serversTransport: inside, servers: [{url: '%s'}]}}}
  serversTransports: {inside: {insecureSkipVerify: %v}}
`
	r := New(newEnv())
	r.Apply(parse(t, "file", fmt.Sprintf(text, secure.URL, false)))
	if got := ask(t, r, "web", "http://x/p"); !strings.HasPrefix(got, "500") {
		t.Errorf("a certificate of nobody: got %s", got)
	}
	r.Apply(parse(t, "file", fmt.Sprintf(text, secure.URL, true)))
	if got := ask(t, r, "web", "http://x/p"); got != "200 secure/p" {
		t.Errorf("after the change: got %s", got)
	}
	one := r.Table().transports["inside@file"]
	r.Apply(parse(t, "file", fmt.Sprintf(text, secure.URL, true)))
	if r.Table().transports["inside@file"] != one {
		t.Error("a transport that is the same was made anew")
	}
}

func TestService_ChecksBeginWhenTheTableComesIntoForce(t *testing.T) {
	asked := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{} }))
	t.Cleanup(server.Close)
	cfg := parse(t, "file", "http: {services: {s: {loadBalancer: {healthCheck: {path: /up}, servers: [{url: '"+server.URL+"'}]}}}}")
	looked := Build(cfg, nil, newEnv())
	looked.Retire()
	if len(asked) > 0 {
		t.Error("a table that was only built asked a server")
	}
	r := New(newEnv())
	r.Apply(cfg)
	<-asked
	r.Table().Retire()
}

func TestMiddleware_KeepsOverRoutesAndReloads(t *testing.T) {
	cfg := parse(t, "file", parts)
	before := Build(cfg, nil, newEnv())
	made := 0
	count := func() any { made++; return &made }
	kept := func(t *Table) any { return t.middlewares["deeper@file"].kept.keep(count) }
	first := kept(before)
	next := Build(changed(t, cfg, "http: {middlewares: {deeper: {addPrefix: {prefix: /other}}}}"), before, newEnv())
	if kept(next) != first || made != 1 {
		t.Errorf("what is kept was made %d times", made)
	}
	other := Build(changed(t, cfg, "http: {middlewares: {deeper: {stripPrefix: {prefixes: [/other]}}}}"), next, newEnv())
	if kept(other); made != 2 {
		t.Error("another type of middleware got what the one before has kept")
	}
}

// TestCache_IsOfTheServiceOfItsRoute has one middleware before two services that get the same
// request.
func TestCache_IsOfTheServiceOfItsRoute(t *testing.T) {
	r := New(newEnv())
	cfg := parse(t, "file", `http:
  routers:
    a: {rule: "Path(`+"`/a`"+`)", service: a, middlewares: [same, pages]}
    b: {rule: "Path(`+"`/b`"+`)", service: b, middlewares: [same, pages]}
  middlewares:
    same: {replacePath: {path: /x}}
    pages: {cache: {ttl: {"200": 1m}}}
  services:
    a: {loadBalancer: {servers: [{url: "http://a.test"}]}}
    b: {loadBalancer: {servers: [{url: "http://b.test"}]}}
`)
	ask := func(path string) (body, told string) {
		w := httptest.NewRecorder()
		r.Handler("web").ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Body.String(), w.Header().Get("Cache-Status")
	}
	r.Apply(cfg)
	for _, path := range []string{"/a", "/b"} {
		first, told := ask(path)
		if !strings.Contains(first, path[1:]+".test") || strings.Contains(told, "hit") {
			t.Errorf("%s: got %q, %s", path, first, told)
		}
		if body, told := ask(path); body != first || !strings.Contains(told, "hit") {
			t.Errorf("%s again: got %q, %s", path, body, told)
		}
	}
	r.Apply(changed(t, cfg, "http: {services: {other: {loadBalancer: {servers: [{url: 'http://c.test'}]}}}, routers: {a: {rule: 'PathPrefix(`/a`)', service: a, middlewares: [same, pages]}}}"))
	if body, told := ask("/a"); !strings.Contains(told, "hit") {
		t.Errorf("after a reload: got %q, %s", body, told)
	}
}
