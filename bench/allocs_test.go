//go:build !race

// Under the race detector sync.Pool throws away a part of what is put into it, so
// that nothing can be said about allocations there: this file is left out.

package bench

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// A request on a route without middlewares allocates twice: once for the copy of
// its head, once for that of the response. Everything else is used again. What
// middlewares add is few: a copy of the request with its URL where the path changes, a
// writer where a response is looked at.
func TestRoute_Allocates(t *testing.T) {
	const (
		requests = 10_000
		beside   = 0.05 // the program does a little on its own
	)
	allowed := map[string]float64{"GET": 2, "POST": 2, "middlewares": 5, "limits": 4, "retry": 3}
	for _, w := range ways {
		most, gated := allowed[w.name]
		if !gated {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			c := w.open(t)
			for range 100 { // fill the pools
				c.ask()
			}
			defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties them
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range requests {
				c.ask()
			}
			runtime.ReadMemStats(&after)
			got := float64(after.Mallocs-before.Mallocs) / requests
			t.Logf("%.3f allocations, %d bytes a request", got, (after.TotalAlloc-before.TotalAlloc)/requests)
			if got > most+beside {
				t.Errorf("%.3f allocations a request, want at most %v", got, most)
			}
		})
	}
}
