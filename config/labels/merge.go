package labels

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"fairway/config/dynamic"
	"fairway/proxy/loadbalancer"
)

// merging puts the shares of all workloads together, the oldest first. Replicas
// of one service become one service with several servers. Of two different
// objects with one name the older workload's stays, and both are named.
type merging struct {
	provider string
	out      dynamic.HTTP
	owner    struct{ routers, services, middlewares map[string]*share }
	joined   map[string]string // service of a later share -> the service that its server joins
	merged   map[string]bool   // services that are copies made here
	problems []dynamic.Problem
}

func merge(provider string, shares []*share) *dynamic.Configuration {
	m := &merging{provider: provider, joined: map[string]string{}, merged: map[string]bool{}}
	m.out = dynamic.HTTP{
		Routers:     make(map[string]*dynamic.Router, len(shares)),
		Services:    make(map[string]*dynamic.Service, len(shares)),
		Middlewares: map[string]*dynamic.Middleware{},
	}
	m.owner.routers = make(map[string]*share, len(shares))
	m.owner.services = make(map[string]*share, len(shares))
	m.owner.middlewares = map[string]*share{}
	for _, s := range shares {
		for _, p := range s.problems {
			m.problem(s, p)
		}
		for name, r := range s.Routers {
			m.router(s, name, r)
		}
		for name, mw := range s.Middlewares {
			m.middleware(s, name, mw)
		}
		for name, svc := range s.Services {
			m.service(s, name, svc)
		}
	}
	slices.SortStableFunc(m.problems, func(a, b dynamic.Problem) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Reason, b.Reason))
	})
	return &dynamic.Configuration{HTTP: &m.out, Problems: slices.Compact(m.problems)}
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

func (m *merging) middleware(s *share, name string, mw *dynamic.Middleware) {
	first, taken := m.owner.middlewares[name]
	if !taken {
		m.owner.middlewares[name], m.out.Middlewares[name] = s, mw
		return
	}
	if !reflect.DeepEqual(m.out.Middlewares[name], mw) {
		m.clash(s, first, dynamic.KindMiddleware, name)
	}
}

func (m *merging) service(s *share, name string, svc *dynamic.Service) {
	if target, ok := m.joined[s.workload.ID+"/"+name]; ok {
		name = target
	}
	first, taken := m.owner.services[name]
	if !taken {
		m.owner.services[name], m.out.Services[name] = s, svc
		return
	}
	kept := m.out.Services[name]
	if first.workload.Group != s.workload.Group || !equalButServers(kept.LoadBalancer, svc.LoadBalancer) {
		m.clash(s, first, dynamic.KindService, name)
		m.orphan(s, name)
		return
	}
	if !m.merged[name] {
		lb := *kept.LoadBalancer
		lb.Servers = slices.Clone(lb.Servers)
		kept = &dynamic.Service{LoadBalancer: &lb}
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
	reason := fmt.Sprintf("the %s %q is not used: %s is older and has a different one of the same name", kind, name, first.workload.Source)
	if kind == dynamic.KindService && first.workload.Group != s.workload.Group {
		reason = fmt.Sprintf("the service %q is not used: %s of project %q has that name, and servers of different projects are not mixed", name, first.workload.Source, first.workload.Group)
	}
	m.problem(s, dynamic.Problem{Severity: dynamic.Error, Kind: kind, Name: name, Reason: reason})
	m.problem(first, dynamic.Problem{Severity: dynamic.Notice, Kind: kind, Name: name,
		Reason: fmt.Sprintf("%s has a different %s of the same name, which is not used", s.workload.Source, kind)})
}

// orphan disables those routers of s whose service was not used: another's
// servers must not answer for them.
func (m *merging) orphan(s *share, service string) {
	for name, r := range s.Routers {
		if r.Service == service && m.owner.routers[name] == s {
			m.problem(s, dynamic.Problem{Severity: dynamic.Error, Kind: dynamic.KindRouter, Name: name, Disables: true,
				Reason: fmt.Sprintf("its service %q belongs to another container", service)})
		}
	}
}

func equalButServers(a, b *loadbalancer.Config) bool {
	x, y := *a, *b
	x.Servers, y.Servers = nil, nil
	return reflect.DeepEqual(x, y)
}
