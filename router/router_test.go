package router

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"

	"fairway/config/dynamic"
	"fairway/internal/record"
)

const base = `
http:
  routers:
    a: {rule: 'Host("a")', service: one, middlewares: [strip]}
    b: {rule: 'Host("b")', service: one, middlewares: [group]}
    c: {rule: 'Host("c")', service: two}
  middlewares:
    strip: {stripPrefix: {prefixes: [/x]}}
    add: {addPrefix: {prefix: /y}}
    group: {chain: {middlewares: [add]}}
  services:
    one: {loadBalancer: {servers: [{url: 'http://one'}]}}
    two: {loadBalancer: {servers: [{url: 'http://two'}]}}
`

func TestApply_RebuildsOnlyWhatUsesTheChange(t *testing.T) {
	tests := map[string]struct {
		change  string
		rebuilt []string
	}{
		"nothing":                      {"{}", nil},
		"the same again":               {base, nil},
		"a service is scaled":          {"http: {services: {one: {loadBalancer: {servers: [{url: 'http://one'}, {url: 'http://other'}]}}}}", nil},
		"a service gets options":       {"http: {services: {one: {loadBalancer: {passHostHeader: false, servers: [{url: 'http://one'}]}}}}", nil},
		"a service breaks":             {"http: {services: {one: {loadBalancer: {servers: [{url: 'x'}]}}}}", []string{"a@file", "b@file"}},
		"a middleware":                 {"http: {middlewares: {strip: {stripPrefix: {prefixes: [/z]}}}}", []string{"a@file"}},
		"a middleware inside a chain":  {"http: {middlewares: {add: {addPrefix: {prefix: /z}}}}", []string{"b@file"}},
		"a middleware nobody uses":     {"http: {middlewares: {new: {addPrefix: {prefix: /z}}}}", nil},
		"a router":                     {"http: {routers: {c: {rule: 'Host(\"cc\")', service: two}}}", []string{"c@file"}},
		"a router with a mistake":      {"http: {routers: {c: {rule: 'Host(\"c\")', service: two, bogus: 1}}}", []string{"c@file"}},
		"a new router":                 {"http: {routers: {d: {rule: 'Host(\"d\")', service: two}}}", []string{"d@file"}},
		"a middleware gets a mistake":  {"http: {middlewares: {strip: {stripPrefix: {prefixes: [/x], bogus: 1}}}}", []string{"a@file"}},
		"a service with a lost option": {"http: {services: {two: {loadBalancer: {bogus: 1, servers: [{url: 'http://two'}]}}}}", []string{"c@file"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := New(newEnv())
			cfg := parse(t, "file", base)
			before := r.Apply(cfg)
			retired := watchRetired(before)
			after := r.Apply(changed(t, cfg, tt.change))
			rebuilt := map[string]bool{}
			for _, name := range tt.rebuilt {
				rebuilt[name] = true
			}
			for name, rt := range after.Routes() {
				if same := before.Routes()[name] == rt; same == rebuilt[name] {
					t.Errorf("route %s: same %v, want %v", name, same, !rebuilt[name])
				}
				wantRetired := 0
				if rebuilt[name] && before.Routes()[name] != nil {
					wantRetired = 1
				}
				if got := retired["router "+name]; got != wantRetired {
					t.Errorf("route %s was retired %d times, want %d", name, got, wantRetired)
				}
			}
		})
	}
}

func TestApply_ScalesAServiceInsideItsSlot(t *testing.T) {
	r := New(newEnv())
	cfg := parse(t, "file", base)
	before := r.Apply(cfg)
	retired := watchRetired(before)
	slot := before.Services()["two@file"]
	after := r.Apply(changed(t, cfg, "http: {services: {two: {loadBalancer: {servers: [{url: 'http://new'}]}}}}"))
	if after.Services()["two@file"] != slot {
		t.Error("the slot was replaced")
	}
	if got := ask(t, r, "web", "http://c/"); got != "200 new /" {
		t.Errorf("got %s", got)
	}
	if got := retired["service two@file"]; got != 1 {
		t.Errorf("the old instance was retired %d times, want once", got)
	}
	if servers := slot.Servers(); len(servers) != 1 || servers[0].URL != "http://new" {
		t.Errorf("got servers %v", servers)
	}
}

