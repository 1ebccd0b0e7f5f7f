package dynamic

import (
	"slices"
	"strings"
)

// Precedence are names of providers in the order in which their routers go when priorities
// are equal. Those that are not in it follow, in the order that Traefik documents.
type Precedence []string

// documented is the order of those of whom nothing is said.
var documented = strings.Fields("kubernetesgateway kubernetescrd kubernetes kubernetesingressnginx swarm docker file redis knative consul consulcatalog nomad etcd ecs http zookeeper")

// Place is that of a provider; the smaller goes first. The gateway's own goes before all, and
// consul-NAMESPACE is where consul is.
func (p Precedence) Place(provider string) int {
	if provider == "internal" {
		return 0
	}
	kind, _, _ := strings.Cut(provider, "-")
	for _, name := range []string{provider, kind} {
		same := func(other string) bool { return strings.EqualFold(other, name) }
		if at := slices.IndexFunc(p, same); at >= 0 {
			return 1 + at
		}
	}
	if at := slices.Index(documented, kind); at >= 0 {
		return 1 + len(p) + at
	}
	return p.Last()
}

// Last is the place of those that nothing is known of.
func (p Precedence) Last() int { return 1 + len(p) + len(documented) }

// Unknown is the first name that is no provider's.
func (p Precedence) Unknown() (name string, known []string) {
	for _, name := range p {
		kind, _, _ := strings.Cut(strings.ToLower(name), "-")
		if kind != "plugin" && kind != "rest" && !slices.Contains(documented, kind) {
			return name, documented
		}
	}
	return "", nil
}
