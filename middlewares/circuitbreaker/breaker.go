package circuitbreaker

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
)

// A circuit goes through phases, one after the other, each of which is a value of its
// own. A request is counted in the window of the phase in which it passed: what passed
// before the circuit opened, and ends later, says nothing about the recovery.

type state byte

const (
	closed state = iota
	open
	recovering
)

// String is the word of metrics for it.
func (s state) String() string {
	switch s {
	case open:
		return "open"
	case recovering:
		return "recovering"
	case closed:
	}
	return "closed"
}

// phase is what a circuit is in for a time.
type phase struct {
	state  state
	since  time.Duration // recovering: when it began
	until  time.Duration // not closed: when it ends
	window *window       // what has become of the requests; not while open

	mu     sync.Mutex
	passed float64 // recovering: parts of requests that may pass
}

// breaker is one circuit. Times are those since its start.
type breaker struct {
	*breakers
	log     logrus.FieldLogger
	start   time.Time
	phase   atomic.Pointer[phase]
	checked atomic.Int64 // when expression is to be looked at next

	checking sync.Mutex
	sums     sums // of the last look
}

func (bs *breakers) newBreaker(service string) *breaker {
	b := &breaker{breakers: bs, start: time.Now(), log: bs.log.WithField("expression", bs.config.Expression)}
	if service != "" {
		b.log = b.log.WithField("service", service)
	}
	b.phase.Store(&phase{state: closed, window: newWindow(bs.counted)})
	return b
}

func (b *breaker) now() time.Duration { return time.Since(b.start) }

// state is that of now: a phase that is over may have been noticed by nobody.
func (b *breaker) state() state {
	for {
		p := b.phase.Load()
		if p.state == closed || b.now() < p.until {
			return p.state
		}
		b.proceed(p)
	}
}

// enter returns the phase in which a request passes, or nil, and after which time a
// try is worth while.
func (b *breaker) enter(now time.Duration) (p *phase, wait time.Duration) {
	for {
		p := b.phase.Load()
		switch {
		case p.state == closed:
			return p, 0
		case now >= p.until:
			b.proceed(p)
		case p.state == open:
			return nil, p.until - now
		case p.passes(now):
			return p, 0
		default:
			return nil, time.Second
		}
	}
}

// passes tells whether a request passes while the circuit recovers. Each one adds the
// part of the requests that may pass at that moment; a whole one passes.
func (p *phase) passes(now time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passed += float64(now-p.since) / float64(p.until-p.since)
	if p.passed < 1 {
		return false
	}
	p.passed--
	return true
}

// proceed begins the phase behind one that is over. Each one begins when the one
// before has ended, whether there were requests then or not.
func (b *breaker) proceed(over *phase) {
	if over.state == open {
		next := &phase{
			state: recovering, since: over.until, until: over.until + time.Duration(b.config.RecoveryDuration),
			window: newWindow(b.counted),
		}
		if b.phase.CompareAndSwap(over, next) {
			b.log.Info("the circuit recovers: more and more requests pass")
		}
		return
	}
	if b.phase.CompareAndSwap(over, &phase{state: closed, window: over.window}) {
		b.log.Info("the circuit is closed: all requests pass")
	}
}

// check looks at expression, if it is time to, and opens the circuit. p is the phase
// of the request that has ended.
func (b *breaker) check(p *phase, now time.Duration) {
	due := b.checked.Load()
	if int64(now) < due || !b.checked.CompareAndSwap(due, int64(now)+int64(b.config.CheckPeriod)) {
		return
	}
	current := b.phase.Load()
	if current.window != p.window || !b.checking.TryLock() {
		return
	}
	defer b.checking.Unlock()
	if b.sums.take(current.window, now); !b.condition(&b.sums) {
		return
	}
	fallback := time.Duration(b.config.FallbackDuration)
	if b.phase.CompareAndSwap(current, &phase{state: open, until: now + fallback}) {
		b.log.Warnf("the circuit is open: no request passes for %s", fallback)
	}
}

// idle tells whether a breaker is as a new one would be.
func (b *breaker) idle() bool {
	p := b.phase.Load()
	return p.state == closed && p.window.empty(b.now())
}

// shards is in how many parts counters are split, so that processors do not wait for
// each other: a power of two.
func shards() int {
	n := 1
	for n < min(runtime.GOMAXPROCS(0), 8) {
		n *= 2
	}
	return n
}
