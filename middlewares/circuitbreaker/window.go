package circuitbreaker

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// A window counts what became of the requests of the last 10 seconds, in a slot for
// each second. Counting is adding to a few numbers: each slot has them several times,
// far enough apart that processors do not take the same piece of memory away from
// each other, and a request adds to one of these shards by chance. A slot that is ten
// seconds old is not emptied but replaced, so that nobody has to be waited for.

const (
	slots   = 10
	untimed = time.Duration(-1)

	total    = 0 // the counters of a shard: all requests,
	network  = 1 // those that failed,
	byStatus = 2 // those in each range of statuses; then the histogram
)

// counted is what an expression wants to know.
type counted struct {
	ranges  []statuses
	latency bool
}

// statuses are those from from up to, but without, to.
type statuses struct{ from, to int }

// histogram is where the counters of latencies begin.
func (c *counted) histogram() int { return byStatus + len(c.ranges) }

// size is the number of counters.
func (c *counted) size() int {
	if c.latency {
		return c.histogram() + buckets
	}
	return c.histogram()
}

type window struct {
	counted *counted
	shards  int
	stride  int // from shard to shard
	slots   [slots]atomic.Pointer[slot]
}

type slot struct {
	second   int64
	counters []atomic.Uint32
}

func newWindow(c *counted) *window {
	const line = 128 / 4 // counters that processors take together
	return &window{counted: c, shards: shards(), stride: (c.size() + line - 1) / line * line}
}

// record counts a request that has ended.
func (w *window) record(now time.Duration, code int, failed bool, latency time.Duration) {
	s := w.slot(int64(now / time.Second))
	at := (int(rand.Uint32()) & (w.shards - 1)) * w.stride //nolint:gosec // a choice, not a secret
	c := s.counters[at : at+w.stride]
	c[total].Add(1)
	if failed {
		c[network].Add(1)
	}
	for i, r := range w.counted.ranges {
		if r.from <= code && code < r.to {
			c[byStatus+i].Add(1)
		}
	}
	if latency != untimed {
		c[w.counted.histogram()+bucketOf(latency)].Add(1)
	}
}

// slot returns that of a second.
func (w *window) slot(second int64) *slot {
	p := &w.slots[second%slots]
	for {
		s := p.Load()
		if s != nil && s.second >= second { // later, for one who was held up
			return s
		}
		fresh := &slot{second: second, counters: make([]atomic.Uint32, w.shards*w.stride)}
		if p.CompareAndSwap(s, fresh) {
			return fresh
		}
	}
}

// current returns the slots that still count.
func (w *window) current(now time.Duration) (current [slots]*slot, n int) {
	oldest := int64(now/time.Second) - slots + 1
	for i := range w.slots {
		if s := w.slots[i].Load(); s != nil && s.second >= oldest {
			current[n] = s
			n++
		}
	}
	return current, n
}

func (w *window) empty(now time.Duration) bool {
	_, n := w.current(now)
	return n == 0
}

// sums are the counters of a window put together. They are used again.
type sums struct{ of []uint64 }

func (s *sums) take(w *window, now time.Duration) {
	size := w.counted.size()
	if s.of == nil {
		s.of = make([]uint64, size)
	}
	clear(s.of)
	current, n := w.current(now)
	for _, slot := range current[:n] {
		for at := 0; at < len(slot.counters); at += w.stride {
			for i := range size {
				s.of[i] += uint64(slot.counters[at+i].Load())
			}
		}
	}
}

// ratio is that of two counters.
func (s *sums) ratio(of, by int) float64 {
	if s.of[by] == 0 {
		return 0
	}
	return float64(s.of[of]) / float64(s.of[by])
}
