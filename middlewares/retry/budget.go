package retry

import (
	"sync"
	"time"
)

const (
	perSecond = 10  // retries that are always allowed
	saved     = 100 // retries that can be saved up
)

// budget are the retries that may be made: requests earn parts of one, and so does the
// time that passes.
type budget struct {
	mu   sync.Mutex
	have float64
	at   time.Time
}

func newBudget() *budget { return &budget{have: saved, at: time.Now()} }

// earn is for each request that comes.
func (b *budget) earn(percent int) {
	if percent <= 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.have = min(b.have+float64(percent)/100, saved)
}

// spend takes a retry, if there is one.
func (b *budget) spend(percent int) bool {
	if percent < 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.have = min(b.have+now.Sub(b.at).Seconds()*perSecond, saved)
	b.at = now
	if b.have < 1 {
		return false
	}
	b.have--
	return true
}
