package router

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"fairway/config/dynamic"
	"fairway/internal/nearest"
	"fairway/middlewares"
	"fairway/router/index"
)

// Build makes the table of cfg. It never fails as a whole: what cannot be built
// is disabled, with the reason. What is equal to the previous table is taken from
// it; previous may be nil. Nothing is live before the table is applied.
func Build(cfg *dynamic.Configuration, previous *Table, env Env) *Table {
	if previous == nil {
		previous = &Table{}
	}
	if cfg.HTTP == nil {
		cfg = &dynamic.Configuration{HTTP: &dynamic.HTTP{}, TLS: cfg.TLS, Problems: cfg.Problems, Origin: cfg.Origin}
	}
	b := &building{env: env, cfg: cfg, previous: previous, next: &Table{
		cfg:         cfg,
		routes:      make(map[string]*Route, len(cfg.HTTP.Routers)),
		services:    make(map[string]*Slot, len(cfg.HTTP.Services)+len(env.Internal)),
		entryPoints: make(map[string]*entryPointRoutes, len(env.EntryPoints)),
		problems:    slices.Clone(cfg.Problems),
		aside:       env.aside,
	}}
	b.blame()
	b.detailed = env.detailed(cfg.HTTP.Routers)
	b.middlewares()
	b.transports()
	b.consumers()
	b.plans()
	b.tlsOptions()
	for name, h := range env.Internal {
		b.internal(name+"@internal", h)
	}
	for name, c := range cfg.HTTP.Services {
		b.service(name, c)
	}
	b.moved = b.moved || len(b.next.services) != len(previous.services) || !maps.Equal(b.next.options, previous.options)
	for name, c := range cfg.HTTP.Routers {
		b.router(name, c)
	}
	b.index()
	b.hosts()
	b.errorPages()
	slices.SortStableFunc(b.next.problems, func(x, y dynamic.Problem) int {
		return cmp.Or(cmp.Compare(x.Source, y.Source), cmp.Compare(x.Line, y.Line), cmp.Compare(x.Key, y.Key),
			cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Name, y.Name), cmp.Compare(x.Reason, y.Reason))
	})
	return b.next
}

// building is a table in the making.
type building struct {
	env      Env
	cfg      *dynamic.Configuration
	previous *Table
	next     *Table
	blamed   map[object][]string // reasons that disable
	warned   map[object][]string // reasons that do not
	guards   map[object]bool     // some of the reasons that disable are about what was to guard it
	changed  []pair              // routers that are not the same as before
	kept     int                 // routers that are
	detailed bool                // somebody wants spans of the parts
	moved    bool                // what routers use is not all the same as before
	path     []string            // services that are being built, each for the one before
}

type object struct{ kind, name string }

// blame sorts the problems that came with the configuration by object.
func (b *building) blame() {
	b.blamed, b.warned, b.guards = map[object][]string{}, map[object][]string{}, map[object]bool{}
	for _, p := range b.cfg.Problems {
		o := object{p.Kind, p.Name}
		reason := p
		reason.Kind, reason.Name = "", ""
		switch {
		case p.Kind == "" || p.Severity == dynamic.Notice:
		case p.Disables:
			b.blamed[o] = append(b.blamed[o], reason.String())
			b.guards[o] = b.guards[o] || !p.Yields
		default:
			b.warned[o] = append(b.warned[o], reason.String())
		}
	}
}

// said are the reasons that came with the configuration.
func (b *building) said(o object) []string {
	return append(slices.Clip(b.blamed[o]), b.warned[o]...)
}

// report makes a problem of a reason that was found while building.
func (b *building) report(kind, name, reason, near string, severity dynamic.Severity) string {
	p := dynamic.Problem{
		Severity: severity, Provider: dynamic.ProviderOf(name), Kind: kind, Name: name,
		Reason: reason, Nearest: near, Disables: severity == dynamic.Error,
	}
	if b.cfg.Origin != nil {
		p.Source, p.Line = b.cfg.Origin(kind, name)
	}
	b.next.problems = append(b.next.problems, p)
	p.Kind, p.Name, p.Source, p.Line = "", "", "", 0
	return p.String()
}

// middlewares finds or makes all of them. Mostly they are the same as before.
func (b *building) middlewares() {
	all, before := b.cfg.HTTP.Middlewares, b.previous.middlewares
	same := len(all) == len(before)
	for name, c := range all {
		if !same {
			break
		}
		same = b.stays(before[name], object{dynamic.KindMiddleware, name}, c)
	}
	if same && before != nil {
		b.next.middlewares = before
		return
	}
	b.moved = true
	b.next.middlewares = make(map[string]*Middleware, len(all))
	for name, c := range all {
		b.next.middlewares[name] = b.middleware(name, c)
	}
}

func (b *building) stays(old *Middleware, o object, c *dynamic.Middleware) bool {
	return old != nil && old.Status == Enabled && len(b.blamed[o])+len(b.warned[o]) == 0 && dynamic.Same(old.Config, c)
}

