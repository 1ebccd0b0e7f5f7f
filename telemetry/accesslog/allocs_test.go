//go:build !race

// Under the race detector sync.Pool throws away a part of what is put into it, so
// that nothing can be said about allocations there: this file is left out.

package accesslog

import "testing"

func TestObserve_DoesNotAllocate(t *testing.T) {
	for name, c := range kinds {
		l, drain := draining(t, c)
		e := ordinary()
		for range 3 { // chunks, and the buffer of the line
			for range 200 {
				l.Observe(e)
			}
			drain()
		}
		if n := testing.AllocsPerRun(1000, func() { l.Observe(e) }); n != 0 {
			t.Errorf("%s: %v allocations a line, want 0", name, n)
		}
	}
}
