package adaptiveconcurrency

import (
	"sync"
	"time"
)

// gates are those of the services, which come and go. From many on, those are looked for that nobody
// has come to for long; what they have counted stays.
type gates struct {
	services sync.Map // name -> *gate

	mu              sync.Mutex
	passed, refused uint64 // of those that are forgotten
}

const (
	many = 256
	long = time.Hour
)

func (g *gates) of(service string, c *Config) *gate {
	if found, ok := g.services.Load(service); ok {
		return found.(*gate)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if found, ok := g.services.Load(service); ok {
		return found.(*gate)
	}
	g.forget(time.Now().Add(-long))
	one := &gate{limit: newLimit(c.InitialLimit), used: time.Now()}
	g.services.Store(service, one)
	return one
}

// forget makes room, if there are many. The lock is held.
func (g *gates) forget(before time.Time) {
	n := 0
	unused := map[any]*gate{}
	g.services.Range(func(service, found any) bool {
		n++
		if one := found.(*gate); one.unusedSince(before) {
			unused[service] = one
		}
		return true
	})
	if n < many {
		return
	}
	for service, one := range unused {
		g.services.Delete(service)
		one.mu.Lock()
		g.passed, g.refused = g.passed+one.passed, g.refused+one.refused
		one.mu.Unlock()
	}
}

// Decisions implements middlewares.Decider.
func (g *gates) Decisions() (passed, refused uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	passed, refused = g.passed, g.refused
	g.services.Range(func(_, found any) bool {
		one := found.(*gate)
		one.mu.Lock()
		defer one.mu.Unlock()
		passed, refused = passed+one.passed, refused+one.refused
		return true
	})
	return passed, refused
}
