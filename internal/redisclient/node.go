package redisclient

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gomodule/redigo/redis"
)

// node has the connections to one server. The one that was used last is used next, so that those
// which nobody needs grow old, and are closed.
type node struct {
	address  string
	settings *settings
	room     chan struct{} // one place for each connection in use

	mu    sync.Mutex
	free  []*conn // the one used last is the last
	ended bool
}

type conn struct {
	redis.Conn
	used time.Time
}

// old is how long a connection is kept that nobody needs.
const old = 5 * time.Minute

func newNode(address string, s *settings) *node {
	return &node{address: address, settings: s, room: make(chan struct{}, s.most)}
}

// do does something by a connection of its own. One that was open before may have ended
// meanwhile, as when the server was started anew: then there is another try by a new one.
func (n *node) do(ctx context.Context, until time.Time, what sending, asking bool) (any, error) {
	if err := n.enter(ctx, until); err != nil {
		return nil, err
	}
	defer func() { <-n.room }()
	if c := n.take(); c != nil {
		answer, err := n.by(c, until, what, asking)
		if err == nil || !broken(err) {
			return answer, err
		}
		n.drop() // those that are older have ended, too
	}
	c, err := n.dial(ctx, until)
	if err != nil {
		return nil, err
	}
	return n.by(&conn{Conn: c}, until, what, asking)
}

func (n *node) by(c *conn, until time.Time, what sending, asking bool) (any, error) {
	within := min(time.Until(until), n.settings.read)
	if within <= 0 {
		n.put(c)
		return nil, fmt.Errorf("ask %s: %w", n.address, context.DeadlineExceeded)
	}
	if asking { // of this server, although it has the key only in part (ASK)
		if err := c.Send("ASKING"); err != nil {
			return nil, err
		}
	}
	answer, err := what.on(c.Conn, within)
	n.put(c)
	return answer, err
}

// enter waits for a place.
func (n *node) enter(ctx context.Context, until time.Time) error {
	select {
	case n.room <- struct{}{}:
		return nil
	default:
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	select {
	case n.room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for a connection to %s: %w", n.address, ctx.Err())
	}
}

func (n *node) take() *conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	last := len(n.free) - 1
	if last < 0 {
		return nil
	}
	c := n.free[last]
	n.free[last], n.free = nil, n.free[:last]
	return c
}

// put keeps a connection for the next one, and closes those that nobody has needed for long.
func (n *node) put(c *conn) {
	c.used = time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.Err() != nil || n.ended || len(n.free) >= n.settings.keep {
		_ = c.Close()
		return
	}
	n.free = append(n.free, c)
	if first := n.free[0]; len(n.free) > max(n.settings.idle, 1) && c.used.Sub(first.used) > old {
		_ = first.Close()
		n.free = append(n.free[:0], n.free[1:]...)
	}
}

// drop closes what nobody uses at the moment.
func (n *node) drop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.free {
		_ = c.Close()
	}
	n.free = nil
}

func (n *node) end() {
	n.mu.Lock()
	n.ended = true
	n.mu.Unlock()
	n.drop()
}

func (n *node) dial(ctx context.Context, until time.Time) (redis.Conn, error) {
	n.mu.Lock()
	ended := n.ended
	n.mu.Unlock()
	if ended {
		return nil, errEnded
	}
	ctx, cancel := context.WithDeadline(ctx, earlier(until, time.Now().Add(n.settings.dial)))
	defer cancel()
	c, err := n.settings.connect(ctx, n.address)
	if err != nil {
		if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
			err = fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		return nil, fmt.Errorf("connect to %s: %w", n.address, err)
	}
	return c, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
