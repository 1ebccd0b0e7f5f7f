package ratelimit

import (
	"math"
	"sync"
	"time"

	"fairway/internal/sourcecriterion"
)

// A token bucket is kept as the generic cell rate algorithm (GCRA, ITU-T I.371) has
// it: as the moment at which it will be full, if nothing is taken. Each token puts that
// off by the time a token takes; a token is there as long as the moment is no further
// away than all tokens but one take. So there is nothing to fill, and a bucket is full
// when its moment has passed.

const (
	most     = 65536 // sources of one middleware
	shards   = 16
	maxDelay = 500 * time.Millisecond
	endless  = math.MaxInt64 / 4 // far away, and still safe to add to
	sample   = 16                // buckets looked at to find one that can go
)

// limit is a rate, in the terms of a bucket.
type limit struct {
	interval  time.Duration // that a token takes
	tolerance time.Duration // that the tokens of a full bucket take, but for one
	delay     time.Duration // that a request may be held
}

func newLimit(average int64, period time.Duration, burst int64) limit {
	interval := max(period/time.Duration(average), 1)
	tolerance := time.Duration(endless)
	if others := max(burst, 1) - 1; others < endless/int64(interval) {
		tolerance = time.Duration(others) * interval
	}
	return limit{interval: interval, tolerance: tolerance, delay: min(interval/2, maxDelay)}
}

// bucket is that of one source.
type bucket struct {
	full     time.Duration // when, since the start of the buckets
	interval time.Duration // that full was reckoned with
}

// missing is the time the bucket takes to be full, by the limit given: when the
// options have changed, as many tokens are missing as before.
func (b bucket) missing(now time.Duration, l limit) time.Duration {
	debt := max(b.full-now, 0)
	if debt > 0 && b.interval != l.interval {
		debt = time.Duration(min(float64(debt)/float64(b.interval)*float64(l.interval), endless))
	}
	return min(debt, l.tolerance+l.interval+l.delay)
}

// buckets are those of all sources of a middleware.
type buckets struct {
	start  time.Time
	shards [shards]shard
}

type shard struct {
	mu    sync.Mutex
	most  int
	swept time.Duration // when the full ones were last thrown out

	passed, refused uint64
	of              map[sourcecriterion.Source]bucket
}

func newBuckets(most int) *buckets {
	b := &buckets{start: time.Now()}
	for i := range b.shards {
		b.shards[i].most = most / shards
		b.shards[i].of = map[sourcecriterion.Source]bucket{}
	}
	return b
}

func (b *buckets) shard(source sourcecriterion.Source) *shard { return &b.shards[source.Shard(shards)] }

// take takes a token, which is there after wait. Not ok: that is too long, and no
// token was taken.
func (b *buckets) take(source sourcecriterion.Source, l limit) (wait time.Duration, ok bool) {
	s := b.shard(source)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Since(b.start) // under the lock, so that it never goes back
	old, known := s.of[source]
	debt := old.missing(now, l)
	if wait = max(debt-l.tolerance, 0); wait > l.delay {
		s.of[source] = bucket{full: now + debt, interval: l.interval} // as it was, but by this limit
		s.refused++
		return wait, false
	}
	if !known && len(s.of) >= s.most {
		s.makeRoom(now)
	}
	s.of[source] = bucket{full: now + debt + l.interval, interval: l.interval}
	s.passed++
	return wait, true
}

// Decisions implements middlewares.Decider.
func (b *buckets) Decisions() (passed, refused uint64) {
	for i := range b.shards {
		s := &b.shards[i]
		s.mu.Lock()
		passed, refused = passed+s.passed, refused+s.refused
		s.mu.Unlock()
	}
	return passed, refused
}

// giveBack undoes take.
func (b *buckets) giveBack(source sourcecriterion.Source, l limit) {
	s := b.shard(source)
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, known := s.of[source]; known {
		now := time.Since(b.start)
		s.of[source] = bucket{full: now + max(old.missing(now, l)-l.interval, 0), interval: l.interval}
	}
}

// makeRoom forgets sources: those with a full bucket, for which that changes nothing,
// or else one of a few that is the nearest to it. All are looked at once a second at
// most, so that a flood of sources costs little.
func (s *shard) makeRoom(now time.Duration) {
	if now-s.swept >= time.Second || s.swept == 0 {
		s.swept = now
		for source, b := range s.of {
			if b.full <= now {
				delete(s.of, source)
			}
		}
	}
	if len(s.of) < s.most {
		return
	}
	var nearest sourcecriterion.Source
	first, seen := time.Duration(math.MaxInt64), 0
	for source, b := range s.of {
		if b.full < first {
			nearest, first = source, b.full
		}
		if seen++; seen == sample {
			break
		}
	}
	delete(s.of, nearest)
}
