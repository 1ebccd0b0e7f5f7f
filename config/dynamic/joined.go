package dynamic

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"fairway/proxy/loadbalancer"
)

// Joined returns the qualified names that a name with several providers stands for, as
// shop@docker,consulcatalog for shop@docker and shop@consulcatalog; nil: it has one provider.
func Joined(qualified string) (names []string) {
	name, providers, _ := strings.Cut(qualified, "@")
	if !strings.Contains(providers, ",") {
		return nil
	}
	for provider := range strings.SplitSeq(providers, ",") {
		provider = name + "@" + strings.TrimSpace(provider)
		if !strings.HasSuffix(provider, "@") && !slices.Contains(names, provider) {
			names = append(names, provider)
		}
	}
	return names
}

// Join makes one load balancer of those that several providers have of a name: with the servers
// of all, each once, and all else as the first one says.
func Join(names []string, parts []*Service) (*Service, error) {
	for i, part := range parts {
		if part.LoadBalancer == nil {
			return nil, fmt.Errorf("%q is no load balancer: only those can be put together", names[i])
		}
	}
	// What it names is qualified: its own name has no single provider.
	first := ProviderOf(names[0])
	joined, lb := *parts[0], *parts[0].LoadBalancer
	joined.LoadBalancer, joined.Middlewares = &lb, nil
	for _, m := range parts[0].Middlewares {
		joined.Middlewares = append(joined.Middlewares, Qualify(m, first))
	}
	lb.Servers = slices.Clone(lb.Servers)
	lb.ServersTransport = transportOf(names[0], parts[0])
	for i, part := range parts[1:] {
		if transport := transportOf(names[i+1], part); transport != lb.ServersTransport {
			return nil, errors.New("its parts talk to servers in different ways: serversTransport is " + orNone(lb.ServersTransport) + " and " + orNone(transport))
		}
		for _, s := range part.LoadBalancer.Servers {
			if !slices.ContainsFunc(lb.Servers, func(has loadbalancer.Server) bool { return has.URL == s.URL }) {
				lb.Servers = append(lb.Servers, s)
			}
		}
	}
	return &joined, nil
}

func transportOf(name string, s *Service) string {
	if s.LoadBalancer.ServersTransport == "" {
		return ""
	}
	return Qualify(s.LoadBalancer.ServersTransport, ProviderOf(name))
}

func orNone(value string) string {
	if value == "" {
		return "none"
	}
	return fmt.Sprintf("%q", value)
}
