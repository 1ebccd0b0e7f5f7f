package labels

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"fairway/config/dynamic"
	"fairway/proxy/loadbalancer"
	"fairway/tls/certs"
)

// merging puts the shares of all workloads together, the oldest first. Replicas
// of one service become one service with several servers. Of two different
// objects with one name the older workload's stays, and both are named.
type merging struct {
	provider string
	out      dynamic.HTTP
	stores   map[string]*certs.Store
	owner    struct{ routers, services, middlewares, transports, consumers, plans, stores map[string]*share }
	others   struct { // of TCP and UDP
		tcp   *dynamic.TCP
		udp   *dynamic.UDP
		owner map[string]map[string]*share // by kind
	}
	joined   map[string]string // service of a later share -> the service that its server joins
	lost     map[object]bool   // of the present share: what an older workload's stands for
	merged   map[string]bool   // services that are copies made here
	problems []dynamic.Problem
}

type object struct{ kind, name string }

func merge(provider string, shares []*share) *dynamic.Configuration {
	m := &merging{provider: provider, joined: map[string]string{}, merged: map[string]bool{}, lost: map[object]bool{}}
	m.out = *dynamic.NewHTTP(len(shares))
	m.owner.routers = make(map[string]*share, len(shares))
	m.owner.services = make(map[string]*share, len(shares))
	m.owner.middlewares = map[string]*share{}
	m.owner.transports, m.owner.consumers, m.owner.plans = map[string]*share{}, map[string]*share{}, map[string]*share{}
	m.owner.stores, m.stores = map[string]*share{}, map[string]*certs.Store{}
	for _, s := range shares {
		clear(m.lost)
		for name, r := range s.Routers {
			m.router(s, name, r)
		}
		for name, mw := range s.Middlewares {
			own(m, s, dynamic.KindMiddleware, name, mw, m.out.Middlewares, m.owner.middlewares)
		}
		for name, t := range s.ServersTransports {
			own(m, s, dynamic.KindTransport, name, t, m.out.ServersTransports, m.owner.transports)
		}
		for name, c := range s.Consumers {
			own(m, s, dynamic.KindConsumer, name, c, m.out.Consumers, m.owner.consumers)
		}
		for name, p := range s.Plans {
			own(m, s, dynamic.KindPlan, name, p, m.out.Plans, m.owner.plans)
		}
		for name, svc := range s.Services {
			m.service(s, name, svc)
		}
		if s.tls != nil {
			for name, store := range s.tls.Stores {
				own(m, s, dynamic.KindTLSStore, name, store, m.stores, m.owner.stores)
			}
		}
		m.streams(s)
		m.orphans(s)
		for _, p := range s.problems {
			p.Disables = p.Disables && m.ownerOf(p) == s
			m.problem(s, p)
		}
	}
	slices.SortStableFunc(m.problems, func(a, b dynamic.Problem) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Reason, b.Reason))
	})
	out := &dynamic.Configuration{HTTP: &m.out, TCP: m.others.tcp, UDP: m.others.udp, Problems: slices.Compact(m.problems), Origin: m.origin}
	if len(m.stores) > 0 {
		out.TLS = &dynamic.TLS{Stores: m.stores}
	}
	return out
}

// origin names the workload that an object is from.
func (m *merging) origin(kind, name string) (string, int) {
	if s := m.ownerOf(dynamic.Problem{Kind: kind, Name: name}); s != nil {
		return s.workload.Source, 0
	}
	return "", 0
}

// ownerOf is the share whose object a problem is about. The mistakes of others
// must not put it out of use.
func (m *merging) ownerOf(p dynamic.Problem) *share {
	switch p.Kind {
	case dynamic.KindRouter:
		return m.owner.routers[p.Name]
	case dynamic.KindMiddleware:
		return m.owner.middlewares[p.Name]
	case dynamic.KindTransport:
		return m.owner.transports[p.Name]
	case dynamic.KindConsumer:
		return m.owner.consumers[p.Name]
	case dynamic.KindPlan:
		return m.owner.plans[p.Name]
	case dynamic.KindTLSStore:
		return m.owner.stores[p.Name]
	case dynamic.KindService:
		return m.owner.services[p.Name]
	}
	if owner, known := m.others.owner[p.Kind]; known {
		return owner[p.Name]
	}
	return m.owner.services[p.Name]
}

func (m *merging) problem(s *share, p dynamic.Problem) {
	p.Source = s.workload.Source
	m.problems = append(m.problems, p)
}

func (m *merging) router(s *share, name string, r *dynamic.Router) {
	first, taken := m.owner.routers[name]
	if !taken {
		m.owner.routers[name], m.out.Routers[name] = s, r
		return
	}
	kept := m.out.Routers[name]
	if reflect.DeepEqual(kept, r) {
		return
	}
	// Two containers that share a router and leave its service to be found mean
	// one service with both of them.
	alike := *r
	alike.Service = kept.Service
	if reflect.DeepEqual(*kept, alike) && first.linked[name] && s.linked[name] && first.workload.Group == s.workload.Group {
		m.joined[s.workload.ID+"/"+r.Service] = kept.Service
		return
	}
	m.clash(s, first, dynamic.KindRouter, name)
}

// own takes an object of a kind of which several workloads may say the same.
func own[T any](m *merging, s *share, kind, name string, object *T, out map[string]*T, owner map[string]*share) {
	first, taken := owner[name]
	if !taken {
		owner[name], out[name] = s, object
		return
	}
	if !reflect.DeepEqual(out[name], object) {
		m.clash(s, first, kind, name)
	}
}

