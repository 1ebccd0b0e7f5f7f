package cache

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/sirupsen/logrus"

	"fairway/internal/cachestore"
	"fairway/internal/httpcache"
)

// tiers are memory, and what is behind it once that is open. Redis stands alone: what is in
// memory could not be purged by another gateway.
type tiers struct {
	memory *cachestore.Memory // nil: there is none
	behind atomic.Pointer[cachestore.Store]
	order  sync.RWMutex // who purges comes between nobody's reading behind and saving in memory

	opening sync.Mutex         // of the disk, by one at a time
	awaited bool               // there is to be a disk
	missed  []cachestore.Match // what has been purged before it is open
}

// mostMissed bounds the purges that a disk is told of when it is open. After more of them it is
// emptied.
const mostMissed = 4096

// open opens the store on disk. What is wrong with it is a warning: the cache goes on in
// memory.
func (t *tiers) open(path string, most int64, log logrus.FieldLogger) {
	t.opening.Lock()
	defer t.opening.Unlock()
	if t.behind.Load() != nil {
		return
	}
	disk, err := cachestore.NewDisk(path, most, log)
	if err != nil {
		log.Warnf("the cache goes on without its disk: %v", err)
		return
	}
	t.order.Lock()
	defer t.order.Unlock()
	for _, m := range t.missed {
		if _, err := disk.Purge(context.Background(), m); err != nil {
			log.Warnf("what has been purged may be stored still: %v", err)
		}
	}
	t.awaited, t.missed = false, nil
	t.put(disk)
}

func (t *tiers) put(s cachestore.Store) { t.behind.Store(&s) }

func (t *tiers) next() cachestore.Store {
	if s := t.behind.Load(); s != nil {
		return *s
	}
	return nil
}

// Load returns the entry of a key, or nil.
func (t *tiers) Load(ctx context.Context, key []byte) *httpcache.Entry {
	if t.memory != nil {
		if e := t.memory.Load(ctx, key); e != nil {
			return e
		}
	}
	next := t.next()
	if next == nil {
		return nil
	}
	if t.memory == nil {
		return next.Load(ctx, key)
	}
	t.order.RLock()
	defer t.order.RUnlock()
	e := next.Load(ctx, key)
	if e != nil {
		t.memory.Save(ctx, e)
	}
	return e
}

// Save keeps an entry, unless purged tells that it has been purged already.
func (t *tiers) Save(ctx context.Context, e *httpcache.Entry, purged func(e *httpcache.Entry) bool) {
	t.order.RLock()
	defer t.order.RUnlock()
	if purged != nil && purged(e) {
		return
	}
	if t.memory != nil {
		t.memory.Save(ctx, e)
	}
	if next := t.next(); next != nil {
		next.Save(ctx, e)
	}
}

// Purge removes what matches, behind what mark does before.
func (t *tiers) Purge(ctx context.Context, m cachestore.Match, mark func()) (n int, err error) {
	t.order.Lock()
	mark()
	if t.memory == nil { // who saves from now on knows of it
		t.order.Unlock()
		return t.next().Purge(ctx, m)
	}
	defer t.order.Unlock()
	switch next := t.next(); {
	case next != nil:
		n, err = next.Purge(ctx, m)
	case t.awaited && len(t.missed) >= mostMissed:
		t.missed = []cachestore.Match{{All: true}}
	case t.awaited:
		t.missed = append(t.missed, m)
	}
	inMemory, merr := t.memory.Purge(ctx, m)
	if err == nil {
		err = merr
	}
	return max(n, inMemory), err
}

// Size implements cachestore.Sized.
func (t *tiers) Size() (entries int, bytes int64) {
	if t.memory != nil {
		entries, bytes = t.memory.Size()
	}
	if sized, ok := t.next().(cachestore.Sized); ok {
		return sized.Size()
	}
	return entries, bytes
}
