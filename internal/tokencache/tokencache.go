// Package tokencache remembers what was found out about tokens, so that a token that is sent
// with each request is verified once.
package tokencache

import (
	"sync"
	"sync/atomic"
)

// Cache keeps values by tokens. Reading it takes no lock. Tokens are found by their whole
// text, with the random hash of the runtime: nobody can send one that is taken for another.
// What has not been asked for for a while goes when there is no more room. The zero value is
// empty and has room for none; see New.
type Cache[V any] struct {
	mostBytes int64
	mu        sync.Mutex
	young     atomic.Pointer[generation[V]]
	old       atomic.Pointer[generation[V]]
	latest    latest[V]
}

type generation[V any] struct {
	values sync.Map // of token to *entry[V]
	bytes  atomic.Int64
}

// perValue is about what an entry takes beside the text of its token.
const perValue = 1024

// New returns a Cache that takes about so many bytes at most.
func New[V any](mostBytes int64) *Cache[V] {
	c := &Cache[V]{mostBytes: mostBytes}
	c.Forget()
	return c
}

// Get returns what is kept of a token.
func (c *Cache[V]) Get(token string) (value V, ok bool) {
	place := c.latest.place(token)
	before := place.Load()
	if before.is(token) {
		return before.value, true
	}
	if v, ok := c.young.Load().values.Load(token); ok {
		e := v.(*entry[V])
		place.CompareAndSwap(before, e) // else it was forgotten meanwhile, or another one is here
		return e.value, true
	}
	v, ok := c.old.Load().values.Load(token)
	if !ok {
		return value, false
	}
	value = v.(*entry[V]).value
	c.Put(token, value) // it is in use: it stays when the old ones go
	return value, true
}

// Put keeps a value.
func (c *Cache[V]) Put(token string, value V) {
	defer c.latest.forget(token) // behind the change: see latest
	young := c.young.Load()
	if _, had := young.values.Swap(token, &entry[V]{token, value}); had {
		return
	}
	if young.bytes.Add(int64(len(token))+perValue) < c.mostBytes/2 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.young.Load() == young {
		c.old.Store(young)
		c.young.Store(&generation[V]{})
	}
}

// Drop forgets a token.
func (c *Cache[V]) Drop(token string) {
	c.young.Load().values.Delete(token)
	c.old.Load().values.Delete(token)
	c.latest.forget(token)
}

// Forget drops everything.
func (c *Cache[V]) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.old.Store(&generation[V]{})
	c.young.Store(&generation[V]{})
	c.latest.forgetAll()
}
