package router

import (
	"fmt"
	"strings"

	"fairway/config/dynamic"
	"fairway/proxy"
)

// transport is one configured way of talking to servers. The connections belong to
// the targets of services; it keeps only those of the standard library.
type transport struct {
	config    *proxy.ServersTransport
	forwarder *proxy.Engine // nil when it is out of use
	errors    []string
}

// transports finds or makes all of them.
func (b *building) transports() {
	b.next.transports = make(map[string]*transport, len(b.cfg.HTTP.ServersTransports))
	for name, c := range b.cfg.HTTP.ServersTransports {
		o := object{dynamic.KindTransport, name}
		said := b.said(o)
		if old := b.previous.transports[name]; old != nil && old.forwarder != nil && dynamic.Same(old.config, c) && len(said) == 0 {
			b.next.transports[name] = old
			continue
		}
		t := &transport{config: c, errors: said}
		b.next.transports[name] = t
		if len(b.blamed[o]) > 0 {
			continue // what was not understood may be what makes it safe
		}
		var err error
		if t.forwarder, err = c.New(); err != nil {
			t.forwarder = nil
			t.errors = append(t.errors, b.report(dynamic.KindTransport, name, err.Error(), "", dynamic.Error))
		}
	}
}

// forwarder returns the forwarder of a transport. A service that cannot have the one
// it names has none: another could be less safe.
func (m *chaining) forwarder(name string) (proxy.Forwarder, error) {
	t := m.next.transports[name]
	m.uses = append(m.uses, use{name: name, transport: t, isTransport: true})
	switch {
	case t == nil:
		return nil, &missingError{dynamic.KindTransport, name, nearestName(name, m.next.transports)}
	case t.forwarder == nil:
		return nil, fmt.Errorf("its serversTransport %q is out of use: %s", name, strings.Join(t.errors, "; "))
	}
	return t.forwarder, nil
}

// closeIdleFrom lets go of what the transports of the previous table keep and this
// one does not have.
func (t *Table) closeIdleFrom(previous *Table) {
	for name, old := range previous.transports {
		if t.transports[name] != old && old.forwarder != nil {
			old.forwarder.CloseIdle()
		}
	}
}
