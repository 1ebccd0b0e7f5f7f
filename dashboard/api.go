// Package dashboard shows what is routed where. It only reads: every method but
// GET and HEAD is refused, and secrets are stars.
//
// Paths and shapes are those of Traefik's API, which monitors and start pages
// know, with what fairway adds: the problems.
package dashboard

import (
	"encoding/json"
	"net/http"
	"path"
	"runtime"
	"runtime/metrics"
	"strings"
	"time"

	"fairway/config"
	"fairway/config/dynamic"
	"fairway/router"
	"fairway/router/tcp"
	"fairway/router/udp"
	"fairway/telemetry/live"
)

// Source is where the API reads from.
type Source struct {
	Version  string
	Started  time.Time
	Install  *config.Configuration
	Table    func() *router.Table
	Problems func() []dynamic.Problem        // nil: those of the table
	Since    func(dynamic.Problem) time.Time // when a problem was first seen
	// Certificates are those of the operator and of the resolvers.
	Certificates func() []Certificate
	Providers    []string
	// Live is what passes now; nil: that is not known.
	Live *live.Live
	// Changes are the last changes of the configuration, the newest first.
	Changes func() []Change
	// Take sets a request straight as an entry point would, or says why that refuses it.
	Take func(entryPoint string, r *http.Request) (*http.Request, error)
	// TCP and UDP are what is routed beside HTTP; nil: nothing is.
	TCP func() *tcp.Table
	UDP func() *udp.Table
	// Origin tells where an object of these was written: a container, or a file and a line. It may be nil.
	Origin func(kind, name string) string
	// ProviderStates are how the providers are.
	ProviderStates func() []ProviderState
	// Done is closed when fairway stops: streams end.
	Done <-chan struct{}
}

// ProviderState is how a provider is.
type ProviderState struct {
	Name    string     `json:"name"`
	Up      bool       `json:"up"`
	Error   string     `json:"error,omitempty"` // why it is not
	Updates uint64     `json:"updates"`         // how often it has told something new
	Updated *time.Time `json:"updated,omitempty"`
}

// api answers below its base path.
type api struct {
	Source
	base string
}

// New makes the handler of the API and, where it is turned on, the dashboard's page.
func New(s Source) http.Handler {
	if s.Problems == nil {
		s.Problems = func() []dynamic.Problem { return s.Table().Problems() }
	}
	a := &api{Source: s, base: "/"}
	if s.Install.API != nil {
		a.base = "/" + strings.Trim(s.Install.API.BasePath, "/")
	}
	a.base = strings.TrimSuffix(a.base, "/")
	mux := http.NewServeMux()
	for at, h := range map[string]func(*http.Request) (any, error){
		"/api/version":                 a.version,
		"/api/overview":                a.overview,
		"/api/rawdata":                 a.rawdata,
		"/api/entrypoints":             a.entryPoints,
		"/api/entrypoints/{name}":      a.entryPoint,
		"/api/http/routers":            listOf(a.routers),
		"/api/http/routers/{name}":     oneOf(a.routers, "router"),
		"/api/http/services":           listOf(a.services),
		"/api/http/services/{name}":    a.service,
		"/api/http/middlewares":        listOf(a.middlewares),
		"/api/http/middlewares/{name}": oneOf(a.middlewares, "middleware"),
		"/api/problems":                a.problems,
		"/api/certificates":            a.certificates,
		"/api/explain":                 a.explain,
		"/api/changes":                 a.changes,
		"/api/install":                 a.install,
		"/api/providers":               a.providers,
		"/api/":                        func(*http.Request) (any, error) { return nil, notFound("there is nothing at this path") },
	} {
		mux.Handle(a.base+at, answer(h))
	}
	mux.Handle(a.base+"/api/events", &events{api: a, of: map[string]int{}})
	if s.Install.API != nil && s.Install.API.Dashboard {
		mux.Handle(a.base+"/dashboard/{file...}", newAssets())
		home := toPage(a.base + "/dashboard/")
		mux.Handle(a.base+"/dashboard", home)
		mux.Handle(a.base+"/{$}", home)
	}
	for kind, items := range map[string]func() []item{
		"tcp/router": a.tcpRouters, "tcp/service": a.tcpServices, "tcp/middleware": a.tcpMiddlewares, "udp/router": a.udpRouters, "udp/service": a.udpServices,
	} {
		mux.Handle(a.base+"/api/"+kind+"s", answer(listOf(items)))
		mux.Handle(a.base+"/api/"+kind+"s/{name}", answer(oneOf(items, path.Base(kind))))
	}
	return readOnly(a.ownSite(mux))
}

// httpError is an answer other than 200.
type httpError struct {
	status int
	text   string
}

func (e *httpError) Error() string { return e.text }

func notFound(text string) error   { return &httpError{http.StatusNotFound, text} }
func badRequest(text string) error { return &httpError{http.StatusBadRequest, text} }

// paged is a part of a list, with the number of the page that follows, and how many items
// there are in all.
type paged struct {
	items       any
	next, total int
}

func message(text string) any { return map[string]string{"message": text} }

// answer makes a handler of a function that returns what is to be shown.
func answer(h func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := h(r)
		if err != nil {
			status := http.StatusInternalServerError
			if e, ok := err.(*httpError); ok { //nolint:errorlint // made here, never wrapped
				status = e.status
			}
			send(w, status, message(err.Error()))
			return
		}
		if p, ok := v.(paged); ok {
			w.Header().Set("X-Next-Page", itoa(p.next))
			w.Header().Set("X-Total-Count", itoa(p.total))
			v = p.items
		}
		send(w, http.StatusOK, v)
	})
}

func send(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"message":"cannot be shown as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}

func (a *api) version(*http.Request) (any, error) {
	return struct {
		Version   string
		Codename  string
		StartDate time.Time `json:"startDate"`
		// Memory are bytes that the system has given, and Goroutines how many there are.
		Memory     uint64 `json:"memory"`
		Goroutines int    `json:"goroutines"`
	}{a.Version, "fairway", a.Started, memory(), runtime.NumGoroutine()}, nil
}

func memory() uint64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() - samples[1].Value.Uint64()
}

// entryPointView is an entry point with its name.
type entryPointView struct {
	*config.EntryPoint
	Name string `json:"name"`
	// SpeaksTLS tells that it is there for TLS, by its own options or those of routers.
	SpeaksTLS bool `json:"speaksTLS"`
}

func (a *api) viewEntryPoint(name string) entryPointView {
	e := a.Install.EntryPoints[name]
	return entryPointView{e, name, speaksTLS(name, e, a.Table())}
}

func (a *api) entryPoints(*http.Request) (any, error) {
	views := []entryPointView{}
	for _, name := range sorted(a.Install.EntryPoints) {
		views = append(views, a.viewEntryPoint(name))
	}
	return marshalled(views)
}

func (a *api) entryPoint(r *http.Request) (any, error) {
	name := r.PathValue("name")
	if a.Install.EntryPoints[name] == nil {
		return nil, notFound("entry point not found: " + name)
	}
	return marshalled(a.viewEntryPoint(name))
}

func (a *api) providers(*http.Request) (any, error) {
	if a.ProviderStates == nil {
		return []ProviderState{}, nil
	}
	return marshalled(a.ProviderStates())
}
