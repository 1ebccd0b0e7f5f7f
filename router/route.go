package router

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"

	"fairway/config/dynamic"
	"fairway/internal/answer"
	"fairway/internal/nearest"
	"fairway/internal/record"
	"fairway/router/rule"
)

// highestPriority is the highest that routers of users may have: the gateway's
// own, as the redirection to HTTPS, stand above.
const highestPriority = math.MaxInt - 1000

// router makes the route of a router, or several: where entry points add
// something to their routers, each entry point has a route of its own.
func (b *building) router(name string, c *dynamic.Router) {
	if b.keeps(name, name, c) {
		return
	}
	points, unknown := b.listensAt(c)
	if len(points) > 1 && slices.ContainsFunc(points, EntryPoint.adds) {
		for _, ep := range points {
			own := ep.Name + "-" + name
			for b.cfg.HTTP.Routers[own] != nil { // somebody has given that name
				own = ep.Name + "-" + own
			}
			b.route(own, c, []EntryPoint{ep}, unknown, name)
		}
		return
	}
	b.route(name, c, points, unknown, name)
}

func (ep EntryPoint) adds() bool { return ep.TLS != nil || len(ep.Middlewares) > 0 }

// listensAt finds the entry points of a router.
func (b *building) listensAt(c *dynamic.Router) (points []EntryPoint, unknown []string) {
	if len(c.EntryPoints) == 0 {
		for _, ep := range b.env.EntryPoints {
			if ep.Default {
				points = append(points, ep)
			}
		}
		return points, nil
	}
	for _, name := range c.EntryPoints {
		at := slices.IndexFunc(b.env.EntryPoints, func(ep EntryPoint) bool { return ep.Name == name })
		if at < 0 {
			unknown = append(unknown, name)
			continue
		}
		points = append(points, b.env.EntryPoints[at])
	}
	return points, unknown
}

// keeps takes a route from the previous table, if there is one that stands.
func (b *building) keeps(name, blamed string, c *dynamic.Router) bool {
	old := b.previous.routes[name]
	if old == nil || old.of != blamed || !dynamic.Same(old.Config, c) || !b.stands(old) ||
		!slices.Equal(old.said, b.said(object{dynamic.KindRouter, blamed})) {
		return false
	}
	b.kept++
	b.next.routes[name] = old
	b.next.problems = append(b.next.problems, old.found...)
	return true
}

// route makes one route, or takes it from the previous table. blamed is the name
// under which problems know it.
func (b *building) route(name string, c *dynamic.Router, points []EntryPoint, unknown []string, blamed string) {
	if b.keeps(name, blamed, c) {
		return
	}
	o := object{dynamic.KindRouter, blamed}
	old, said := b.previous.routes[name], b.said(o)
	rt := &Route{Name: name, Config: c, Status: Enabled, TLS: c.TLS, Errors: said, said: said, of: blamed}
	m := &making{chaining: chaining{building: b, detailed: b.env.wantsDetail(c, points)}, route: rt, provider: dynamic.ProviderOf(name)}
	if len(b.warned[o]) > 0 {
		rt.Status = Warned
	}
	m.entryPoints(points, unknown)
	m.rule()
	m.observability()
	m.tls()
	m.chain(c)
	rt.uses = m.uses
	if len(b.blamed[o]) > 0 {
		rt.Status = Disabled
	}
	if b.guards[o] {
		m.close() // what was not understood may be what keeps strangers out
	}
	if rt.closed = rt.closed && rt.Status == Disabled && rt.Rule != nil; rt.closed {
		rt.handler = http.HandlerFunc(rt.refuse)
	}
	b.next.routes[name] = rt
	b.changed = append(b.changed, pair{old: old, new: rt})
}

// stands tells whether all that a route was built from is still the same.
func (b *building) stands(rt *Route) bool { return !b.moved || b.same(rt.uses) }

// making is a route in the making.
type making struct {
	chaining
	route    *Route
	provider string
}

// fail disables the route for a reason.
func (m *making) fail(reason, near string) {
	m.route.Status = Disabled
	m.find(reason, near, dynamic.Error)
}

// lacks disables the route for an option that is missing. Where an option was not
// understood, that says enough.
func (m *making) lacks(option string) {
	if len(m.route.said) > 0 {
		m.route.Status = Disabled
		return
	}
	m.fail("it has no "+option, "")
}

func (m *making) warn(reason, near string) {
	if m.route.Status == Enabled {
		m.route.Status = Warned
	}
	m.find(reason, near, dynamic.Warning)
}

