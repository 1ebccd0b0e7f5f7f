package router

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"fairway/config/dynamic"
	"fairway/internal/oneof"
	"fairway/proxy"
)

// slot returns the slot of a service, or nil when there is no such service. One that
// has not been built yet is built now, since somebody needs it.
func (b *building) slot(name string) (*Slot, error) {
	if s := b.next.services[name]; s != nil {
		return s, nil
	}
	c := b.cfg.HTTP.Services[name]
	if c == nil {
		c = b.ofProviders(name)
	}
	if c == nil {
		return nil, nil
	}
	if at := slices.Index(b.path, name); at >= 0 {
		return nil, fmt.Errorf("the service %q leads back to itself: %s", name, strings.Join(append(slices.Clone(b.path[at:]), name), " > "))
	}
	b.service(name, c)
	return b.next.services[name], nil
}

// service finds or makes the slot of a service.
func (b *building) service(name string, c *dynamic.Service) {
	if b.next.services[name] != nil {
		return // it was needed before
	}
	b.path = append(b.path, name)
	defer func() { b.path = b.path[:len(b.path)-1] }()
	o := object{dynamic.KindService, name}
	said := b.said(o)
	old := b.previous.services[name]
	if old != nil && old.Status != Disabled && dynamic.Same(old.Config(), c) && slices.Equal(old.said, said) && b.same(old.current.Load().uses) {
		b.next.services[name] = old
		b.next.problems = append(b.next.problems, old.found...)
		return
	}
	var before *instance
	if old != nil {
		before = old.current.Load()
	}
	kind, in, warnings, err := b.instance(name, c, before)
	slot := &Slot{Name: name, Kind: kind, Status: Enabled, Errors: said, said: said}
	for _, w := range warnings {
		slot.Errors = append(slot.Errors, b.report(dynamic.KindService, name, w.Error(), nearOf(w), dynamic.Warning))
		slot.found = append(slot.found, b.next.problems[len(b.next.problems)-1])
	}
	if err == nil && len(b.blamed[o]) > 0 {
		in.retire()
		slot.Status, slot.closed = Disabled, true
		slot.current.Store(&instance{config: c})
		b.next.services[name], b.moved = slot, true
		return
	}
	switch {
	case err != nil:
		slot.Status, slot.closed = Disabled, isGuard(err) || len(b.blamed[o]) > 0
		if len(said) == 0 || !errors.Is(err, oneof.ErrNone) { // else it is known why there is no type
			slot.Errors = append(slot.Errors, b.report(dynamic.KindService, name, err.Error(), nearOf(err), dynamic.Error))
		}
		slot.current.Store(&instance{config: c})
		b.next.services[name], b.moved = slot, true
		return
	case len(slot.Errors) > 0:
		slot.Status = Warned
	}
	if old != nil && old.Status == slot.Status && old.Kind == slot.Kind && slices.Equal(old.Errors, slot.Errors) {
		b.next.services[name] = old
		b.next.swaps = append(b.next.swaps, swap{slot: old, with: in})
		b.next.fresh = append(b.next.fresh, in)
		return
	}
	slot.current.Store(in)
	b.next.fresh = append(b.next.fresh, in)
	b.next.services[name], b.moved = slot, true
}

// nearOf is the name that was meant instead of one that is missing.
func nearOf(err error) string {
	if missing, ok := errors.AsType[*missingError](err); ok {
		return missing.near
	}
	return ""
}

// instance builds a service and the middlewares in front of it.
func (b *building) instance(name string, c *dynamic.Service, before *instance) (kind string, in *instance, warnings []error, err error) {
	kind, config, err := c.Kind()
	if err != nil {
		return "", nil, nil, err
	}
	provider := dynamic.ProviderOf(name)
	m := &chaining{building: b, detailed: b.detailed, serves: name}
	env := proxy.Env{
		Name: name, Log: b.env.Log.WithField("service", name), Forwarder: b.env.Forwarder,
		Service: func(s string) (proxy.Child, error) {
			slot, err := m.service(dynamic.Qualify(s, provider))
			if err != nil {
				return nil, err
			}
			return m.followedChild(slot), nil
		},
		Warn:      func(reason error) { warnings = append(warnings, reason) },
		Transport: func(t string) (proxy.Forwarder, error) { return m.forwarder(dynamic.Qualify(t, provider)) },
	}
	if before != nil {
		env.Previous, _ = before.service.(proxy.Service)
	}
	ctx, retire := context.WithCancel(context.Background())
	svc, err := guarded(func() (proxy.Service, error) { return config.New(ctx, env) })
	if err != nil {
		retire()
		return kind, nil, nil, fmt.Errorf("%s: %w", kind, err)
	}
	h, err := m.wrap(ctx, c.Middlewares, provider, svc)
	if err != nil {
		retire()
		return kind, nil, nil, &guardError{err}
	}
	if len(m.uses) > 0 { // more than one part
		m.uses = append(m.uses, use{isDetail: true, detailed: b.detailed})
	}
	return kind, &instance{config: c, service: svc, handler: h, uses: m.uses, retire: retire}, warnings, nil
}

// internal makes the slot of a service that the gateway itself answers.
func (b *building) internal(name string, h http.Handler) {
	if old := b.previous.services[name]; old != nil {
		b.next.services[name] = old
		return
	}
	slot := &Slot{Name: name, Status: Enabled}
	slot.current.Store(&instance{service: h, handler: h})
	b.next.services[name], b.moved = slot, true
}
