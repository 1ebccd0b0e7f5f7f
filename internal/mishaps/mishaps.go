// Package mishaps keeps what goes wrong while scripts and plugins serve requests: how often, and what
// the last time, for the metrics and the dashboard. It is there as long as its middleware, over reloads.
package mishaps

import (
	"fmt"
	"sync/atomic"
	"time"
)

// lasting is how long the last one is shown, and between is the time between two lines in the log.
const (
	lasting = 5 * time.Minute
	between = 10 * time.Second
)

// Mishaps are those of a middleware. The zero value has none. It is safe for concurrent use.
type Mishaps struct {
	count  atomic.Uint64
	last   atomic.Pointer[mishap]
	told   atomic.Int64 // Unix time of the last line in the log
	unread atomic.Pointer[string]
}

type mishap struct {
	text string
	at   time.Time
}

// Note counts one, and tells whether the log should have a line about it.
func (m *Mishaps) Note(text string) (tell bool) {
	m.count.Add(1)
	now := time.Now()
	m.last.Store(&mishap{text, now})
	told := m.told.Load()
	return now.Unix()-told >= int64(between/time.Second) && m.told.CompareAndSwap(told, now.Unix())
}

// Fresh forgets what was wrong with the code that was there before, and keeps the count.
func (m *Mishaps) Fresh() {
	m.last.Store(nil)
	m.unread.Store(nil)
	m.told.Store(0)
}

// Unusable notes that a changed file cannot be used: what it said before goes on.
func (m *Mishaps) Unusable(err error) {
	text := "the changed file is not usable, and what it said before goes on: " + err.Error()
	m.unread.Store(&text)
}

// ScriptErrors implements middlewares.Scripted.
func (m *Mishaps) ScriptErrors() uint64 { return m.count.Load() }

// Trouble implements middlewares.Troubled.
func (m *Mishaps) Trouble() string {
	if text := m.unread.Load(); text != nil {
		return *text
	}
	last := m.last.Load()
	if last == nil || time.Since(last.at) > lasting {
		return ""
	}
	return fmt.Sprintf("the last of %d errors: %s", m.count.Load(), last.text)
}
