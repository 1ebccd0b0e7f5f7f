package live

import (
	"math"
	"math/bits"
	"sync"
	"time"
)

// History is how many seconds are kept.
const History = 15 * 60

// Durations are counted in buckets, four for each doubling: a quantile is right within a
// fifth.
const (
	perDoubling = 4
	buckets     = 44 * perDoubling // to half a year
)

// bucketOf is the bucket of a duration: by the highest bit of its microseconds, and the two
// bits behind it.
func bucketOf(d time.Duration) int {
	micros := uint64(max(d.Microseconds(), 0))
	if micros < perDoubling {
		return int(micros)
	}
	high := bits.Len64(micros) - 1
	return min((high-1)*perDoubling+int(micros>>(high-2)&(perDoubling-1)), buckets-1)
}

// middle is a duration in the middle of a bucket, in milliseconds.
func middle(bucket int) float64 {
	if bucket < perDoubling {
		return float64(bucket) / 1000
	}
	high := bucket/perDoubling + 1
	lower := float64(uint64(perDoubling+bucket%perDoubling) << (high - 2))
	return lower * (1 + 0.5/float64(perDoubling+bucket%perDoubling)) / 1000
}

// Second is what passed in one.
type Second struct {
	Time    int64           `json:"t"`       // Unix time of its end
	Classes [classes]uint64 `json:"classes"` // requests by the hundreds of their status
	P50     float64         `json:"p50"`     // milliseconds
	P95     float64         `json:"p95"`
	P99     float64         `json:"p99"`
}

// ring has the last seconds.
type ring struct {
	before  [classes]uint64 // only for who turns it
	counted [buckets]uint64

	mu      sync.Mutex
	seconds [History]Second
	next    int
	filled  int
}

func (r *ring) begin(c *counters) { r.grown(c) }

// grown is how much the counters have since the last time.
func (r *ring) grown(c *counters) (classes [classes]uint64, durations [buckets]uint64) {
	for i := range c.classes {
		now := c.classes[i].Load()
		classes[i], r.before[i] = now-r.before[i], now
	}
	for i := range c.durations {
		now := c.durations[i].Load()
		durations[i], r.counted[i] = now-r.counted[i], now
	}
	return classes, durations
}

// turn keeps the second that has ended.
func (r *ring) turn(c *counters, now time.Time) {
	classes, durations := r.grown(c)
	s := Second{Time: now.Unix(), Classes: classes, P50: quantile(&durations, 0.5), P95: quantile(&durations, 0.95), P99: quantile(&durations, 0.99)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seconds[r.next] = s
	r.next = (r.next + 1) % History
	r.filled = min(r.filled+1, History)
}

// quantile is in milliseconds; 0 where there is nothing.
func quantile(durations *[buckets]uint64, q float64) float64 {
	var all uint64
	for _, n := range durations {
		all += n
	}
	if all == 0 {
		return 0
	}
	rank, below := uint64(math.Ceil(q*float64(all))), uint64(0)
	for i, n := range durations {
		if below += n; below >= rank {
			return middle(i)
		}
	}
	return middle(buckets - 1)
}

// Since returns the seconds that have ended after a time, the oldest first.
func (l *Live) Since(t int64) []Second {
	l.ring.mu.Lock()
	defer l.ring.mu.Unlock()
	all := make([]Second, 0, 16)
	for i := History - l.ring.filled; i < History; i++ {
		if s := l.ring.seconds[(l.ring.next+i)%History]; s.Time > t {
			all = append(all, s)
		}
	}
	return all
}
