// Package remember keeps decisions for a short time, by keys that do not give away
// what they were made of: credentials, mostly.
package remember

import (
	"container/list"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// Key is the keyed hash (HMAC-SHA-256, RFC 2104) of what a decision was about.
type Key [sha256.Size]byte

// Cache keeps values for a time, and no more than a number of them: the oldest gives
// way. It is safe for concurrent use. The zero value is not usable.
type Cache[V any] struct {
	most   int
	now    func() time.Time
	secret [sha256.Size]byte
	mu     sync.Mutex
	values map[Key]*list.Element
	order  *list.List // of *entry[V], oldest first
}

type entry[V any] struct {
	key   Key
	value V
	until time.Time
}

// New returns a Cache of that many values at most.
func New[V any](most int) *Cache[V] {
	c := &Cache[V]{most: most, now: time.Now, values: map[Key]*list.Element{}, order: list.New()}
	_, _ = rand.Read(c.secret[:]) // never fails
	return c
}

// Key makes a key of parts. It is of use for this Cache only.
func (c *Cache[V]) Key(parts ...string) (key Key) {
	mac := hmac.New(sha256.New, c.secret[:])
	var length [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		_, _ = mac.Write(length[:])
		_, _ = mac.Write([]byte(part))
	}
	mac.Sum(key[:0])
	return key
}

// Get returns the value of a key, if there is one and its time is not over.
func (c *Cache[V]) Get(key Key) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.values[key]
	if !ok {
		return value, false
	}
	e := at.Value.(*entry[V])
	if !c.now().Before(e.until) {
		c.remove(at)
		return value, false
	}
	return e.value, true
}

// Claim keeps a value for a time, if there is none, and tells whether it did.
func (c *Cache[V]) Claim(key Key, value V, ttl time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.values[key]; ok && c.now().Before(at.Value.(*entry[V]).until) {
		return false
	}
	c.put(key, value, ttl)
	return true
}

// Put keeps a value for a time.
func (c *Cache[V]) Put(key Key, value V, ttl time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(key, value, ttl)
}

func (c *Cache[V]) put(key Key, value V, ttl time.Duration) {
	if at, ok := c.values[key]; ok {
		c.remove(at)
	}
	for len(c.values) >= c.most && len(c.values) > 0 {
		c.remove(c.order.Front())
	}
	c.values[key] = c.order.PushBack(&entry[V]{key, value, c.now().Add(ttl)})
}

// Drop forgets the value of a key.
func (c *Cache[V]) Drop(key Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.values[key]; ok {
		c.remove(at)
	}
}

// Limit changes how many values are kept.
func (c *Cache[V]) Limit(most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.most = most
	for len(c.values) > most {
		c.remove(c.order.Front())
	}
}

// Forget drops everything.
func (c *Cache[V]) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.values)
	c.order.Init()
}

func (c *Cache[V]) remove(at *list.Element) {
	delete(c.values, at.Value.(*entry[V]).key)
	c.order.Remove(at)
}
