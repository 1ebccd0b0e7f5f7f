package loadshed

import (
	"math"
	"runtime/metrics"
	"time"
)

// metricDelay is how the runtime names the times that goroutines which could run have waited.
const metricDelay = "/sched/latencies:seconds"

// readLoad returns a function that tells how much there was to do since it was called last: by what
// the system has counted of processor time, and the runtime of goroutines that wait. Both only grow.
// It takes some microseconds, and is called by one at a time.

func readLoad() func() load {
	samples := []metrics.Sample{{Name: metricDelay}, {Name: "/sched/gomaxprocs:threads"}}
	var before []uint64
	busy := processTime()
	at := time.Now()
	return func() load {
		metrics.Read(samples)
		now := load{}
		if samples[0].Value.Kind() == metrics.KindFloat64Histogram {
			h := samples[0].Value.Float64Histogram()
			now.delay = quantile(h, before)
			before = append(before[:0], h.Counts...)
		}
		spent, passed := processTime(), time.Since(at)
		if processors := samples[1].Value.Uint64(); passed > 0 && processors > 0 {
			now.cpu = float64(spent-busy) / float64(passed) / float64(processors)
		}
		busy, at = spent, time.Now()
		return now
	}
}

// quantile is what 99 of a hundred stay below, of what was counted since before.
func quantile(h *metrics.Float64Histogram, before []uint64) time.Duration {
	since := func(i int) uint64 {
		if len(before) != len(h.Counts) {
			return h.Counts[i]
		}
		return h.Counts[i] - before[i]
	}
	var all uint64
	for i := range h.Counts {
		all += since(i)
	}
	left := all / 100 // that may be above
	for i := len(h.Counts) - 1; i >= 0 && all > 0; i-- {
		n := since(i)
		if n > left {
			bound := h.Buckets[i]
			if math.IsInf(bound, -1) {
				bound = 0
			}
			return time.Duration(bound * float64(time.Second))
		}
		left -= n
	}
	return 0
}
