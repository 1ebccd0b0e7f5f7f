package router

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fairway/internal/record"
	"fairway/proxy"
)

// drawn is a trace that draws which parts are in which.
type drawn struct {
	record.Trace
	lines []string
	depth int
}

func (d *drawn) Enter(r *http.Request, p *record.Part) (*http.Request, func(int, bool)) {
	at := len(d.lines)
	d.lines = append(d.lines, strings.TrimSpace(fmt.Sprintf("%s%s %s %s", strings.Repeat("> ", d.depth), p.Kind, p.Name, p.Type)))
	d.depth++
	return r, func(status int, broken bool) {
		d.depth--
		d.lines[at] += fmt.Sprintf(" %d", status)
		if broken {
			d.lines[at] += " broken"
		}
	}
}

// statusWriter is a writer that knows its status, as those of the server.
type statusWriter struct {
	*httptest.ResponseRecorder
	status int
}

func (w *statusWriter) Status() int { return w.status }

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseRecorder.WriteHeader(status)
}

// trace sends a followed request to an entry point, and returns what is drawn of it.
func trace(r *Router, entryPoint, url string) string {
	d := &drawn{}
	rec := &record.Record{Trace: d, Detailed: entryPoint == "detailed"}
	req := httptest.NewRequest(http.MethodGet, url, nil)
	func() {
		defer func() { _ = recover() }()
		w := &statusWriter{ResponseRecorder: httptest.NewRecorder()}
		r.Handler(entryPoint).ServeHTTP(w, req.WithContext(record.With(context.Background(), rec)))
	}()
	return strings.Join(d.lines, "\n")
}

// breaking is a forwarder whose responses from the host broken break off.
type breaking struct{ toServer }

func (b breaking) Forward(w http.ResponseWriter, r *http.Request, target *proxy.Target, o proxy.Options) error {
	if target.URL.Hostname() != "broken" {
		w.WriteHeader(http.StatusAccepted)
		return b.toServer.Forward(w, r, target, o)
	}
	w.WriteHeader(http.StatusOK)
	panic(http.ErrAbortHandler)
}

const followedRoutes = `
http:
  routers:
    full: {rule: 'Host(@full@)', service: whole, middlewares: [both], entryPoints: [web], observability: {traceVerbosity: detailed}}
    broken: {rule: 'Host(@broken@)', service: broken, entryPoints: [web], observability: {traceVerbosity: detailed}}
    refused: {rule: 'Host(@refused@)', service: s, middlewares: [strip, login], entryPoints: [web], observability: {traceVerbosity: detailed}}
    usual: {rule: 'Host(@usual@)', service: s, middlewares: [strip], entryPoints: [web, detailed]}
    brief: {rule: 'Host(@brief@)', service: s, entryPoints: [detailed], observability: {traceVerbosity: minimal}}
  middlewares:
    both: {chain: {middlewares: [strip, add]}}
    strip: {stripPrefix: {prefixes: [/a]}}
    add: {addPrefix: {prefix: /b}}
    login: {basicAuth: {users: ["ann:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"]}}
  services:
    whole: {middlewares: [add], weighted: {services: [{name: s}]}}
    s: {loadBalancer: {servers: [{url: "http://s:1"}]}}
    broken: {loadBalancer: {servers: [{url: "http://broken:1"}]}}
`

func tracedEnv() Env {
	env := newEnv(EntryPoint{Name: "web", Default: true}, EntryPoint{Name: "detailed", Detailed: true})
	env.Forwarder, env.Traced = breaking{}, true
	return env
}

func TestFollow_PartsHaveSpans(t *testing.T) {
	r := applied(t, tracedEnv(), followedRoutes)
	for _, tt := range []struct{ entryPoint, url, want string }{
		{"web", "http://full/a", `router full@file 202
> middleware strip@file stripPrefix 202
> > middleware add@file addPrefix 202
> > > service whole@file weighted 202
> > > > middleware add@file addPrefix 202
> > > > > service s@file loadBalancer 202`},
		{"web", "http://broken/", "router broken@file 200 broken\n> service broken@file loadBalancer 200 broken"},
		{"web", "http://refused/", "router refused@file 401\n> middleware strip@file stripPrefix 401\n> > middleware login@file basicAuth 401"},
		{"web", "http://usual/", ""},
		{"detailed", "http://usual/", "router usual@file 202\n> middleware strip@file stripPrefix 202\n> > service s@file loadBalancer 202"},
		{"detailed", "http://brief/", ""},
	} {
		if got := trace(r, tt.entryPoint, tt.url); got != tt.want {
			t.Errorf("%s at %s: got\n%s\nwant\n%s", tt.url, tt.entryPoint, got, tt.want)
		}
	}
}