func (b *building) middleware(name string, c *dynamic.Middleware) *Middleware {
	o := object{dynamic.KindMiddleware, name}
	old := b.previous.middlewares[name]
	if b.stays(old, o, c) {
		return old
	}
	said := b.said(o)
	m := &Middleware{Name: name, Config: c, Status: Enabled, Errors: said, kept: &kept{}}
	if len(b.warned[o]) > 0 {
		m.Status = Warned
	}
	kind, build, err := c.Kind()
	m.Kind, m.build = kind, build
	if old != nil && old.Kind == kind {
		m.kept = old.kept
	}
	if err != nil && len(b.blamed[o]) == 0 {
		if len(b.warned[o]) == 0 { // else it is known why there is no type
			m.Errors = append(m.Errors, b.report(dynamic.KindMiddleware, name, err.Error(), "", dynamic.Error))
		}
		m.Status = Disabled
	}
	if len(b.blamed[o]) > 0 {
		m.Status = Disabled
	}
	if m.Status != Disabled {
		if err := b.try(m); err != nil {
			m.Errors = append(m.Errors, b.report(dynamic.KindMiddleware, name, kind+": "+err.Error(), "", dynamic.Error))
			m.Status = Disabled
		}
	}
	if m.Status == Disabled {
		m.build = nil
	}
	if old != nil && dynamic.Same(old.Config, c) && old.Status == m.Status && slices.Equal(old.Errors, m.Errors) {
		return old
	}
	return m
}

// try builds a middleware for nobody, so that a mistake is found and said once,
// also when no router uses it.
func (b *building) try(m *Middleware) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_, err := guarded(func() (http.Handler, error) {
		return m.build.New(ctx, middlewares.Env{
			Name: m.Name, Log: b.env.Log.WithField("middleware", m.Name),
			Service: func(string) (http.Handler, error) { return http.NotFoundHandler(), nil },
			Chain:   func(_ []string, next http.Handler) (http.Handler, error) { return next, nil },
			Keep:    func(fresh func() any) any { return fresh() }, Consumers: b.env.Consumers, Plans: b.env.Plans,
			Start: func(func(context.Context)) {},
		}, http.NotFoundHandler())
	})
	return err
}

// pair is a router before and after.
type pair struct{ old, new *Route }

// index brings the indexes of the entry points up to date, by what has changed.
func (b *building) index() {
	if b.kept < len(b.previous.routes) {
		for name, old := range b.previous.routes {
			if b.next.routes[name] == nil {
				b.changed = append(b.changed, pair{old: old})
			}
		}
	}
	for _, p := range b.changed {
		if p.old != nil {
			b.next.replaced = append(b.next.replaced, p.old)
		}
	}
	for _, ep := range b.env.EntryPoints {
		b.next.entryPoints[ep.Name] = &entryPointRoutes{plain: b.indexOf(ep.Name, false), secure: b.indexOf(ep.Name, true)}
	}
}

func (b *building) indexOf(entryPoint string, secure bool) *index.Index[*Route] {
	listens := func(rt *Route) bool {
		return rt != nil && (rt.Status != Disabled || rt.closed) && (rt.TLS != nil) == secure && slices.Contains(rt.EntryPoints, entryPoint)
	}
	var removed []string
	var added []index.Entry[*Route]
	for _, p := range b.changed {
		if listens(p.old) {
			removed = append(removed, p.old.Name)
		}
		if listens(p.new) {
			added = append(added, p.new.entry(b.env.Precedence))
		}
	}
	before := b.previous.entryPoints[entryPoint]
	if before == nil {
		return index.New(added)
	}
	ix := before.plain
	if secure {
		ix = before.secure
	}
	if len(removed)+len(added) == 0 {
		return ix
	}
	return ix.With(removed, added)
}

// entry is the place of a route in an index.
func (rt *Route) entry(precedence dynamic.Precedence) index.Entry[*Route] {
	order := precedence.Place(dynamic.ProviderOf(rt.Name))
	if rt.closed { // one of the same rule that works goes first, as one of two containers that take turns
		order += precedence.Last() + 1
	}
	return index.Entry[*Route]{Rule: rt.Rule, Priority: rt.Priority, Precedence: order, Name: rt.Name, Value: rt}
}

// nearestName suggests the qualified name that was probably meant, one of the
// same provider first.
func nearestName[T any](name string, m map[string]T) string {
	short, provider, _ := strings.Cut(name, "@")
	var same, other []string
	for candidate := range maps.Keys(m) {
		n, p, _ := strings.Cut(candidate, "@")
		if p == provider {
			same = append(same, candidate)
		}
		if n == short {
			other = append(other, candidate)
		}
	}
	if near := nearest.Name(name, same); near != "" {
		return near
	}
	slices.Sort(other)
	if len(other) > 0 {
		return other[0]
	}
	return nearest.Name(name, slices.Collect(maps.Keys(m)))
}
