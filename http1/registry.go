package http1

import (
	"sync"
	"sync/atomic"
)

// registry has all connections of a server, in lists that the sweeper walks.
type registry struct {
	lists [16]connList
	turn  atomic.Uint32
	open  atomic.Int64
}

type connList struct {
	mu     sync.Mutex
	first  *conn
	closed bool // the server is: no more connections
	_      [40]byte
}

// links are the place of a connection in its list.
type links struct {
	list       *connList
	prev, next *conn
}

// add returns false when the server has been closed.
func (g *registry) add(c *conn) bool {
	l := &g.lists[g.turn.Add(1)%uint32(len(g.lists))]
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	g.open.Add(1)
	c.list, c.next = l, l.first
	if c.next != nil {
		c.next.prev = c
	}
	l.first = c
	return true
}

func (g *registry) remove(c *conn) {
	l := c.list
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		l.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	g.open.Add(-1)
}

// each calls visit with every connection. visit must not wait.
func (g *registry) each(visit func(*conn)) {
	for i := range g.lists {
		l := &g.lists[i]
		l.mu.Lock()
		for c := l.first; c != nil; c = c.next {
			visit(c)
		}
		l.mu.Unlock()
	}
}

// closeIdle closes the connections that are at no request, and returns how many
// are open still.
func (g *registry) closeIdle() int64 {
	g.each((*conn).closeIfIdle)
	return g.open.Load()
}

func (g *registry) closeAll() {
	for i := range g.lists {
		l := &g.lists[i]
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
	}
	g.each(func(c *conn) { _ = c.rwc.Close() })
}
