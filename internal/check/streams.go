package check

import (
	"slices"

	"fairway/config/dynamic"
	streams "fairway/proxy/tcp"
	"fairway/proxy/udp"
	"fairway/router"
	"fairway/router/tcp"
	udprouter "fairway/router/udp"
	"fairway/tls/certs"
)

// otherProblems are what is wrong with what a configuration says of TCP and UDP. Entry points of UDP are known if known is
// not nil; else those that routers name are taken to be there, as are objects of other providers.
func otherProblems(cfg *dynamic.Configuration, provider string, points []router.EntryPoint, known []string, table *router.Table) []dynamic.Problem {
	cfg = cfg.Qualified(provider)
	env := tcp.Env{EntryPoints: map[string]bool{}, Policy: func(name string) (*certs.Policy, error) {
		if name != "" && name != dynamic.DefaultTLS && dynamic.ProviderOf(name) != provider {
			return table.PolicyNamed("")
		}
		return table.PolicyNamed(name)
	}}
	for _, p := range points {
		env.EntryPoints[p.Name] = p.Default
	}
	if cfg.TCP != nil {
		assumeStreams(cfg.TCP, provider)
		for _, r := range cfg.TCP.Routers {
			for _, name := range r.EntryPoints {
				if known == nil && points == nil {
					env.EntryPoints[name] = true
				}
			}
		}
		if points == nil {
			env.EntryPoints["web"], env.EntryPoints["websecure"] = true, true
		}
	}
	datagrams := known
	if cfg.UDP != nil {
		for _, r := range cfg.UDP.Routers {
			if known == nil {
				datagrams = append(datagrams, r.EntryPoints...)
			}
			if name := dynamic.Qualify(r.Service, provider); dynamic.ProviderOf(name) != provider && r.Service != "" {
				cfg.UDP.Services[name] = &dynamic.UDPService{LoadBalancer: &udp.LoadBalancer{}}
			}
		}
	}
	slices.Sort(datagrams)
	mine := dynamic.Configuration{TCP: cfg.TCP, UDP: cfg.UDP, Problems: cfg.Problems, Origin: cfg.Origin}
	t := tcp.Build(&mine, nil, env)
	defer t.Retire()
	return append(t.Problems(), udprouter.Build(&mine, nil, slices.Compact(datagrams), nil).Problems()...)
}

// assumeStreams stands in for the objects of other providers.
func assumeStreams(t *dynamic.TCP, provider string) {
	for _, r := range t.Routers {
		if name := dynamic.Qualify(r.Service, provider); r.Service != "" && dynamic.ProviderOf(name) != provider {
			t.Services[name] = &dynamic.TCPService{LoadBalancer: &streams.LoadBalancer{}}
		}
		for _, name := range r.Middlewares {
			if name = dynamic.Qualify(name, provider); dynamic.ProviderOf(name) != provider {
				t.Middlewares[name] = &dynamic.TCPMiddleware{InFlightConn: &streams.InFlightConn{Amount: 1}}
			}
		}
	}
	for _, s := range t.Services {
		if s.LoadBalancer == nil || s.LoadBalancer.ServersTransport == "" {
			continue
		}
		if name := dynamic.Qualify(s.LoadBalancer.ServersTransport, provider); dynamic.ProviderOf(name) != provider {
			t.ServersTransports[name] = &streams.ServersTransport{}
		}
	}
}
