package router

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"fairway/config/dynamic"
	"fairway/internal/consumers"
	"fairway/internal/plans"
	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/proxy"
	"fairway/router/index"
	"fairway/router/rule"
	"fairway/tls/certs"
)

// Table is all that is routed, at one moment. It does not change; the services
// behind their slots do.
type Table struct {
	cfg         *dynamic.Configuration
	routes      map[string]*Route
	services    map[string]*Slot
	middlewares map[string]*Middleware
	transports  map[string]*transport
	entryPoints map[string]*entryPointRoutes
	pages       *pages // nil: nobody asked for them
	options     map[string]*tlsOptions
	plain       *certs.Policy            // of options that nobody has set
	standard    *certs.Policy            // of hosts without options of their own
	together    map[string]*certs.Policy // of hosts with several
	known       map[string]*consumers.Config
	consumers   *consumers.Registry
	offered     map[string]*plans.Config
	plans       *plans.Set
	doubted     bool // some of the known have a mistake
	problems    []dynamic.Problem
	swaps       []swap          // to be carried out when the table comes into force
	fresh       []*instance     // to be started then
	replaced    []*Route        // to be retired then
	begin       []beginning     // what middlewares do aside, to begin then
	aside       *sync.WaitGroup // those that have begun, of all tables
}

// beginning is what an instance of a middleware does aside, as long as it is there.
type beginning struct {
	ctx context.Context //nolint:containedctx // that of the instance
	run func(context.Context)
}

// entryPointRoutes are the routes of one entry point: those for plain text and
// those for TLS know nothing of each other.
type entryPointRoutes struct {
	plain, secure *index.Index[*Route]
	policies      policies
}

// Status of an object.
type Status string

const (
	Enabled  Status = "enabled"
	Warned   Status = "warning"  // works, but not as written
	Disabled Status = "disabled" // out of use
)

// Route is one router, ready to serve.
type Route struct {
	Name        string // qualified
	Config      *dynamic.Router
	Status      Status
	Errors      []string
	EntryPoints []string // where it listens, sorted
	Priority    int      // as it counts
	Middlewares []string // qualified, those of the entry points included
	Service     string   // qualified
	TLS         *dynamic.RouterTLS
	Rule        *rule.Rule

	policy  *certs.Policy // by TLS; nil: the standard
	closed  bool          // out of use, and keeps its place: nobody else may serve what it was to guard
	of      string        // name of the router that it was made of
	handler http.Handler
	uses    []use
	said    []string          // problems that came with the configuration
	found   []dynamic.Problem // and those that building it showed
	retire  context.CancelFunc
}

// ServeHTTP sends a request through the route.
func (rt *Route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rec := record.From(r.Context()); rec != nil {
		rec.Router, rec.Service, rec.Rule = rt.Name, rt.Service, rt.Config.Rule
		if rt.Config.Observability != nil {
			rt.observe(r, rec)
		}
	}
	rt.handler.ServeHTTP(w, r)
}

// observe notes what the router says of who is told of its requests. Entry points, which
// come first, may have said otherwise.
func (rt *Route) observe(r *http.Request, rec *record.Record) {
	o := rt.Config.Observability
	o.Silence(&rec.Silent)
	rec.Detailed = o.Detail(rec.Detailed)
	switch {
	case rec.Silent.Traces && rec.Trace != nil:
		rec.Trace.Forget(r)
		rec.Trace = nil
	case rec.Silent.Traces && rec.Untell != nil:
		rec.Untell(r.Header)
	case !rec.Silent.Traces && rec.Trace == nil && rec.Follow != nil:
		rec.Follow(r, rec)
	}
}

// Middleware is one configured middleware. Each route that uses it has an
// instance of its own in its chain.
type Middleware struct {
	Name   string
	Kind   string
	Config *dynamic.Middleware
	Status Status
	Errors []string

	build middlewares.Config // nil when it cannot be built
	kept  *kept
}

