package dockerengine

import (
	"cmp"
	"maps"
	"slices"
)

// Networks are the addresses of a container, or of a task, by the names of the networks.
type Networks map[string]Address

// Address in one network.
type Address struct{ V4, V6 string }

// String prefers the IPv4 address.
func (a Address) String() string { return cmp.Or(a.V4, a.V6) }

// Named is the address in the network with the given name, also when Compose or a stack has
// put its own name, the project, in front. None: the container is not in it.
func (n Networks) Named(name, project string) string {
	found := n[name].String()
	if found == "" && project != "" {
		found = n[project+"_"+name].String()
	}
	return found
}

// Any is the address in the first of the preferred networks, else in the first by name.
func (n Networks) Any(preferred []string) string {
	for _, name := range append(slices.Clone(preferred), slices.Sorted(maps.Keys(n))...) {
		if found := n[name].String(); found != "" {
			return found
		}
	}
	return ""
}
