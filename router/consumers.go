package router

import (
	"fairway/config/dynamic"
	"fairway/internal/consumers"
)

// consumers finds or makes the registry. A consumer of which something was not understood is
// unknown: what is missing may be what tells it from others.
func (b *building) consumers() {
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
