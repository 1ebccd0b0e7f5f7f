package hedge

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// memory is what all routes share that use the middleware, over reloads.
type memory struct {
	services sync.Map // name -> *times

	mu   sync.Mutex
	have float64 // attempts that may be made
}

// saved is how many attempts can be saved up.
const saved = 10

func newMemory() *memory { return &memory{have: saved} }

// Services come and go. From so many on, those are looked for that were not asked for long.
const (
	many = 256
	long = time.Hour
)

func (m *memory) of(service string) *times {
	if found, ok := m.services.Load(service); ok {
		return found.(*times)
	}
	m.forget(time.Now())
	found, _ := m.services.LoadOrStore(service, &times{last: time.Now()})
	return found.(*times)
}

// forget makes room, if there are many.
func (m *memory) forget(now time.Time) {
	n := 0
	var old []any
	m.services.Range(func(service, found any) bool {
		n++
		if t := found.(*times); t.unusedSince(now.Add(-long)) {
			old = append(old, service)
		}
		return true
	})
	if n < many {
		return
	}
	for _, service := range old {
		m.services.Delete(service)
	}
}

// earn is for each request that comes.
func (m *memory) earn(part float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.have = min(m.have+part, saved)
}

// spend takes an attempt, if there is one.
func (m *memory) spend() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.have < 1 {
		return false
	}
	m.have--
	return true
}

const (
	remembered = 512 // times of a service
	enough     = 100 // of them to know something
	renewed    = 64  // after so many the quantile is found anew
)

// times are how long the last answers of a service took to begin.
type times struct {
	cached atomic.Int64 // the quantile; 0: not known

	mu   sync.Mutex
	list [remembered]time.Duration
	n    int // that have been added
	of   float64
	last time.Time // when one was
}

func (t *times) unusedSince(moment time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last.Before(moment)
}

func (t *times) known() bool { return t.cached.Load() > 0 }

// quantile is 0 as long as too little is known.
func (t *times) quantile(q float64) time.Duration {
	t.mu.Lock()
	changed := t.of != q
	if changed {
		t.of = q
		t.renew()
	}
	t.mu.Unlock()
	return time.Duration(t.cached.Load())
}

func (t *times) add(took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = time.Now()
	t.list[t.n%remembered] = took
	if t.n++; t.n == enough || t.n > enough && t.n%renewed == 0 {
		t.renew()
	}
}

// renew finds the quantile. The lock is held.
func (t *times) renew() {
	if t.n < enough || t.of == 0 {
		return
	}
	sorted := slices.Clone(t.list[:min(t.n, remembered)])
	slices.Sort(sorted)
	t.cached.Store(int64(max(sorted[int(t.of*float64(len(sorted)))], 1)))
}