// Slot is the place of a service in the chains of routes. What stands in it can
// be replaced, scaled up and down, while the chains and all they remember stay.
type Slot struct {
	Name   string
	Kind   string
	Status Status
	Errors []string

	closed  bool              // out of use because of what was to guard it
	said    []string          // problems that came with the configuration
	found   []dynamic.Problem // and those that building it showed, which are no reason to disable it
	current atomic.Pointer[instance]
}

// instance is what stands in a slot for a time.
type instance struct {
	config  *dynamic.Service // nil for internal services
	service http.Handler     // a proxy.Service, but for internal services
	handler http.Handler     // service behind its middlewares
	uses    []use
	retire  context.CancelFunc
}

// swap is a new instance for an old slot.
type swap struct {
	slot *Slot
	with *instance
}

// ServeHTTP implements http.Handler.
func (s *Slot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.current.Load().handler.ServeHTTP(w, r)
}

// Config is the configuration of what stands in the slot; nil for an internal
// service.
func (s *Slot) Config() *dynamic.Service {
	if in := s.current.Load(); in != nil {
		return in.config
	}
	return nil
}

// Servers lists the servers behind the slot.
func (s *Slot) Servers() []proxy.ServerStatus {
	if in := s.current.Load(); in != nil {
		if svc, ok := in.service.(proxy.Service); ok {
			return svc.Servers()
		}
	}
	return nil
}

// Up tells whether a request has somebody to go to.
func (s *Slot) Up() bool {
	if in := s.current.Load(); in != nil {
		if svc, ok := in.service.(interface{ Up() bool }); ok {
			return svc.Up()
		}
	}
	return true
}

// install puts the new instances into their slots.
func (t *Table) install() {
	for _, s := range t.swaps {
		old := s.slot.current.Swap(s.with)
		if old != nil && old.retire != nil {
			old.retire()
		}
	}
	t.swaps = nil
	for _, b := range t.begin {
		if b.ctx.Err() == nil { // the route that it is for may be out of use
			t.aside.Go(func() { b.run(b.ctx) })
		}
	}
	t.begin = nil
	for _, in := range t.fresh {
		if s, ok := in.service.(interface{ Start() }); ok {
			s.Start()
		}
	}
	t.fresh = nil
}

// retireFrom ends what the previous table had and this one has not.
func (t *Table) retireFrom(previous *Table) {
	for _, rt := range t.replaced {
		rt.retire()
	}
	t.replaced = nil
	if previous.pages != nil && previous.pages != t.pages {
		previous.pages.retire()
	}
	t.closeIdleFrom(previous)
	for name, s := range previous.services {
		if t.services[name] != s {
			s.retire()
		}
	}
}

// retire ends what stands in the slot.
func (s *Slot) retire() {
	if in := s.current.Load(); in.retire != nil {
		in.retire()
	}
}

// Retire ends everything that the table has. For tables that were built to be
// looked at, and at the end.
func (t *Table) Retire() {
	for _, rt := range t.routes {
		rt.retire()
	}
	if t.pages != nil {
		t.pages.retire()
	}
	for _, s := range t.services {
		s.retire()
	}
	for _, s := range t.swaps {
		s.with.retire()
	}
	(&Table{}).closeIdleFrom(t)
}

// Problems are those that came with the configuration, and those found in
// building the table.
func (t *Table) Problems() []dynamic.Problem { return t.problems }

// Source is where an object was written: a container, or a file with the line; empty: it is
// not known.
func (t *Table) Source(kind, name string) string {
	if t.cfg == nil || t.cfg.Origin == nil {
		return ""
	}
	source, line := t.cfg.Origin(kind, name)
	if source != "" && line > 0 {
		return fmt.Sprintf("%s:%d", source, line)
	}
	return source
}

// Routes returns all routes, those out of use included, by qualified name. The
// map is not to be changed, nor are those of the next two methods.
func (t *Table) Routes() map[string]*Route { return t.routes }

// Services returns the slots of all services.
func (t *Table) Services() map[string]*Slot { return t.services }

// Middlewares returns all middlewares.
func (t *Table) Middlewares() map[string]*Middleware { return t.middlewares }