// Where nobody wants spans of parts, nothing stands in the chains.
func TestFollow_CostsNothingWhereNobodyWantsIt(t *testing.T) {
	minimal := strings.ReplaceAll(followedRoutes, "detailed", "web")
	for name, tt := range map[string]struct {
		config string
		change func(*Env)
	}{
		"no traces":        {followedRoutes, func(env *Env) { env.Traced = false }},
		"minimal ones":     {minimal, func(env *Env) { env.EntryPoints = env.EntryPoints[:1] }},
		"another's router": {followedRoutes, func(*Env) {}},
	} {
		env := tracedEnv()
		tt.change(&env)
		table := applied(t, env, tt.config).Table()
		if _, is := table.routes["brief@file"].handler.(*Slot); !is && name == "another's router" {
			t.Errorf("%s: a router that wants nothing has %T", name, table.routes["brief@file"].handler)
		}
		for _, route := range table.routes {
			if _, is := route.handler.(*followed); is && name != "another's router" {
				t.Errorf("%s: %s has spans", name, route.Name)
			}
		}
	}
	r := applied(t, tracedEnv(), followedRoutes)
	route, w := r.Table().routes["usual@file"], httptest.NewRecorder()
	route.handler.(*followed).next = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	req = req.WithContext(record.With(t.Context(), &record.Record{Detailed: true}))
	if n := testing.AllocsPerRun(100, func() { route.ServeHTTP(w, req) }); n != 0 {
		t.Errorf("a request that is not followed costs %v allocations", n)
	}
}

// Services that have others in them are made anew when somebody wants to see these; what
// is known of servers stays.
func TestFollow_ComesAndGoes(t *testing.T) {
	off := strings.ReplaceAll(followedRoutes, "observability: {traceVerbosity: detailed}", "")
	env := tracedEnv()
	env.EntryPoints = []EntryPoint{{Name: "web", Default: true}, {Name: "detailed"}}
	r := New(env)
	r.Apply(parse(t, "file", strings.ReplaceAll(off, "@", "`")))
	before := r.Table()
	if got := trace(r, "web", "http://full/a"); got != "" {
		t.Errorf("got %s", got)
	}
	whole, s := before.services["whole@file"].current.Load(), before.services["s@file"].current.Load()
	r.Apply(parse(t, "file", strings.ReplaceAll(followedRoutes, "@", "`")))
	if got := trace(r, "web", "http://full/a"); strings.Count(got, "service") != 2 {
		t.Errorf("got %s", got)
	}
	if now := r.Table().services; now["whole@file"].current.Load() == whole || now["s@file"].current.Load() != s || now["whole@file"] != before.services["whole@file"] {
		t.Error("not that which had to change has changed")
	}
	r.Apply(parse(t, "file", strings.ReplaceAll(off, "@", "`")))
	if got := trace(r, "web", "http://full/a"); got != "" {
		t.Errorf("got %s", got)
	}
}

// A router's own word counts, whatever the entry point has decided before.
func TestRoute_SaysWhetherItIsTraced(t *testing.T) {
	r := applied(t, tracedEnv(), `
http:
  routers:
    told: {rule: 'Host(@told@)', service: s, observability: {tracing: true}}
    silent: {rule: 'Host(@silent@)', service: s, observability: {tracing: false}}
    usual: {rule: 'Host(@usual@)', service: s}
  services: {s: {loadBalancer: {servers: [{url: "http://s:1"}]}}}
`)
	for url, want := range map[string]string{"http://told/": "begun", "http://silent/": "forgotten", "http://usual/": ""} {
		got := ""
		rec := &record.Record{Silent: record.Silent{Traces: true}, Follow: func(*http.Request, *record.Record) { got = "begun" }}
		if url == "http://silent/" {
			rec = &record.Record{Trace: forgetful{forget: func() { got = "forgotten" }}}
		}
		req := httptest.NewRequest(http.MethodGet, url, nil)
		r.Handler("web").ServeHTTP(httptest.NewRecorder(), req.WithContext(record.With(t.Context(), rec)))
		if got != want || rec.Trace != nil {
			t.Errorf("%s: got %q", url, got)
		}
	}
}

type forgetful struct {
	record.Trace
	forget func()
}

func (f forgetful) Forget(*http.Request) { f.forget() }
