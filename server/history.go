package server

import (
	"sync"
	"time"

	"fairway/config/dynamic"
)

// history knows since when each present problem has been there.
type history struct {
	mu    sync.Mutex
	first map[dynamic.Problem]time.Time
}

// update takes the present problems, and returns those that are new and those
// that are gone.
func (h *history) update(present []dynamic.Problem) (fresh, mended []dynamic.Problem) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := make(map[dynamic.Problem]time.Time, len(present))
	for _, p := range present {
		since, known := h.first[p]
		if !known {
			since = time.Now()
			if _, twice := next[p]; !twice {
				fresh = append(fresh, p)
			}
		}
		next[p] = since
	}
	for p := range h.first {
		if _, still := next[p]; !still {
			mended = append(mended, p)
		}
	}
	h.first = next
	return fresh, mended
}

func (h *history) since(p dynamic.Problem) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.first[p]
}
