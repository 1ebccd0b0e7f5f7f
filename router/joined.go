package router

import (
	"fmt"
	"slices"

	"fairway/config/dynamic"
)

// The same service may be known to several providers: some of its replicas are containers,
// others are in a catalog. shop@docker,consulcatalog is one load balancer with the servers of
// both. A provider that has none of it at the moment is a warning, and the others serve.

// ofProviders makes the service of a name with several providers, or returns nil: none of them
// has it, or the name is of another kind.
func (b *building) ofProviders(name string) *dynamic.Service {
	o := object{dynamic.KindService, name}
	var names []string
	var parts []*dynamic.Service
	var missing []string
	for _, part := range dynamic.Joined(name) {
		c := b.cfg.HTTP.Services[part]
		if c == nil || len(b.blamed[object{o.kind, part}]) > 0 {
			missing = append(missing, part)
			continue
		}
		names, parts = append(names, part), append(parts, c)
	}
	if len(parts) == 0 {
		return nil // which is said where it is asked for
	}
	for _, part := range missing {
		reason, near := b.absent(part, names)
		b.warned[o] = append(b.warned[o], b.report(o.kind, name, reason, near, dynamic.Warning))
	}
	joined, err := dynamic.Join(names, parts)
	if err != nil {
		b.blamed[o] = append(b.blamed[o], b.report(o.kind, name, err.Error(), "", dynamic.Error))
		return parts[0]
	}
	return joined
}

// absent says why a part gives no servers, and what may have been meant by its name.
func (b *building) absent(part string, others []string) (reason, near string) {
	const lost = ": its servers are missing"
	if b.cfg.HTTP.Services[part] != nil {
		return fmt.Sprintf("the service %q is out of use", part) + lost, ""
	}
	if near = nearestName(part, b.cfg.HTTP.Services); slices.Contains(others, near) {
		near = "" // it is asked for already
	}
	return fmt.Sprintf("the service %q does not exist", part) + lost, near
}
