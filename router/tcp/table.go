// Package tcp chooses the route of connections that are no HTTP: by the name that a client asks for in TLS, the protocols
// that it offers there, and its address. As with HTTP, a table is all that is routed at one moment, what cannot be built
// is disabled with its reason, and what is the same as before is taken over. A connection ends on the route that it began
// with.
//
// table.go is what others see, build.go makes it.
package tcp

import (
	"context"
	"errors"
	"net/netip"

	"fairway/config/dynamic"
	streams "fairway/proxy/tcp"
	"fairway/router/rule"
	"fairway/tls/certs"
)

// Status of an object.
type Status string

// Statuses, as routers of HTTP have them.
const (
	Enabled  Status = "enabled"
	Warned   Status = "warning"
	Disabled Status = "disabled"
)

// Table is all that is routed.
type Table struct {
	routes      map[string]*Route
	services    map[string]*Service
	middlewares map[string]*Middleware
	transports  map[string]*transport
	entryPoints map[string]*Routes
	problems    []dynamic.Problem
}

// Routes are those of one entry point.
type Routes struct {
	plain, secure []*Route // the larger priority first
}

// Route is one router, ready to serve.
type Route struct {
	Name        string // qualified
	Config      *dynamic.TCPRouter
	Status      Status
	Errors      []string
	EntryPoints []string
	Priority    int
	Middlewares []string // qualified
	Service     string   // qualified
	Rule        *rule.Rule
	Policy      *certs.Policy // by which TLS ends here; nil: it does not

	handler streams.Handler
	closed  bool // out of use, and keeps its place
}

// ServeTCP serves a connection to its end.
func (r *Route) ServeTCP(ctx context.Context, c *streams.Client) error {
	if r.closed {
		_ = c.Close()
		return errors.New("the router is out of use")
	}
	return r.handler.ServeTCP(ctx, c)
}

// Passthrough tells whether connections are handed on as they come, also those that nobody serves.
func (r *Route) Passthrough() bool {
	return r.closed || r.Config.TLS != nil && r.Config.TLS.Passthrough
}

// Service is one service.
type Service struct {
	Name   string
	Config *dynamic.TCPService
	Status Status
	Errors []string

	service streams.Service // nil: out of use
	retire  context.CancelFunc
}

// Servers are those of the service.
func (s *Service) Servers() []streams.ServerStatus {
	if s.service == nil {
		return nil
	}
	return s.service.Servers()
}

// Middleware is one middleware.
type Middleware struct {
	Name   string
	Kind   string
	Config *dynamic.TCPMiddleware
	Status Status
	Errors []string

	build streams.MiddlewareConfig // nil: out of use
}

type transport struct {
	config    *streams.ServersTransport
	transport *streams.Transport // nil: out of use
	errors    []string
}

// At returns the routes of an entry point; nil: there are none.
func (t *Table) At(entryPoint string) *Routes {
	if t == nil {
		return nil
	}
	return t.entryPoints[entryPoint]
}

// Routes returns all routes, those out of use included. The map is not to be changed, nor are the next two.
func (t *Table) Routes() map[string]*Route { return t.routes }

// Services returns all services.
func (t *Table) Services() map[string]*Service { return t.services }

// Middlewares returns all middlewares.
func (t *Table) Middlewares() map[string]*Middleware { return t.middlewares }

// Problems are those found in building the table.
func (t *Table) Problems() []dynamic.Problem { return t.problems }

// HasPlain tells whether there are routes for connections without TLS.
func (r *Routes) HasPlain() bool { return r != nil && len(r.plain) > 0 }

// HasSecure tells whether there are routes for connections by TLS.
func (r *Routes) HasSecure() bool { return r != nil && len(r.secure) > 0 }

// Plain returns the route for a connection without TLS, or nil.
func (r *Routes) Plain(client netip.Addr) *Route {
	if r == nil {
		return nil
	}
	return first(r.plain, rule.ForConnection("", client, nil))
}

// Secure returns the route for a connection by TLS, or nil.
func (r *Routes) Secure(name string, protocols []string, client netip.Addr) *Route {
	if r == nil {
		return nil
	}
	return first(r.secure, rule.ForConnection(name, client, protocols))
}

func first(routes []*Route, q *rule.Request) *Route {
	for _, r := range routes {
		if r.Rule.Match(q) {
			return r
		}
	}
	return nil
}

// Retire ends what works for the services, as their health checks. Connections go on.
func (t *Table) Retire() {
	for _, s := range t.services {
		s.end()
	}
}

func (s *Service) end() {
	if s.retire != nil {
		s.retire()
	}
}

// RetireFrom ends what the previous table had and this one has not.
func (t *Table) RetireFrom(previous *Table) {
	if previous == nil {
		return
	}
	for name, s := range previous.services {
		if t.services[name] != s {
			s.end()
		}
	}
}
