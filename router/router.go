// Package router is the live table: it chooses the route of each request, and is
// replaced as a whole, without a lock, whenever the configuration changes.
package router

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/sirupsen/logrus"

	"fairway/config/dynamic"
	"fairway/internal/consumers"
	"fairway/internal/plans"
	"fairway/internal/record"
	"fairway/internal/sharing"
	"fairway/proxy"
	"fairway/router/rule"
)

// EntryPoint is what the table knows of an entry point.
type EntryPoint struct {
	Name        string
	Default     bool               // one of those for routers that name none
	Middlewares []string           // in front of those of every router
	TLS         *dynamic.RouterTLS // for routers that say nothing of TLS; nil: none
	Detailed    bool               // so are the traces of routers that do not say it themselves
}

// Env is what building a table needs of the gateway.
type Env struct {
	Log         logrus.FieldLogger
	EntryPoints []EntryPoint
	Forwarder   proxy.Forwarder
	// Internal are services that the gateway itself answers, by their names
	// without "@internal".
	Internal map[string]http.Handler
	// ErrorPages is the errors middleware that stands in front of everything; empty:
	// there is none.
	ErrorPages string
	// Resolvers are the names of the certificate resolvers; nil: they are not known.
	Resolvers []string
	// Precedence decides between routers of equal priority.
	Precedence dynamic.Precedence
	// Traced tells that requests may be followed.
	Traced bool
	// Consumers are told to the middlewares; the Router keeps them up to date.
	Consumers *consumers.Live
	// Shared is what middlewares have in common; the Router makes it.
	Shared *sharing.ByOptions[any]
	// Plans are told to the middlewares, in the same way.
	Plans *plans.Live

	aside *sync.WaitGroup // what middlewares do aside
}

// Router holds the table in force.
type Router struct {
	env   Env
	table atomic.Pointer[Table]
	apply sync.Mutex // one configuration at a time
}

// New makes a Router without routes.
func New(env Env) *Router {
	if env.Consumers == nil {
		env.Consumers = &consumers.Live{}
	}
	if env.Shared == nil {
		env.Shared = &sharing.ByOptions[any]{}
	}
	if env.Plans == nil {
		env.Plans = &plans.Live{}
	}
	env.aside = &sync.WaitGroup{}
	r := &Router{env: env}
	r.table.Store(Build(&dynamic.Configuration{}, nil, env))
	return r
}

// Apply builds the table of cfg and puts it in force. Requests under way end on
// the routes they began with.
func (r *Router) Apply(cfg *dynamic.Configuration) *Table {
	r.apply.Lock()
	defer r.apply.Unlock()
	previous := r.table.Load()
	next := Build(cfg, previous, r.env)
	next.install()
	// Routes that ask for a consumer come after the consumer, who comes after the plans.
	r.env.Plans.Store(next.plans)
	r.env.Consumers.Store(next.consumers)
	r.table.Store(next)
	next.retireFrom(previous)
	return next
}

// Rest waits until what middlewares do aside has ended, as it does when the tables are retired.
func (r *Router) Rest(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		r.env.aside.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Table returns the table in force.
func (r *Router) Table() *Table { return r.table.Load() }

// requests are taken from here so that matching allocates nothing.
var requests = sync.Pool{New: func() any { return new(rule.Request) }}

// Handler returns the handler of an entry point.
func (r *Router) Handler(entryPoint string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		table := r.table.Load()
		route := table.Lookup(entryPoint, req)
		if route != nil && req.TLS != nil && table.entryPoints[entryPoint].policies.guarded {
			var ok bool
			if req, ok = table.guard(w, req, entryPoint, route); !ok {
				return
			}
		}
		switch {
		case table.pages.covers(route):
			table.pages.serve(w, req, route)
		case route == nil:
			noRoute(w, req)
		default:
			route.ServeHTTP(w, req)
		}
	})
}

// Lookup returns the route of a request that came in at an entry point, or nil.
func (t *Table) Lookup(entryPoint string, r *http.Request) *Route {
	routes := t.entryPoints[entryPoint]
	if routes == nil {
		return nil
	}
	ix := routes.plain
	if r.TLS != nil {
		ix = routes.secure
	}
	q := requests.Get().(*rule.Request)
	q.Reset(r)
	if rec := record.From(r.Context()); rec != nil {
		q.Remote = rec.ClientIP
	}
	e := ix.Lookup(q)
	*q = rule.Request{}
	requests.Put(q)
	if e == nil {
		return nil
	}
	return e.Value
}
