package circuitbreaker

import (
	"maps"
	"slices"
	"sync"

	"github.com/sirupsen/logrus"
)

// kept is what the instances of one middleware share.
type kept struct {
	mu  sync.Mutex
	now *breakers
}

// with returns the breakers that are kept, or fresh ones when those are for other
// options.
func (k *kept) with(c Config, fresh *breakers) *breakers {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now == nil || k.now.config != c {
		k.now = fresh
	}
	return k.now
}

// EachCircuit implements middlewares.Circuits.
func (k *kept) EachCircuit(tell func(service, state string)) {
	k.mu.Lock()
	now := k.now
	k.mu.Unlock()
	if now == nil {
		return
	}
	now.mu.Lock()
	all := slices.Collect(maps.Values(now.byService))
	now.mu.Unlock()
	for _, o := range all {
		tell(o.service, o.breaker.state().String())
	}
}

// breakers are those of all services behind one middleware.
type breakers struct {
	config    Config
	log       logrus.FieldLogger
	condition func(*sums) bool
	counted   *counted

	mu        sync.Mutex
	byService map[string]*owned
}

// owned is the breaker of a service.
type owned struct {
	service string
	breaker *breaker
}

// many is a number of services from which on those are looked for that are no more.
const many = 256

func (bs *breakers) of(service string) *owned {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	if o := bs.byService[service]; o != nil {
		return o
	}
	if len(bs.byService) >= many {
		maps.DeleteFunc(bs.byService, func(_ string, o *owned) bool { return o.breaker.idle() })
	}
	if bs.byService == nil {
		bs.byService = map[string]*owned{}
	}
	o := &owned{service: service, breaker: bs.newBreaker(service)}
	bs.byService[service] = o
	return o
}
