package labels

import (
	"reflect"
	"slices"

	"fairway/config/dynamic"
	"fairway/proxy"
	"fairway/proxy/tcp"
	"fairway/proxy/udp"
)

// streams takes what a share says of TCP and UDP. As with HTTP, replicas of one service become one service, and of two
// different objects with one name the older workload's stays.
func (m *merging) streams(s *share) {
	o := &m.others
	if o.tcp == nil {
		o.tcp, o.udp, o.owner = dynamic.NewTCP(), dynamic.NewUDP(), map[string]map[string]*share{}
		for _, kind := range []string{dynamic.KindTCPRouter, dynamic.KindTCPService, dynamic.KindTCPMiddleware, dynamic.KindTCPTransport, dynamic.KindUDPRouter, dynamic.KindUDPService} {
			o.owner[kind] = map[string]*share{}
		}
	}
	for name, r := range s.tcp.Routers {
		own(m, s, dynamic.KindTCPRouter, name, r, o.tcp.Routers, o.owner[dynamic.KindTCPRouter])
	}
	for name, mw := range s.tcp.Middlewares {
		own(m, s, dynamic.KindTCPMiddleware, name, mw, o.tcp.Middlewares, o.owner[dynamic.KindTCPMiddleware])
	}
	for name, t := range s.tcp.ServersTransports {
		own(m, s, dynamic.KindTCPTransport, name, t, o.tcp.ServersTransports, o.owner[dynamic.KindTCPTransport])
	}
	for name, r := range s.udp.Routers {
		own(m, s, dynamic.KindUDPRouter, name, r, o.udp.Routers, o.owner[dynamic.KindUDPRouter])
	}
	for name, svc := range s.tcp.Services {
		joinReplicas(m, s, dynamic.KindTCPService, name, svc, o.tcp.Services, joinTCP)
	}
	for name, svc := range s.udp.Services {
		joinReplicas(m, s, dynamic.KindUDPService, name, svc, o.udp.Services, joinUDP)
	}
	m.orphanStreams(s)
}

// joinReplicas puts a service into the place of its name; join makes one of two, if they are replicas.
func joinReplicas[T any](m *merging, s *share, kind, name string, svc *T, out map[string]*T, join func(a, b *T) (*T, bool)) {
	first, taken := m.others.owner[kind][name]
	if !taken {
		m.others.owner[kind][name], out[name] = s, svc
		return
	}
	whole, alike := join(out[name], svc)
	if first.workload.Group != s.workload.Group || !alike {
		m.clash(s, first, kind, name)
		return
	}
	out[name] = whole
}

func joinTCP(a, b *dynamic.TCPService) (*dynamic.TCPService, bool) {
	if a.LoadBalancer == nil || b.LoadBalancer == nil {
		return a, reflect.DeepEqual(a, b)
	}
	x, y := *a.LoadBalancer, *b.LoadBalancer
	servers := slices.Clone(x.Servers)
	for _, server := range y.Servers {
		if !slices.ContainsFunc(servers, func(have tcp.Server) bool { return have.Address == server.Address }) {
			servers = append(servers, server)
		}
	}
	x.Servers, y.Servers = nil, nil
	alike := reflect.DeepEqual(x, y)
	x.Servers = servers
	return &dynamic.TCPService{LoadBalancer: &x}, alike
}

func joinUDP(a, b *dynamic.UDPService) (*dynamic.UDPService, bool) {
	if a.LoadBalancer == nil || b.LoadBalancer == nil {
		return a, reflect.DeepEqual(a, b)
	}
	servers := slices.Clone(a.LoadBalancer.Servers)
	for _, server := range b.LoadBalancer.Servers {
		if !slices.ContainsFunc(servers, func(have udp.Server) bool { return have.Address == server.Address }) {
			servers = append(servers, server)
		}
	}
	return &dynamic.UDPService{LoadBalancer: &udp.LoadBalancer{Servers: servers}}, true
}

// orphanStreams disables routers that lead to an object of s that was not used: another's servers must not answer for
// it, nor another's middleware guard it.
func (m *merging) orphanStreams(s *share) {
	if len(m.lost) == 0 {
		return
	}
	for name, r := range s.tcp.Routers {
		if m.others.owner[dynamic.KindTCPRouter][name] != s {
			continue
		}
		if service := m.local(r.Service); m.lost[object{dynamic.KindTCPService, service}] {
			m.orphan(s, dynamic.KindTCPRouter, name, dynamic.KindTCPService, service)
		}
		for _, mw := range r.Middlewares {
			if mw = m.local(mw); m.lost[object{dynamic.KindTCPMiddleware, mw}] {
				m.orphan(s, dynamic.KindTCPRouter, name, dynamic.KindTCPMiddleware, mw)
			}
		}
	}
	for name, svc := range s.tcp.Services {
		if m.others.owner[dynamic.KindTCPService][name] != s {
			continue
		}
		if svc.LoadBalancer != nil {
			if t := m.local(svc.LoadBalancer.ServersTransport); m.lost[object{dynamic.KindTCPTransport, t}] {
				m.orphan(s, dynamic.KindTCPService, name, dynamic.KindTCPTransport, t)
			}
		}
		if svc.Weighted != nil {
			m.orphanParts(s, dynamic.KindTCPService, name, svc.Weighted.Services)
		}
	}
	for name, svc := range s.udp.Services {
		if svc.Weighted != nil && m.others.owner[dynamic.KindUDPService][name] == s {
			m.orphanParts(s, dynamic.KindUDPService, name, svc.Weighted.Services)
		}
	}
	for name, r := range s.udp.Routers {
		if service := m.local(r.Service); m.others.owner[dynamic.KindUDPRouter][name] == s && m.lost[object{dynamic.KindUDPService, service}] {
			m.orphan(s, dynamic.KindUDPRouter, name, dynamic.KindUDPService, service)
		}
	}
}

// orphanParts disables a service that is made of another's.
func (m *merging) orphanParts(s *share, kind, name string, parts []proxy.Part) {
	for _, part := range parts {
		if local := m.local(part.Name); m.lost[object{kind, local}] {
			m.orphan(s, kind, name, kind, local)
		}
	}
}
