package circuitbreaker

import (
	"sync"
	"testing"
	"time"
)

func TestHistogram_IsWithinTwoPercent(t *testing.T) {
	for latency := time.Microsecond; latency < 71*time.Minute; latency += latency/97 + time.Microsecond {
		want := float64(latency.Microseconds()) / 1000
		if got := middleOf(bucketOf(latency)); got < want*0.98 || got > want*1.02 {
			t.Fatalf("%s is counted as %v ms", latency, got)
		}
	}
	last := 0
	for power := range 64 { // buckets are in order, and there are enough of them
		bucket := bucketOf(time.Duration(1)<<power - 1)
		if bucket < last || bucket >= buckets {
			t.Fatalf("2^%d ns is in bucket %d of %d, behind %d", power, bucket, buckets, last)
		}
		last = bucket
	}
}

func TestQuantile(t *testing.T) {
	histogram := make([]uint64, buckets)
	for ms := 1; ms <= 100; ms++ {
		histogram[bucketOf(time.Duration(ms)*time.Millisecond)]++
	}
	for q, want := range map[float64]float64{0.1: 1, 1: 1, 50: 50, 99: 99, 100: 100} {
		if got := quantile(histogram, q); got < want*0.98 || got > want*1.02 {
			t.Errorf("%v %%: got %v ms, want %v", q, got, want)
		}
	}
	if got := quantile(make([]uint64, buckets), 50); got != 0 {
		t.Errorf("of nothing: got %v", got)
	}
}

func TestWindow_LosesNothing(t *testing.T) {
	const goroutines, requests = 8, 2000
	w := newWindow(&counted{ranges: []statuses{{200, 300}}, latency: true})
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for i := range requests {
				w.record(time.Duration(i)*4*time.Millisecond, 200+i%2*300, i%2 == 1, time.Duration(i)*time.Millisecond)
			}
		})
	}
	all.Wait()
	var s sums
	s.take(w, 9*time.Second)
	var timed uint64
	for _, n := range s.of[w.counted.histogram():] {
		timed += n
	}
	const want = goroutines * requests
	if s.of[total] != want || s.of[network] != want/2 || s.of[byStatus] != want/2 || timed != want {
		t.Errorf("got %d, %d failed, %d good, %d timed", s.of[total], s.of[network], s.of[byStatus], timed)
	}
	if s.take(w, 14*time.Second); s.of[total] >= want {
		t.Error("what is older than ten seconds still counts")
	}
	if s.take(w, 30*time.Second); s.of[total] != 0 || !w.empty(30*time.Second) {
		t.Error("the window is not empty")
	}
}
