package router

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"fairway/config/dynamic"
	"fairway/proxy/loadbalancer"
)

// The same service may be known to several providers: some of its replicas are containers,
// others are in a catalog. shop@docker,consulcatalog is one load balancer with the servers of
// both. Its options are those of the first provider that has the service; a provider that has
// none of its servers at the moment is a warning, and the others serve.

// ofProviders makes the service of a name with several providers, or returns nil: none of them has it,
// or the name is of another kind.
func (b *building) ofProviders(name string) *dynamic.Service {
	parts := dynamic.Joined(name)
	if parts == nil {
		return nil
	}
	o := object{dynamic.KindService, name}
	var joined *dynamic.Service
	for i, part := range parts {
		switch c := b.cfg.HTTP.Services[part]; {
		case slices.Contains(parts[:i], part):
		case c == nil:
			if near := nearestName(part, b.cfg.HTTP.Services); near == part || slices.Contains(parts, near) {
				b.warn(o, fmt.Sprintf("the service %q does not exist at the moment: its servers are missing", part), "")
			} else {
				b.warn(o, fmt.Sprintf("the service %q does not exist: its servers are missing", part), near)
			}
		case len(b.blamed[object{dynamic.KindService, part}]) > 0:
			b.warn(o, fmt.Sprintf("the service %q is out of use: its servers are missing", part), "")
		case joined == nil:
			joined = firstOf(part, c)
			if c.LoadBalancer == nil {
				b.refuse(o, fmt.Sprintf("%q is no load balancer: only those can be put together", part))
				return joined
			}
		default:
			if err := join(joined, part, c); err != nil {
				b.refuse(o, err.Error())
				return joined
			}
		}
	}
	if joined == nil { // it is missing as a whole, which is said where it is asked for
		delete(b.warned, o)
		b.next.problems = slices.DeleteFunc(b.next.problems, func(p dynamic.Problem) bool { return p.Kind == o.kind && p.Name == o.name })
	}
	return joined
}

func (b *building) warn(o object, reason, near string) {
	b.warned[o] = append(b.warned[o], b.report(o.kind, o.name, reason, near, dynamic.Warning))
}

func (b *building) refuse(o object, reason string) {
	b.blamed[o] = append(b.blamed[o], b.report(o.kind, o.name, reason, "", dynamic.Error))
}

// firstOf is a copy of a service whose names of other things are qualified, as it gets a name
// with several providers.
func firstOf(name string, c *dynamic.Service) *dynamic.Service {
	provider := dynamic.ProviderOf(name)
	own := *c
	own.Middlewares = nil
	for _, m := range c.Middlewares {
		own.Middlewares = append(own.Middlewares, dynamic.Qualify(m, provider))
	}
	if c.LoadBalancer != nil {
		lb := *c.LoadBalancer
		lb.ServersTransport = transportOf(name, c)
		lb.Servers = slices.Clone(lb.Servers)
		own.LoadBalancer = &lb
	}
	return &own
}

func transportOf(name string, c *dynamic.Service) string {
	if c.LoadBalancer.ServersTransport == "" {
		return ""
	}
	return dynamic.Qualify(c.LoadBalancer.ServersTransport, dynamic.ProviderOf(name))
}

// join adds the servers of another provider. A server that both have counts once.
func join(joined *dynamic.Service, name string, c *dynamic.Service) error {
	if c.LoadBalancer == nil {
		return fmt.Errorf("%q is no load balancer: only those can be put together", name)
	}
	if transport := transportOf(name, c); transport != joined.LoadBalancer.ServersTransport {
		return errors.New("its parts talk to servers in different ways: " + listed("serversTransport", joined.LoadBalancer.ServersTransport, transport))
	}
	for _, s := range c.LoadBalancer.Servers {
		same := func(has loadbalancer.Server) bool { return has.URL == s.URL }
		if !slices.ContainsFunc(joined.LoadBalancer.Servers, same) {
			joined.LoadBalancer.Servers = append(joined.LoadBalancer.Servers, s)
		}
	}
	return nil
}

// listed shows the values of an option.
func listed(option string, values ...string) string {
	for i, v := range values {
		values[i] = fmt.Sprintf("%q", v)
		if v == "" {
			values[i] = "none"
		}
	}
	return option + " is " + strings.Join(values, " and ")
}