func TestApply_RetiresWhatIsGoneExactlyOnce(t *testing.T) {
	r := New(newEnv())
	retired := watchRetired(r.Apply(parse(t, "file", base)))
	for range 3 {
		r.Apply(&dynamic.Configuration{})
	}
	for _, name := range []string{"router a@file", "router b@file", "router c@file", "service one@file", "service two@file"} {
		if retired[name] != 1 {
			t.Errorf("%s was retired %d times, want once", name, retired[name])
		}
	}
	if got := ask(t, r, "web", "http://a/"); got != "404 404 page not found" {
		t.Errorf("got %s", got)
	}
}

func TestApply_ThingsComeBackWhenTheyAreMended(t *testing.T) {
	r := New(newEnv())
	good := parse(t, "file", base)
	r.Apply(good)
	const nothing, closed = "404 404 page not found", "503 Service Unavailable"
	for name, tt := range map[string]struct{ change, want string }{
		"service":    {"http: {services: {one: {loadBalancer: {servers: [{url: 'x'}]}}}}", nothing},
		"middleware": {"http: {middlewares: {strip: {}}}", closed},
		"router":     {"http: {routers: {a: {rule: 'Host(', service: one}}}", nothing},
	} {
		r.Apply(changed(t, good, tt.change))
		if got := ask(t, r, "web", "http://a/x/p"); got != tt.want {
			t.Errorf("with a broken %s: got %s", name, got)
		}
		r.Apply(good)
		if got := ask(t, r, "web", "http://a/x/p"); got != "200 one /p" {
			t.Errorf("with a mended %s: got %s", name, got)
		}
	}
	// A missing one that appears.
	r.Apply(changed(t, good, "http: {routers: {d: {rule: 'Host(\"d\")', service: late}}}"))
	r.Apply(changed(t, good, "http: {routers: {d: {rule: 'Host(\"d\")', service: late}}, services: {late: {loadBalancer: {servers: [{url: 'http://late'}]}}}}"))
	if got := ask(t, r, "web", "http://d/"); got != "200 late /" {
		t.Errorf("with a service that came later: got %s", got)
	}
}

func TestBuild_LeavesTheTableInForceAlone(t *testing.T) {
	env := newEnv()
	r := New(env)
	cfg := parse(t, "file", base)
	live := r.Apply(cfg)
	Build(changed(t, cfg, "http: {services: {two: {loadBalancer: {servers: [{url: 'http://new'}]}}}}"), live, env)
	if got := ask(t, r, "web", "http://c/"); got != "200 two /" {
		t.Errorf("a table that was only built is in force: got %s", got)
	}
}

func TestLookup_KeepsTLSAndPlainTextApart(t *testing.T) {
	r := New(newEnv())
	r.Apply(parse(t, "file", `
http:
  routers:
    plain: {rule: 'Host("a")', service: plain}
    secure: {rule: 'Host("a")', service: secure, tls: {}}
    only: {rule: 'Host("only")', service: secure, tls: {}}
  services:
    plain: {loadBalancer: {servers: [{url: 'http://plain'}]}}
    secure: {loadBalancer: {servers: [{url: 'http://secure'}]}}
`))
	for url, want := range map[string]string{
		"http://a/": "200 plain /", "https://a/": "200 secure /", "https://only/": "200 secure /", "http://only/": "404 404 page not found",
	} {
		if got := ask(t, r, "websecure", url); got != want {
			t.Errorf("%s: got %s, want %s", url, got, want)
		}
	}
	if got := ask(t, r, "nowhere", "http://a/"); got != "404 404 page not found" {
		t.Errorf("at an unknown entry point: got %s", got)
	}
}