// find keeps a problem with the route, which may outlive this table.
func (m *making) find(reason, near string, severity dynamic.Severity) {
	m.route.Errors = append(m.route.Errors, m.report(dynamic.KindRouter, m.route.Name, reason, near, severity))
	m.route.found = append(m.route.found, m.next.problems[len(m.next.problems)-1])
}

func (m *making) entryPoints(points []EntryPoint, unknown []string) {
	var names []string
	for _, ep := range m.env.EntryPoints {
		names = append(names, ep.Name)
	}
	for _, name := range unknown {
		say := m.warn
		if len(points) == 0 {
			say = m.fail
		}
		say(fmt.Sprintf("there is no entry point %q (there are: %s)", name, strings.Join(names, ", ")), nearest.Name(name, names))
	}
	if len(points) == 0 && len(unknown) == 0 {
		m.fail("no entry point is left for it", "")
	}
	for _, ep := range points {
		if !slices.Contains(m.route.EntryPoints, ep.Name) {
			m.route.EntryPoints = append(m.route.EntryPoints, ep.Name)
		}
		if m.route.TLS == nil {
			m.route.TLS = ep.TLS
		}
		m.route.Middlewares = append(m.route.Middlewares, ep.Middlewares...)
	}
	slices.Sort(m.route.EntryPoints)
}

func (m *making) observability() {
	if o := m.route.Config.Observability; o != nil && o.TraceVerbosity != "" && o.TraceVerbosity != "minimal" && o.TraceVerbosity != "detailed" {
		m.warn(fmt.Sprintf("observability.traceVerbosity %q is neither minimal nor detailed", o.TraceVerbosity), nearest.Name(o.TraceVerbosity, []string{"minimal", "detailed"}))
	}
}

func (m *making) rule() {
	rt := m.route
	parse := rule.Parse
	switch strings.ToLower(rt.Config.RuleSyntax) {
	case "", "v3":
	case "v2":
		parse = rule.ParseV2
	default:
		m.close()
		m.fail(fmt.Sprintf("ruleSyntax %q is neither v3 nor v2", rt.Config.RuleSyntax), "")
	}
	var err error
	if rt.Config.Rule == "" {
		m.lacks("rule")
	} else if rt.Rule, err = parse(rt.Config.Rule); err != nil {
		m.fail(fmt.Sprintf("rule %s: %v", rt.Config.Rule, err), "")
	}
	rt.Priority = rt.Config.Priority
	if rt.Priority == 0 {
		rt.Priority = len(rt.Config.Rule)
	}
	if rt.Priority > highestPriority && m.provider != "internal" {
		rt.Priority = highestPriority
		m.warn(fmt.Sprintf("priority %d is above the highest for routers, %d", rt.Config.Priority, highestPriority), "")
	}
}

// chain builds the handler: the middlewares in their order, then the service.
func (m *making) chain(c *dynamic.Router) {
	rt := m.route
	for _, name := range c.Middlewares {
		rt.Middlewares = append(rt.Middlewares, dynamic.Qualify(name, m.provider))
	}
	rt.Service = dynamic.Qualify(c.Service, m.provider)
	m.serves = rt.Service
	ctx, retire := context.WithCancel(context.Background())
	rt.retire = retire
	var service http.Handler
	if c.Service == "" {
		m.lacks("service")
	} else if h, err := m.handler(rt.Service); err != nil {
		if isGuard(err) {
			m.close()
		}
		m.failWith(err)
	} else {
		service = h
	}
	h, err := m.wrap(ctx, rt.Middlewares, m.provider, service)
	if err != nil {
		m.close()
		m.failWith(err)
	}
	rt.handler = m.followed(record.Part{Kind: dynamic.KindRouter, Name: rt.Name}, h)
	if rt.Status == Disabled {
		retire()
	}
}

// close has the route keep its place when it is out of use, and refuse what comes there.
// Otherwise a router with a wider rule would serve what this one was to guard.
func (m *making) close() { m.route.closed = true }

// refuse answers for a route that is out of use.
func (rt *Route) refuse(w http.ResponseWriter, r *http.Request) {
	answer.Refuse(w, r, http.StatusServiceUnavailable, "the router is out of use: "+strings.Join(rt.Errors, "; "))
}

// failWith disables the route for one error, or for each of several.
func (m *making) failWith(err error) {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range several.Unwrap() {
			m.failWith(e)
		}
		return
	}
	if missing, ok := errors.AsType[*missingError](err); ok {
		m.fail(err.Error(), missing.near)
		return
	}
	m.fail(err.Error(), "")
}
