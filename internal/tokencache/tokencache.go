// Package tokencache remembers what was found out about tokens, so that a token that is sent
// with each request is verified once.
package tokencache

import (
	"sync"
	"sync/atomic"
)

// Cache keeps values by tokens. Reading what has been asked for of late takes no lock. Tokens
// are found by their whole text, with the random hash of the runtime: nobody can send one that
// is taken for another. What has not been asked for for a while goes when there is no more
// room. See New.
type Cache[V any] struct {
	mostBytes int64
	young     atomic.Pointer[generation[V]]
	old       atomic.Pointer[generation[V]]
	latest    latest[V]  // of these
	mu        sync.Mutex // of who changes generations
}

type generation[V any] struct {
	values sync.Map // of token to *entry[V]
	bytes  int64
}

// get is the entry of a token; nil: there is none.
func (g *generation[V]) get(token string) *entry[V] {
	e, _ := g.values.Load(token)
	found, _ := e.(*entry[V])
	return found
}

// put has an entry for its token.
func (g *generation[V]) put(e *entry[V]) {
	if _, had := g.values.Swap(e.token, e); !had {
		g.bytes += int64(len(e.token)) + perValue
	}
}

// perValue is about what an entry takes beside the text of its token.
const perValue = 1024

// New returns a Cache that takes about so many bytes at most.
func New[V any](mostBytes int64) *Cache[V] {
	c := &Cache[V]{mostBytes: mostBytes}
	c.old.Store(&generation[V]{})
	c.young.Store(&generation[V]{})
	return c
}

// Get returns what is kept of a token.
func (c *Cache[V]) Get(token string) (value V, ok bool) {
	place := c.latest.place(token)
	if e := place.Load(); e.is(token) {
		return e.value, true
	}
	e := c.young.Load().get(token)
	if e == nil && c.old.Load().get(token) != nil {
		e = c.renew(token)
	}
	if e == nil {
		return value, false
	}
	place.Store(e)
	return e.value, true
}

// renew makes an old token a young one, since it is in use. nil: it is gone by now.
func (c *Cache[V]) renew(token string) *entry[V] {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.young.Load().get(token)
	if e == nil {
		if e = c.old.Load().get(token); e != nil {
			c.put(e)
		}
	}
	return e
}

// Put keeps a value.
func (c *Cache[V]) Put(token string, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, g := range []*generation[V]{c.young.Load(), c.old.Load()} {
		if before := g.get(token); before != nil {
			before.gone.Store(true)
		}
	}
	c.put(&entry[V]{token: token, value: value})
}

// put has an entry among the young ones, which are the old ones when they have half of all.
// What was old until then goes.
func (c *Cache[V]) put(e *entry[V]) {
	young := c.young.Load()
	young.put(e)
	if young.bytes < c.mostBytes/2 {
		return
	}
	next, gone := &generation[V]{}, c.old.Load()
	c.latest.each(func(e *entry[V]) { // they were not looked for in a generation for long
		if next.bytes < c.mostBytes/4 {
			next.put(e)
		}
	})
	c.old.Store(young)
	c.young.Store(next)
	gone.values.Range(func(_, value any) bool {
		if e := value.(*entry[V]); next.get(e.token) != e && young.get(e.token) != e {
			e.gone.Store(true)
		}
		return true
	})
}