func TestLookup_OrderOfRouters(t *testing.T) {
	one := func(name, extra string) string {
		return fmt.Sprintf("http: {routers: {%[1]s: {rule: 'PathPrefix(`/`)', service: %[1]s%[2]s}}, services: {%[1]s: {loadBalancer: {servers: [{url: 'http://%[1]s'}]}}}}", name, extra)
	}
	type object struct{ provider, name, extra string }
	tests := map[string]struct {
		routers    []object
		want       string
		precedence dynamic.Precedence
	}{
		"the higher priority":            {[]object{{"file", "a", ", priority: 1"}, {"file", "b", ", priority: 2"}}, "b", nil},
		"a negative priority":            {[]object{{"file", "a", ", priority: -1"}, {"file", "b", ", priority: -2"}}, "a", nil},
		"by name when equal":             {[]object{{"file", "b", ""}, {"file", "a", ""}}, "a", nil},
		"docker before file when equal":  {[]object{{"file", "a", ""}, {"docker", "b", ""}}, "b", nil},
		"priority before provider":       {[]object{{"file", "a", ", priority: 100"}, {"docker", "b", ""}}, "a", nil},
		"unknown providers last":         {[]object{{"aaa", "a", ""}, {"file", "b", ""}}, "b", nil},
		"file before docker, as is said": {[]object{{"file", "b", ""}, {"docker", "a", ""}}, "b", dynamic.Precedence{"file"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			all := map[string]*dynamic.Configuration{}
			for _, o := range tt.routers {
				cfg := parse(t, o.provider, one(o.name, o.extra))
				if have := all[o.provider]; have != nil {
					cfg = &dynamic.Configuration{HTTP: &dynamic.HTTP{Routers: overlaid(have.HTTP.Routers, cfg.HTTP.Routers), Services: overlaid(have.HTTP.Services, cfg.HTTP.Services)}}
				}
				all[o.provider] = cfg
			}
			env := newEnv()
			env.Precedence = tt.precedence
			r := New(env)
			r.Apply(dynamic.Merge(all))
			if got, want := ask(t, r, "web", "http://x/"), "200 "+tt.want+" /"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestRoute_FillsTheRecord(t *testing.T) {
	r := New(newEnv())
	r.Apply(parse(t, "file", base+"    three: {loadBalancer: {servers: []}}\n"))
	rec := &record.Record{ClientIP: netip.MustParseAddr("192.0.2.9")}
	req := httptest.NewRequest(http.MethodGet, "http://c/", nil)
	r.Handler("web").ServeHTTP(httptest.NewRecorder(), req.WithContext(record.With(req.Context(), rec)))
	if rec.Router != "c@file" || rec.Service != "two@file" || rec.Server != "http://two" || rec.Cause != "" {
		t.Errorf("got %+v", rec)
	}
	rec = &record.Record{}
	req = httptest.NewRequest(http.MethodGet, "http://nobody/", nil)
	r.Handler("web").ServeHTTP(httptest.NewRecorder(), req.WithContext(record.With(req.Context(), rec)))
	if rec.Router != "" || rec.Cause != "no router matches" {
		t.Errorf("without a route: got %+v", rec)
	}
}

// TestApply_NoRequestFailsMeanwhile looks routes up during 500 changes.
func TestApply_NoRequestFailsMeanwhile(t *testing.T) {
	r := New(newEnv())
	cfg := parse(t, "file", base)
	r.Apply(cfg)
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				if got := ask(t, r, "web", "http://a/x/p"); got != "200 one /p" && got != "200 other /p" {
					t.Errorf("got %s", got)
					return
				}
			}
		})
	}
	for i := range 500 {
		switch i % 3 {
		case 0:
			r.Apply(changed(t, cfg, "http: {services: {one: {loadBalancer: {servers: [{url: 'http://other'}]}}}}"))
		case 1:
			r.Apply(changed(t, cfg, fmt.Sprintf("http: {routers: {d%d: {rule: 'Host(\"d\")', service: two}}, middlewares: {strip: {stripPrefix: {prefixes: [/x, /%d]}}}}", i, i)))
		default:
			r.Apply(cfg)
		}
	}
	stop()
	clients.Wait()
}
