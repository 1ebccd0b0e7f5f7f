package loadshed

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	most   = 100
	every  = 100 * time.Millisecond // between two looks at the load
	rises  = 4                      // with each look at too much
	falls  = 3                      // with each look at less
	spread = 20                     // around the pressure some of a priority are refused
)

// limits say what is too much.
type limits struct {
	cpu   float64 // part of the processors, 1 is all
	delay time.Duration
}

func (l limits) exceeded(now load) bool {
	return now.cpu > l.cpu || l.delay > 0 && now.delay > l.delay
}

// load is what the gateway had to do since the last look.
type load struct {
	cpu   float64
	delay time.Duration // that one of a hundred goroutines has waited for a processor
}

// pressure rises while there is too much to do.
type pressure struct {
	read    func() load
	start   time.Time
	looked  atomic.Int64 // since start
	looking sync.Mutex   // held by the one who does
	value   atomic.Int64
	passed  atomic.Uint64
	refused atomic.Uint64
}

func newPressure(read func() load) *pressure { return &pressure{read: read, start: time.Now()} }

// admits tells whether a request of a priority passes.
func (p *pressure) admits(priority int, l limits) bool {
	now := int64(time.Since(p.start))
	if now-p.looked.Load() >= int64(every) && p.looking.TryLock() {
		p.look(l, now)
		p.looking.Unlock()
	}
	value := int(p.value.Load())
	ok := value == 0 || priority >= most || priority >= value+spread || priority > value-spread && priority+rand.IntN(2*spread)-spread >= value //nolint:gosec // a choice, not a secret
	if ok {
		p.passed.Add(1)
	} else {
		p.refused.Add(1)
	}
	return ok
}

// look lets the pressure rise or fall. Time in which nobody came is time with little to do; not so
// that of a look, which is long when there is too much.
func (p *pressure) look(l limits, now int64) {
	since := now - p.looked.Load()
	if since < int64(every) {
		return // somebody else has just looked
	}
	value := p.value.Load()
	value -= falls * (since/int64(every) - 1)
	if l.exceeded(p.read()) {
		value += rises
	} else {
		value -= falls
	}
	p.value.Store(min(max(value, 0), most+spread))
	p.looked.Store(int64(time.Since(p.start)))
}

// Decisions implements middlewares.Decider.
func (p *pressure) Decisions() (passed, refused uint64) { return p.passed.Load(), p.refused.Load() }
