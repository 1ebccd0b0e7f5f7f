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
	"fairway/internal/nearest"
	"fairway/middlewares"
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
	m := &making{building: b, route: rt, provider: dynamic.ProviderOf(name)}
	if len(b.warned[o]) > 0 {
		rt.Status = Warned
	}
	m.entryPoints(points, unknown)
	m.rule()
	m.tls()
	m.chain(c)
	if len(b.blamed[o]) > 0 {
		rt.Status = Disabled
	}
	b.next.routes[name] = rt
	b.changed = append(b.changed, pair{old: old, new: rt})
}

// stands tells whether all that a route was built from is still the same.
func (b *building) stands(rt *Route) bool {
	if !b.moved {
		return true
	}
	for _, u := range rt.uses {
		if u.isSlot && b.next.services[u.name] != u.slot || !u.isSlot && b.next.middlewares[u.name] != u.middleware {
			return false
		}
	}
	return true
}

// making is a route in the making.
type making struct {
	*building
	route    *Route
	provider string
	within   []string // chains that are being built, to find circles
	built    int      // middlewares so far
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

func (m *making) rule() {
	rt := m.route
	parse := rule.Parse
	switch rt.Config.RuleSyntax {
	case "", "v3":
	case "v2":
		parse = rule.ParseV2
	default:
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

// tls says what is not there yet. Options may demand client certificates: a
// router that asks for them is not opened without.
func (m *making) tls() {
	t := m.route.TLS
	if t == nil {
		return
	}
	if t.Options != "" && t.Options != "default" {
		m.fail(fmt.Sprintf("tls.options %q is an option of Traefik's that fairway does not have yet; the router is out of use, since the options may be what keeps strangers out", t.Options), "")
	}
	if t.CertResolver != "" {
		m.warn(fmt.Sprintf("tls.certResolver %q is an option of Traefik's that fairway does not have yet: the self-signed default certificate is served", t.CertResolver), "")
	}
}

// chain builds the handler: the middlewares in their order, then the service.
func (m *making) chain(c *dynamic.Router) {
	rt := m.route
	for _, name := range c.Middlewares {
		rt.Middlewares = append(rt.Middlewares, dynamic.Qualify(name, m.provider))
	}
	rt.Service = dynamic.Qualify(c.Service, m.provider)
	ctx, retire := context.WithCancel(context.Background())
	rt.retire = retire
	var service http.Handler
	if c.Service == "" {
		m.lacks("service")
	} else if h, err := m.service(rt.Service); err != nil {
		m.failWith(err)
	} else {
		service = h
	}
	h, err := m.wrap(ctx, rt.Middlewares, m.provider, service)
	if err != nil {
		m.failWith(err)
	}
	rt.handler = h
	if rt.Status == Disabled {
		retire()
	}
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

// missingError is a name that nothing has.
type missingError struct{ kind, name, near string }

func (e *missingError) Error() string { return fmt.Sprintf("the %s %q does not exist", e.kind, e.name) }

// turnedOnBy names the install options of the gateway's own services.
var turnedOnBy = map[string]string{"api@internal": "api", "dashboard@internal": "api", "debug@internal": "api.debug", "ping@internal": "ping"}

// service returns the slot of a service that works.
func (m *making) service(name string) (http.Handler, error) {
	slot := m.next.services[name]
	m.route.uses = append(m.route.uses, use{name: name, slot: slot, isSlot: true})
	switch {
	case slot == nil && turnedOnBy[name] != "":
		return nil, fmt.Errorf("the service %q is not turned on: that is done by the install option %s", name, turnedOnBy[name])
	case slot == nil:
		return nil, &missingError{"service", name, nearestName(name, m.next.services)}
	case slot.Status == Disabled:
		return nil, fmt.Errorf("its service %q is out of use: %s", name, strings.Join(slot.Errors, "; "))
	}
	return slot, nil
}

// wrap puts the named middlewares in front of next, in their order. Its error
// joins those of all of them.
func (m *making) wrap(ctx context.Context, names []string, provider string, next http.Handler) (http.Handler, error) {
	var errs []error
	for _, name := range slices.Backward(names) {
		h, err := m.middleware(ctx, dynamic.Qualify(name, provider), next)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		next = h
	}
	slices.Reverse(errs)
	return next, errors.Join(errs...)
}

// mostMiddlewares bounds what chains of chains can make of a few labels.
const mostMiddlewares = 1000

func (m *making) middleware(ctx context.Context, name string, next http.Handler) (http.Handler, error) {
	def := m.next.middlewares[name]
	m.route.uses = append(m.route.uses, use{name: name, middleware: def})
	switch {
	case def == nil:
		return nil, &missingError{"middleware", name, nearestName(name, m.next.middlewares)}
	case def.Status == Disabled:
		return nil, fmt.Errorf("its middleware %q is out of use: %s", name, strings.Join(def.Errors, "; "))
	case slices.Contains(m.within, name):
		return nil, fmt.Errorf("the middleware %q contains itself: %s", name, strings.Join(append(m.within, name), " > "))
	}
	if m.built++; m.built > mostMiddlewares {
		return nil, fmt.Errorf("its chains come to more than %d middlewares", mostMiddlewares)
	}
	m.within = append(m.within, name)
	defer func() { m.within = m.within[:len(m.within)-1] }()
	provider := dynamic.ProviderOf(name)
	h, err := def.build.New(ctx, middlewares.Env{
		Name:    name,
		Log:     m.env.Log.WithField("middleware", name),
		Service: func(s string) (http.Handler, error) { return m.service(dynamic.Qualify(s, provider)) },
		Chain: func(names []string, next http.Handler) (http.Handler, error) {
			return m.wrap(ctx, names, provider, next)
		},
	}, next)
	if err != nil {
		return nil, fmt.Errorf("its middleware %q cannot be built: %w", name, err)
	}
	return h, nil
}
