package circuitbreaker

import (
	"math/bits"
	"time"
)

// Latencies are counted in buckets that are the wider the longer the time is, as HDR
// histograms have it: up to 64 microseconds there is one for each, from there on there
// are 32 from each power of two to the next, so that the middle of a bucket is within
// 1.6 % of all that is in it. What takes longer than an hour counts as that.

const (
	exact   = 64 // microseconds with a bucket of their own: 2^6
	each    = 32 // buckets from a power of two to the next: 2^5
	longest = 1<<32 - 1
	buckets = exact + (32-6)*each
)

func bucketOf(latency time.Duration) int {
	us := uint64(min(max(latency.Microseconds(), 0), longest))
	if us < exact {
		return int(us)
	}
	power := bits.Len64(us) - 1
	return exact + (power-6)*each + int(us>>(power-5))&(each-1)
}

// middleOf is the latency that a bucket stands for, in milliseconds.
func middleOf(bucket int) float64 {
	if bucket < exact {
		return float64(bucket) / 1000
	}
	power, part := 6+(bucket-exact)/each, (bucket-exact)%each
	width := uint64(1) << (power - 5)
	return float64(uint64(each+part)*width+width/2) / 1000
}

// quantile is the latency in milliseconds that q percent of those counted do not
// exceed.
func quantile(histogram []uint64, q float64) float64 {
	var all uint64
	for _, n := range histogram {
		all += n
	}
	if all == 0 {
		return 0
	}
	wanted := max(uint64(q/100*float64(all)+0.5), 1)
	for bucket, n := range histogram {
		if n >= wanted {
			return middleOf(bucket)
		}
		wanted -= n
	}
	return middleOf(len(histogram) - 1)
}
