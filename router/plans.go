package router

import (
	"fmt"
	"maps"
	"slices"

	"fairway/config/dynamic"
	"fairway/internal/plans"
)

// plans finds or makes the set. A plan of which something was not understood is none: what is
// missing may be its limit.
func (b *building) plans() {
	defer b.bookings()
	known := make(map[string]*plans.Config, len(b.cfg.HTTP.Plans))
	same := b.previous.plans != nil
	for name, p := range b.cfg.HTTP.Plans {
		if len(b.blamed[object{dynamic.KindPlan, name}]) > 0 {
			continue
		}
		known[name] = p
		same = same && dynamic.Same(b.previous.offered[name], p)
	}
	b.next.offered = known
	faulty := false
	set := plans.NewSet(known, func(name string, err error) {
		faulty = true
		b.report(dynamic.KindPlan, name, err.Error(), "", dynamic.Error)
	})
	if same && !faulty && len(known) == len(b.previous.offered) {
		set = b.previous.plans // middlewares have built by it
	}
	b.next.plans = set
}

// namesPlans is a middleware that applies plans.
type namesPlans interface {
	// NamesPlans returns them, with that provider where none is written.
	NamesPlans(provider string) []string
}

// bookings tells of plans that are named, and not there.
func (b *building) bookings() {
	applied := false
	for _, name := range slices.Sorted(maps.Keys(b.next.middlewares)) {
		m := b.next.middlewares[name]
		applier, ok := m.build.(namesPlans)
		if !ok {
			continue
		}
		applied = true
		for _, plan := range applier.NamesPlans(dynamic.ProviderOf(name)) {
			if b.next.plans.Named(plan) == nil {
				b.report(dynamic.KindMiddleware, name, fmt.Sprintf("there is no plan %q; a name without a provider is that of one of the same provider", plan), nearestName(plan, b.next.offered), dynamic.Warning)
			}
		}
	}
	if !applied {
		return // what consumers have booked is for policy and the log
	}
	for _, name := range slices.Sorted(maps.Keys(b.next.known)) {
		plan := b.next.known[name].Plan
		if plan == "" {
			continue
		}
		if plan = dynamic.Qualify(plan, dynamic.ProviderOf(name)); b.next.plans.Named(plan) == nil {
			b.report(dynamic.KindConsumer, name, fmt.Sprintf("there is no plan %q; a name without a provider is that of one of the same provider", plan), nearestName(plan, b.next.offered), dynamic.Warning)
		}
	}
}
