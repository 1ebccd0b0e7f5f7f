package server

import (
	"sync"
	"time"
)

// lines bounds how many lines about requests that failed are written: a service that is
// down must not fill the disk. What is left out is counted, and told with the next line.
type lines struct {
	mu   sync.Mutex
	left float64
	at   time.Time
	more int // that were left out
}

const (
	linesAtOnce    = 50
	linesPerSecond = 5
)

// take tells whether a line may be written, and how many were left out before it.
func (l *lines) take(now time.Time) (before int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at.IsZero() {
		l.left = linesAtOnce
	}
	l.left = min(l.left+now.Sub(l.at).Seconds()*linesPerSecond, linesAtOnce)
	l.at = now
	if l.left < 1 {
		l.more++
		return 0, false
	}
	l.left--
	before, l.more = l.more, 0
	return before, true
}
