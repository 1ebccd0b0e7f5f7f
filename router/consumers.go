package router

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"fairway/config/dynamic"
	"fairway/internal/consumers"
)

// consumers finds or makes the registry. A consumer of which something was not understood is
// unknown: what is missing may be what tells it from others.
func (b *building) consumers() {
	defer b.doubts()
	known := make(map[string]*consumers.Config, len(b.cfg.HTTP.Consumers))
	same := b.previous.consumers != nil
	for name, c := range b.cfg.HTTP.Consumers {
		if len(b.blamed[object{dynamic.KindConsumer, name}]) > 0 {
			continue
		}
		known[name] = c
		same = same && dynamic.Same(b.previous.known[name], c)
	}
	b.next.known = known
	if same && len(known) == len(b.previous.known) && !b.previous.doubted {
		b.next.consumers = b.previous.consumers
		return
	}
	b.next.consumers = consumers.New(known, func(name string, err error) {
		b.next.doubted = true // to be told again by the next table
		b.report(dynamic.KindConsumer, name, err.Error(), "", dynamic.Error)
	})
}

// namesConsumers is a middleware that treats consumers apart by their names.
type namesConsumers interface {
	// NamesConsumers returns them, with that provider where none is written.
	NamesConsumers(provider string) []string
}

// trustsAuthorities is a middleware that believes of a client to be the consumer whose
// certificate it shows.
type trustsAuthorities interface {
	// Authorities returns whom it believes, and whether of every consumer.
	Authorities() (list string, ofAll bool)
}

// doubts tells what may let in others than is meant, though nothing is wrong with it.
func (b *building) doubts() {
	for _, name := range slices.Sorted(maps.Keys(b.next.known)) {
		c := b.next.known[name]
		if len(c.Claims) > 0 && !slices.ContainsFunc(c.Claims, func(claim string) bool { return strings.HasPrefix(claim, "iss=") }) {
			b.report(dynamic.KindConsumer, name, "claims: name the issuer as well, as in iss=https://id.example: a token of any issuer that some middleware trusts is this consumer's", "", dynamic.Warning)
		}
	}
	authorities := map[string][]string{} // the middlewares that believe them of everybody
	for _, name := range slices.Sorted(maps.Keys(b.next.middlewares)) {
		m := b.next.middlewares[name]
		if named, ok := m.build.(namesConsumers); ok {
			for _, consumer := range named.NamesConsumers(dynamic.ProviderOf(name)) {
				if b.next.consumers.ByName(consumer) == nil {
					b.report(dynamic.KindMiddleware, name, fmt.Sprintf("there is no consumer %q; a name without a provider is that of one of the same provider", consumer), nearestName(consumer, b.next.known), dynamic.Warning)
				}
			}
		}
		if trusts, ok := m.build.(trustsAuthorities); ok {
			list, ofAll := trusts.Authorities()
			authorities[list] = slices.Clip(authorities[list])
			if ofAll {
				authorities[list] = append(authorities[list], name)
			}
		}
	}
	if len(authorities) > 1 && b.knowsByName() {
		for _, name := range slices.Sorted(maps.Keys(authorities)) {
			for _, m := range authorities[name] {
				b.report(dynamic.KindMiddleware, m, "mtls: a certificate of these authorities can be that of every consumer, and other middlewares trust other authorities: say by consumers or groups whom they may name", "", dynamic.Warning)
			}
		}
	}
}

// knowsByName tells whether a consumer is known by what an authority writes into a
// certificate, and not by the certificate alone.
func (b *building) knowsByName() bool {
	for _, c := range b.next.known {
		if slices.ContainsFunc(c.Certificates, func(text string) bool { return !strings.HasPrefix(strings.ToLower(text), "sha256:") }) {
			return true
		}
	}
	return false
}
