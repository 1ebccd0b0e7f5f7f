package idempotency

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"fairway/internal/cachestore"
	"fairway/internal/httpcache"
)

// ledger has what is known of keys.
type ledger interface {
	// claim takes a name for a request; mine tells that it was free. Else found is what is known.
	claim(ctx context.Context, name, mark string) (found known, mine bool, err error)
	// keep notes what became of a request.
	keep(ctx context.Context, name string, k known, ttl time.Duration) error
	// release makes a name free again.
	release(ctx context.Context, name string) error
}

// known is what is known of a name.
type known struct {
	mark     string // of the request
	done     bool   // it has been carried out
	response *httpcache.Entry
}

func (k *known) size() int64 {
	n := int64(512)
	if k.response != nil {
		n += int64(k.response.Size())
	}
	return n
}

// memory is a ledger in memory. Names are forgotten when their time is over, and the oldest
// ones first when there is no more room; those of requests under way never are.
type memory struct {
	mu    sync.Mutex
	most  int64
	held  int64
	names map[string]*noted
	order list.List // of those that are kept, the oldest first
	disk  atomic.Pointer[cachestore.Disk]

	opening sync.Mutex // of the disk, by one at a time
}

type noted struct {
	known
	name  string
	until time.Time
	at    *list.Element // nil: the request is under way
}

func newMemory() *memory { return &memory{names: map[string]*noted{}} }

func (m *memory) claim(ctx context.Context, name, mark string) (known, bool, error) {
	recalled := m.recall(ctx, name)
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if n := m.names[name]; n != nil {
		if n.at == nil || now.Before(n.until) {
			return n.known, false, nil
		}
		m.forget(n)
	}
	if recalled != nil && now.Before(recalled.until) {
		m.add(recalled)
		return recalled.known, false, nil
	}
	m.names[name] = &noted{known: known{mark: mark}, name: name}
	return known{}, true, nil
}

func (m *memory) keep(ctx context.Context, name string, k known, ttl time.Duration) error {
	if d := m.disk.Load(); d != nil {
		d.Save(ctx, k.entry(name, ttl))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.names[name]
	if n == nil || n.at != nil {
		return nil
	}
	n.known, n.until = k, time.Now().Add(ttl)
	m.add(n)
	return nil
}

// add takes in what is known. A response that leaves no room for others is not kept, but that
// there was one.
func (m *memory) add(n *noted) {
	if n.size() > m.most {
		n.response = nil
	}
	n.at = m.order.PushBack(n)
	m.names[n.name] = n
	m.held += n.size()
	m.sweep(time.Now())
}

// sweep makes room.
func (m *memory) sweep(now time.Time) {
	for e := m.order.Front(); e != nil; e = m.order.Front() {
		n := e.Value.(*noted)
		if m.held <= m.most && now.Before(n.until) {
			return
		}
		m.forget(n)
	}
}

func (m *memory) forget(n *noted) {
	m.held -= n.size()
	m.order.Remove(n.at)
	delete(m.names, n.name)
}

func (m *memory) release(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := m.names[name]; n != nil && n.at == nil {
		delete(m.names, name)
	}
	return nil
}

// bound sets how much may be held.
func (m *memory) bound(most int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.most = most
	m.sweep(time.Now())
}
