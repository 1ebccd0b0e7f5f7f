package adaptiveconcurrency

import (
	"math"
	"time"
)

// The limit follows the gradient of response times, after Netflix' concurrency-limits
// (Gradient2Limit). Times are gathered in windows; the mean of a window is set against what is usual
// for the service while it has room. Of their ratio the limit is made anew:
//
//	limit = limit * (tolerance * usual / now, from 1/2 to 1) + room for a queue
//
// and a fifth of the difference is taken. The room for a queue, the root of the limit, lets it grow
// until responses begin to take longer. It does not grow while it is not used, which would tell
// nothing.
//
// What is usual must not follow the times of a service in trouble, or the limit would creep up for
// ever. It falls with every faster window, but rises only while the limit is not half used, or is as
// low as it gets: then requests do not wait for each other, and their time is that of the service.
const (
	windowTime    = 100 * time.Millisecond
	windowSamples = 10
	rise          = 0.05 // part of a window in what is usual, if it took longer
	fall          = 0.2  // if it took less
	smoothing     = 0.2
	leastGradient = 0.5
)

// limit is how many requests there may be. It belongs to who has the lock of its gate.
type limit struct {
	value float64
	usual float64 // seconds; 0: nothing is known

	since   time.Time // of the window
	samples int
	sum     float64
	used    int // most requests at the same time in it
}

func newLimit(initial int) limit { return limit{value: float64(initial)} }

// most is within the bounds that are in force now: those of before a reload were others.
func (l *limit) most(c *Config) int { return min(max(int(l.value), c.MinLimit), c.MaxLimit) }

// add counts the time of a response, with the number of requests under way.
func (l *limit) add(now time.Time, took time.Duration, underWay int, c *Config) {
	if l.samples == 0 {
		l.since, l.sum, l.used = now, 0, 0
	}
	l.samples++
	l.sum += took.Seconds()
	l.used = max(l.used, underWay)
	if l.samples >= windowSamples && now.Sub(l.since) >= windowTime {
		l.turn(l.sum/float64(l.samples), c)
		l.samples = 0
	}
}

// turn makes the limit anew at the end of a window.
func (l *limit) turn(mean float64, c *Config) {
	mean = max(mean, 1e-6)
	l.value = max(float64(c.MinLimit), min(float64(c.MaxLimit), l.value))
	unused := float64(l.used) < l.value/2
	switch {
	case l.usual == 0:
		l.usual = mean
	case mean < l.usual:
		l.usual += fall * (mean - l.usual)
	case unused || l.most(c) <= c.MinLimit:
		l.usual += rise * (mean - l.usual)
	}
	gradient := max(leastGradient, min(1, c.Tolerance*l.usual/mean))
	if gradient >= 1 && unused {
		return
	}
	fresh := l.value*gradient + math.Sqrt(l.value)
	if gradient < 1 {
		fresh = l.value * gradient // it falls first, and looks for more when all is well
	}
	l.value += smoothing * (fresh - l.value)
	l.value = max(float64(c.MinLimit), min(float64(c.MaxLimit), l.value))
}
