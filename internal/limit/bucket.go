package limit

import (
	"math"
	"time"
)

// A token bucket is kept as the generic cell rate algorithm (GCRA, ITU-T I.371) has
// it: as the moment at which it will be full, if nothing is taken. Each token puts that
// off by the time a token takes; a token is there as long as the moment is no further
// away than all tokens but one take. So there is nothing to fill, and a bucket is full
// when its moment has passed.

const (
	maxDelay = 500 * time.Millisecond
	endless  = math.MaxInt64 / 8 // far away, and still safe to add to
)

// pace is a rate, in the terms of a bucket.
type pace struct {
	interval  time.Duration // that a token takes
	tolerance time.Duration // that the tokens of a full bucket take, but for one
	delay     time.Duration // that a request may be held
	deepest   time.Duration // that a bucket can owe
}

func paceOf(average int64, period time.Duration, burst int64) pace {
	interval := min(max(period/time.Duration(average), 1), endless/4)
	tolerance := time.Duration(endless)
	if others := max(burst, 1) - 1; others < endless/int64(interval) {
		tolerance = time.Duration(others) * interval
	}
	p := pace{interval: interval, tolerance: tolerance, delay: min(interval/2, maxDelay)}
	// What a service says of the cost comes too late to refuse anything: at most a bucket more
	// is owed by that.
	p.deepest = min(2*(tolerance+interval)+p.delay, endless)
	return p
}

// bucket is that of one source.
type bucket struct {
	full     time.Duration // when, since the start of the table
	interval time.Duration // that full was reckoned with
}

// missing is the time the bucket takes to be full, by the pace given: when the
// options have changed, as many tokens are missing as before.
func (b bucket) missing(now time.Duration, p *pace) time.Duration {
	debt := max(b.full-now, 0)
	if debt > 0 && b.interval != p.interval {
		debt = time.Duration(min(float64(debt)/float64(b.interval)*float64(p.interval), endless))
	}
	return min(debt, p.deepest)
}

// take takes n tokens, which are there after Wait. Not OK: that is too long, and none was taken.
func (b *bucket) take(now time.Duration, p *pace, n int64) Decision {
	debt := b.missing(now, p)
	b.interval = p.interval
	wait := max(debt+p.cost(n-1)-p.tolerance, 0)
	if wait > p.delay {
		b.full = now + debt // as it was, but by this pace
		return p.decision(false, wait, debt)
	}
	debt += p.cost(n)
	b.full = now + debt
	return p.decision(true, wait, debt)
}

// add takes n tokens whether they are there or not, or puts them back, if n is below 0.
func (b *bucket) add(now time.Duration, p *pace, n int64) {
	debt := min(max(b.missing(now, p)+p.cost(n), 0), p.deepest)
	b.full, b.interval = now+debt, p.interval
}

// cost is the time that n tokens take.
func (p *pace) cost(n int64) time.Duration {
	if n > 0 && n > endless/int64(p.interval) {
		return endless
	}
	return time.Duration(n) * p.interval
}

func (p *pace) decision(ok bool, wait, debt time.Duration) Decision {
	return Decision{OK: ok, Wait: wait, Left: int64(max(p.tolerance+p.interval-debt, 0) / p.interval), Reset: debt}
}
