package cache

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"fairway/internal/cachestore"
	"fairway/internal/httpcache"
	"fairway/internal/sharing"
	"fairway/middlewares"
)

// state is what all have in common that use one store.
type state struct {
	store   tiers
	held    atomic.Int64 // bytes of bodies on their way
	most    int64
	alone   atomic.Uint64 // flights that nobody joins
	passing passing

	mu       sync.Mutex
	flights  map[string]*flight   // that can be joined
	underWay map[*flight]struct{} // all, for purges
}

// spare takes n bytes of what bodies on their way may have together, or gives them back.
func (st *state) spare(n int64) bool {
	if st.held.Add(n) > st.most && n > 0 {
		st.held.Add(-n)
		return false
	}
	return true
}

// kept is what the instances of one middleware share.
type kept struct {
	own    sharing.ByOptions[*state]
	now    atomic.Pointer[state]
	counts counts
}

// state is that of the store that c asks for.
func (k *kept) state(ctx context.Context, c *Config, env middlewares.Env) (*state, error) {
	fresh := func(own context.Context) (*state, error) {
		st := &state{most: c.MemoryBytes, flights: map[string]*flight{}, underWay: map[*flight]struct{}{}}
		if c.Redis != nil {
			client, err := c.Redis.Open(own)
			if err != nil {
				return nil, fmt.Errorf("redis: %w", err)
			}
			st.store.put(cachestore.NewRedis(client, c.RedisPrefix, env.Log))
			return st, nil
		}
		memory, err := cachestore.NewMemory(c.MemoryBytes)
		if err != nil {
			return nil, fmt.Errorf("memoryBytes: %w", err)
		}
		st.store.memory, st.store.awaited = memory, c.Disk != nil
		return st, nil
	}
	var st *state
	var err error
	if c.Store != "" && env.Shared != nil {
		st, err = sharing.Typed[*state](ctx, env.Shared, c.storeOptions(), fresh)
	} else {
		st, err = k.own.Use(ctx, c.storeOptions(), fresh)
	}
	if err != nil {
		return nil, err
	}
	k.now.Store(st)
	if c.Disk != nil {
		env.Start(func(context.Context) { st.store.open(c.Disk.Path, c.Disk.MaxBytes, env.Log) })
	}
	return st, nil
}

// passing remembers for a short time what could not be stored, so that requests for it do
// not wait for each other. It has a fixed size, and may forget.
type passing struct {
	slots [4096]atomic.Uint64 // the upper half is of the hash, the lower one when it ends
}

// How long it is remembered: errors for a moment only.
const (
	passFor      = 10 * time.Second
	passErrorFor = time.Second
)

var passSeed = maphash.MakeSeed()

func (p *passing) slot(key []byte) (*atomic.Uint64, uint64) {
	hash := maphash.Bytes(passSeed, key)
	return &p.slots[hash%uint64(len(p.slots))], hash >> 32 << 32
}

func (p *passing) note(key []byte, until time.Time) {
	slot, mark := p.slot(key)
	slot.Store(mark | uint64(uint32(until.Unix())))
}

func (p *passing) forget(key []byte) {
	slot, _ := p.slot(key)
	slot.Store(0)
}

func (p *passing) has(key []byte, now time.Time) bool {
	slot, mark := p.slot(key)
	found := slot.Load()
	return found>>32<<32 == mark && int64(uint32(found)) >= now.Unix()
}

// counts are of requests, by how they were answered.
type counts [len(outcomes)]atomic.Uint64

// The outcomes, as the access log and the metrics have them.
const (
	hit         = iota // from the store, fresh
	stale              // from the store, stale
	revalidated        // from the store, after the service was asked whether it is good still
	coalesced          // the response to another request
	miss               // from the service
	bypass             // from the service, for the request is none that is stored
)

var outcomes = [...]string{"hit", "stale", "revalidated", "coalesced", "miss", "bypass"}

// EachAnswer implements middlewares.Cache.
func (k *kept) EachAnswer(tell func(status string, n uint64)) {
	for i, name := range outcomes {
		tell(name, k.counts[i].Load())
	}
}

// Stored implements middlewares.Cache.
func (k *kept) Stored() (entries int, bytes int64) {
	if st := k.now.Load(); st != nil {
		return st.store.Size()
	}
	return 0, 0
}

// load finds what answers r: by its URL, or by what else Vary says. key is that of the URL;
// it returns that of the entry.
func (st *state) load(ctx context.Context, x *exchange) *httpcache.Entry {
	e := st.store.Load(ctx, x.key)
	switch {
	case e == nil, !x.h.key.covers(e):
		return nil
	case e.Names == nil:
		return x.fit(e)
	}
	x.marker = e
	x.varied = variant(append(x.varied[:0], x.key...), e, x.r)
	return x.fit(st.store.Load(ctx, x.varied))
}

// fit is e, unless this middleware would not have stored it.
func (x *exchange) fit(e *httpcache.Entry) *httpcache.Entry {
	if e != nil && e.SetsCookie() && !x.h.policy.Cookies {
		return nil
	}
	return e
}
