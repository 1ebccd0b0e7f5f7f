package dynamic

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"fairway/internal/consumers"
	"fairway/internal/plans"
	"fairway/proxy"
)

// Qualify returns name@provider; a name that has its provider stays as it is.
func Qualify(name, provider string) string {
	if strings.Contains(name, "@") {
		return name
	}
	return name + "@" + provider
}

// NewHTTP makes an HTTP without objects, with room for about n routers and services.
func NewHTTP(n int) *HTTP {
	return &HTTP{
		Routers: make(map[string]*Router, n), Services: make(map[string]*Service, n),
		Middlewares: map[string]*Middleware{}, ServersTransports: map[string]*proxy.ServersTransport{},
		Consumers: map[string]*consumers.Config{}, Plans: map[string]*plans.Config{},
	}
}

// ProviderOf returns what stands behind the @ of a qualified name.
func ProviderOf(qualified string) string {
	return qualified[strings.LastIndexByte(qualified, '@')+1:]
}

// Qualified returns the configuration of one provider with its objects under
// their qualified names. What the objects say of each other stays as written.
func (c *Configuration) Qualified(provider string) *Configuration {
	out := &Configuration{HTTP: &HTTP{}}
	if c.HTTP != nil {
		out.HTTP.Routers = qualified(c.HTTP.Routers, provider)
		out.HTTP.Services = qualified(c.HTTP.Services, provider)
		out.HTTP.Middlewares = qualified(c.HTTP.Middlewares, provider)
		out.HTTP.ServersTransports = qualified(c.HTTP.ServersTransports, provider)
		out.HTTP.Consumers = qualified(c.HTTP.Consumers, provider)
		out.HTTP.Plans = qualified(c.HTTP.Plans, provider)
	}
	out.TCP, out.UDP, out.TLS = c.TCP.qualified(provider), c.UDP.qualified(provider), c.TLS.qualified(provider)
	if origin := c.Origin; origin != nil {
		out.Origin = func(kind, name string) (string, int) {
			return origin(kind, strings.TrimSuffix(name, "@"+provider))
		}
	}
	for _, p := range c.Problems {
		p.Provider = provider
		if p.Name != "" && p.Kind != "" && p.Kind != KindTLSStore && (p.Kind != KindTLSOptions || p.Name != DefaultTLS) {
			p.Name = own(p.Name, provider)
		}
		out.Problems = append(out.Problems, p)
	}
	return out
}

func qualified[T any](in map[string]*T, provider string) map[string]*T {
	out := make(map[string]*T, len(in))
	for name, v := range in {
		if plain := strings.ReplaceAll(name, "@", "-"); plain != name && in[plain] != nil {
			continue // of two that come out alike the one written so stays
		}
		out[own(name, provider)] = v
	}
	return out
}

// own is the qualified name of a provider's own object. A name with an @ of its
// own would be taken for another provider's.
func own(name, provider string) string {
	return strings.ReplaceAll(name, "@", "-") + "@" + provider
}

// Merge puts the qualified configurations of several providers together.
func Merge(all map[string]*Configuration) *Configuration {
	if len(all) == 1 {
		for _, c := range all {
			return c
		}
	}
	out := &Configuration{HTTP: NewHTTP(0), TCP: NewTCP(), UDP: NewUDP()}
	out.Origin = func(kind, name string) (string, int) {
		if c := all[ProviderOf(name)]; c != nil && c.Origin != nil {
			return c.Origin(kind, name)
		}
		return "", 0
	}
	all = maps.Clone(all)
	for _, provider := range slices.Sorted(maps.Keys(all)) {
		c := all[provider]
		out.Problems = append(out.Problems, c.Problems...)
		out.TCP.add(c.TCP)
		out.UDP.add(c.UDP)
		if c.HTTP == nil {
			continue
		}
		maps.Copy(out.HTTP.Routers, c.HTTP.Routers)
		maps.Copy(out.HTTP.Services, c.HTTP.Services)
		maps.Copy(out.HTTP.Middlewares, c.HTTP.Middlewares)
		maps.Copy(out.HTTP.ServersTransports, c.HTTP.ServersTransports)
		maps.Copy(out.HTTP.Consumers, c.HTTP.Consumers)
		maps.Copy(out.HTTP.Plans, c.HTTP.Plans)
	}
	var doubled []Problem
	out.TLS, doubled = mergeTLS(all)
	out.Problems = append(out.Problems, doubled...)
	return out
}

// Equal tells whether two configurations say the same. Objects that are the same
// pointer are not looked into, which makes it cheap for those that share most.
func Equal(a, b *Configuration) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil || !slices.Equal(a.Problems, b.Problems) {
		return false
	}
	if !sameTLS(a.TLS, b.TLS) || !sameTCP(a.TCP, b.TCP) || !sameUDP(a.UDP, b.UDP) {
		return false
	}
	x, y := orZero(a.HTTP), orZero(b.HTTP)
	return sameObjects(x.Routers, y.Routers) && sameObjects(x.Services, y.Services) &&
		sameObjects(x.Middlewares, y.Middlewares) && sameObjects(x.ServersTransports, y.ServersTransports) &&
		sameObjects(x.Consumers, y.Consumers) && sameObjects(x.Plans, y.Plans)
}

func orZero(h *HTTP) *HTTP {
	if h == nil {
		return &HTTP{}
	}
	return h
}

func sameObjects[T any](a, b map[string]*T) bool {
	return maps.EqualFunc(a, b, Same[T])
}

// Same tells whether two objects say the same.
func Same[T any](a, b *T) bool { return a == b || reflect.DeepEqual(a, b) }
