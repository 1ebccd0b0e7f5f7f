package oidc

import (
	"container/list"
	"sync"
	"sync/atomic"
	"time"
)

// endings are sessions in cookies that have ended before their time: a browser that still has
// the cookie is not let in. They are known by their id, the provider's name for them (sid), or
// by the user (sub): then those are meant that began before. Each is kept as long as such a
// session could last. Where there are too many the oldest give way.
type endings struct {
	most  int
	count atomic.Int64 // so that nobody waits while there are none
	mu    sync.RWMutex
	at    map[ending]*list.Element
	order *list.List // of *ended, oldest first
}

// ending is what has ended.
type ending struct{ kind, issuer, name string }

// kinds of names.
const (
	byID  = "id"
	bySID = "sid"
	bySub = "sub"
)

type ended struct {
	ending
	at, until time.Time
}

func newEndings(most int) *endings {
	return &endings{most: most, at: map[ending]*list.Element{}, order: list.New()}
}

// add notes that something has ended now, for so long.
func (e *endings) add(what ending, now time.Time, lasts time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if at := e.at[what]; at != nil {
		e.remove(at)
	}
	for at := e.order.Front(); at != nil && (e.order.Len() >= e.most || now.After(at.Value.(*ended).until)); at = e.order.Front() {
		e.remove(at)
	}
	e.at[what] = e.order.PushBack(&ended{what, now, now.Add(lasts)})
	e.count.Store(int64(len(e.at)))
}

func (e *endings) remove(at *list.Element) {
	delete(e.at, at.Value.(*ended).ending)
	e.order.Remove(at)
}

// has tells whether a session of an issuer is among them.
func (e *endings) has(issuer string, s *session) bool {
	if e.count.Load() == 0 {
		return false
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.at[ending{byID, issuer, s.id}] != nil || s.sid != "" && e.before(ending{bySID, issuer, s.sid}, s.began) || e.before(ending{bySub, issuer, s.sub}, s.began)
}

// before tells whether something has ended that a session which began then was part of: one
// that began later is of another login, though a provider may go on with its name.
func (e *endings) before(what ending, began time.Time) bool {
	at := e.at[what]
	return at != nil && !began.After(at.Value.(*ended).at)
}
