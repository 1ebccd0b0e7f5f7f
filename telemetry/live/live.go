// Package live knows what passes now: the numbers of the last 15 minutes, how much each
// router and service has to do, and the last requests. The dashboard shows it; nothing is
// kept longer.
//
// Requests only add to counters. Once a second a goroutine looks how much they have grown,
// and keeps that: see ring.go. tail.go has the last requests, which are put together only
// while somebody looks at them.
package live

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"fairway/telemetry"
)

// Live is what passes. It implements telemetry.Observer.
type Live struct {
	total    counters
	routers  sync.Map // name -> *object
	services sync.Map
	ring     ring
	tail     tail

	mu      sync.Mutex
	watched map[chan struct{}]bool // are told when there is something new
}

// counters only grow.
type counters struct {
	classes   [classes]atomic.Uint64 // by the hundreds of the status; the first has those without one
	durations [buckets]atomic.Uint64
}

const classes = 6

// object is a router, or a service.
type object struct {
	requests, errors, micros atomic.Uint64
	before                   [3]uint64 // when they were last looked at
	load                     atomic.Pointer[Load]
}

// Load is what a router or a service has to do, over the last seconds.
type Load struct {
	Rate   float64 `json:"rate"`   // requests a second
	Errors float64 `json:"errors"` // of them with a status from 500 on
	Millis float64 `json:"millis"` // that one takes, on average
}

// New makes one that keeps as many requests for the tail; 0: none.
func New(requests int) *Live {
	l := &Live{watched: map[chan struct{}]bool{}}
	l.tail.size = requests
	return l
}

// Observe implements telemetry.Observer.
func (l *Live) Observe(e *telemetry.Exchange) {
	if strings.HasSuffix(e.Record.Service, "@internal") {
		return // who looks at the dashboard does not want to see that
	}
	class := e.Status / 100
	if class < 0 || class >= classes {
		class = 0
	}
	l.total.classes[class].Add(1)
	l.total.durations[bucketOf(e.Duration)].Add(1)
	if e.Record.Router != "" {
		objectOf(&l.routers, e.Record.Router).add(class, e.Duration)
	}
	if e.Record.Leaf != "" {
		objectOf(&l.services, e.Record.Leaf).add(class, e.Duration)
	}
	l.tail.add(e)
}

func objectOf(in *sync.Map, name string) *object {
	if o, ok := in.Load(name); ok {
		return o.(*object)
	}
	o, _ := in.LoadOrStore(name, &object{})
	return o.(*object)
}

func (o *object) add(class int, took time.Duration) {
	o.requests.Add(1)
	o.micros.Add(uint64(max(took.Microseconds(), 0)))
	if class >= 5 {
		o.errors.Add(1)
	}
}

// perObject is how often the load of routers and services is computed.
const perObject = 5

// Run looks at the counters every second, until ctx ends.
func (l *Live) Run(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	l.ring.begin(&l.total)
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			l.ring.turn(&l.total, now)
			if n%perObject == 0 {
				turn(&l.routers, perObject)
				turn(&l.services, perObject)
			}
			l.tell()
		}
	}
}

// turn computes the load of objects over some seconds.
func turn(objects *sync.Map, seconds float64) {
	objects.Range(func(_, value any) bool {
		o := value.(*object)
		now := [3]uint64{o.requests.Load(), o.errors.Load(), o.micros.Load()}
		n := float64(now[0] - o.before[0])
		load := Load{Rate: n / seconds, Errors: float64(now[1]-o.before[1]) / seconds}
		if n > 0 {
			load.Millis = float64(now[2]-o.before[2]) / n / 1000
		}
		o.before = now
		o.load.Store(&load)
		return true
	})
}

// Router tells what a router has to do.
func (l *Live) Router(name string) Load { return loadOf(&l.routers, name) }

// Service tells what a service has to do.
func (l *Live) Service(name string) Load { return loadOf(&l.services, name) }

func loadOf(objects *sync.Map, name string) Load {
	if o, ok := objects.Load(name); ok {
		if load := o.(*object).load.Load(); load != nil {
			return *load
		}
	}
	return Load{}
}

// Keep forgets the routers and services that are not there any more.
func (l *Live) Keep(router, service func(name string) bool) {
	for _, kind := range []struct {
		objects *sync.Map
		has     func(string) bool
	}{{&l.routers, router}, {&l.services, service}} {
		kind.objects.Range(func(name, _ any) bool {
			if !kind.has(name.(string)) {
				kind.objects.Delete(name)
			}
			return true
		})
	}
}

// Watch returns a channel that has something when there are new numbers, or requests, and
// a function that ends that.
func (l *Live) Watch() (news <-chan struct{}, end func()) {
	c := make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watched[c] = true
	return c, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.watched, c)
	}
}

func (l *Live) tell() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.watched {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