// service puts a service into the place of its name, or of the one that its
// server joins. Routers that are the workload's alone keep their own.
func (m *merging) service(s *share, name string, svc *dynamic.Service) {
	target, joins := m.joined[s.workload.ID+"/"+name]
	if joins {
		m.place(s, target, svc)
	}
	if !joins || m.serves(s, name) {
		m.place(s, name, svc)
	}
}

// serves tells whether a router that s owns leads to the service.
func (m *merging) serves(s *share, service string) bool {
	for name, r := range s.Routers {
		if m.local(r.Service) == service && m.owner.routers[name] == s {
			return true
		}
	}
	return false
}

func (m *merging) place(s *share, name string, svc *dynamic.Service) {
	first, taken := m.owner.services[name]
	if !taken {
		m.owner.services[name], m.out.Services[name] = s, svc
		return
	}
	kept := m.out.Services[name]
	if first.workload.Group != s.workload.Group || !equalButServers(kept, svc) {
		m.clash(s, first, dynamic.KindService, name)
		return
	}
	if kept.LoadBalancer == nil {
		return // it is made of other services, and the same
	}
	if !m.merged[name] {
		lb := *kept.LoadBalancer
		lb.Servers = slices.Clone(lb.Servers)
		kept = &dynamic.Service{Middlewares: kept.Middlewares, LoadBalancer: &lb}
		m.out.Services[name], m.merged[name] = kept, true
	}
	for _, server := range svc.LoadBalancer.Servers {
		if !slices.ContainsFunc(kept.LoadBalancer.Servers, func(have loadbalancer.Server) bool { return have.URL == server.URL }) {
			kept.LoadBalancer.Servers = append(kept.LoadBalancer.Servers, server)
		}
	}
}

// clash reports an object that was not used because an older workload has
// another one of the same name.
func (m *merging) clash(s, first *share, kind, name string) {
	m.lost[object{kind, name}] = true
	reason := fmt.Sprintf("the %s %q is not used: %s is older and has a different one of the same name", kind, name, first.workload.Source)
	if kind == dynamic.KindService && first.workload.Group != s.workload.Group {
		reason = fmt.Sprintf("the service %q is not used: %s of project %q has that name, and servers of different projects are not mixed", name, first.workload.Source, first.workload.Group)
	}
	m.problem(s, dynamic.Problem{Severity: dynamic.Error, Kind: kind, Name: name, Reason: reason})
	m.problem(first, dynamic.Problem{
		Severity: dynamic.Notice, Kind: kind, Name: name,
		Reason: fmt.Sprintf("%s has a different %s of the same name, which is not used", s.workload.Source, kind),
	})
}

// orphans disables what leads to an object of s that was not used: another's
// servers must not answer for it, nor another's middleware guard it.
func (m *merging) orphans(s *share) {
	if len(m.lost) == 0 {
		return
	}
	for name, r := range s.Routers {
		if m.owner.routers[name] != s {
			continue
		}
		if service := m.local(r.Service); m.lost[object{dynamic.KindService, service}] {
			m.orphan(s, dynamic.KindRouter, name, dynamic.KindService, service)
		}
		m.guarded(s, dynamic.KindRouter, name, r.Middlewares)
	}
	for name, svc := range s.Services {
		if m.owner.services[name] != s {
			continue
		}
		m.guarded(s, dynamic.KindService, name, svc.Middlewares)
		for _, part := range svc.Parts() {
			if part = m.local(part); m.lost[object{dynamic.KindService, part}] {
				m.orphan(s, dynamic.KindService, name, dynamic.KindService, part)
			}
		}
		if svc.LoadBalancer == nil {
			continue
		}
		if t := m.local(svc.LoadBalancer.ServersTransport); m.lost[object{dynamic.KindTransport, t}] {
			m.orphan(s, dynamic.KindService, name, dynamic.KindTransport, t)
		}
	}
	for name, mw := range s.Middlewares {
		if mw.Chain != nil && m.owner.middlewares[name] == s {
			m.guarded(s, dynamic.KindMiddleware, name, mw.Chain.Middlewares)
		}
	}
}

func (m *merging) guarded(s *share, kind, name string, middlewares []string) {
	for _, mw := range middlewares {
		if mw = m.local(mw); m.lost[object{dynamic.KindMiddleware, mw}] {
			m.orphan(s, kind, name, dynamic.KindMiddleware, mw)
		}
	}
}

func (m *merging) orphan(s *share, kind, name, lostKind, lostName string) {
	m.problem(s, dynamic.Problem{
		Severity: dynamic.Error, Kind: kind, Name: name, Disables: true, Yields: lostKind == dynamic.KindService || lostKind == dynamic.KindTCPService || lostKind == dynamic.KindUDPService,
		Reason: fmt.Sprintf("its %s %q belongs to another container", lostKind, lostName),
	})
}

// local is a name without the provider's own behind the @.
func (m *merging) local(name string) string { return strings.TrimSuffix(name, "@"+m.provider) }

func equalButServers(a, b *dynamic.Service) bool {
	return reflect.DeepEqual(withoutServers(a), withoutServers(b))
}

func withoutServers(s *dynamic.Service) dynamic.Service {
	out := *s
	if s.LoadBalancer != nil {
		lb := *s.LoadBalancer
		lb.Servers = nil
		out.LoadBalancer = &lb
	}
	return out
}
