package server

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// corked is a connection that gathers what is written while other goroutines
// still have something to write, and sends it in one piece. The HTTP/2 server of
// the standard library makes two or three writes for each response; with many
// streams on one connection, most of its processor time would go into them.
//
// It begins as the plain connection, and gathers from cork on. A writer that is
// faster than the client waits: no more than corkLimit and what is being sent is
// kept.
type corked struct {
	net.Conn
	corking atomic.Bool
	cutOff  *atomic.Bool // nobody waits for slow clients any more

	mu      sync.Mutex
	room    sync.Cond     // for writers that wait, and for Close
	wake    chan struct{} // for the sender
	pending []byte
	spare   []byte // what was sent last, to be filled again
	sending bool
	shut    bool // nothing more is accepted
	closed  bool
	err     error
}

// corkLimit is how much is gathered at most. What is written beyond it is sent by
// the writer itself.
const corkLimit = 64 << 10

// lastWords is how long Close tries to send what is left.
//
// It waits for one connection after the other when the server closes all of them:
// then there is no time for it, see cutOff.
const lastWords = time.Second

func newCorked(conn net.Conn, cutOff *atomic.Bool) *corked {
	c := &corked{Conn: conn, cutOff: cutOff}
	c.room.L = &c.mu
	return c
}

// cork begins to gather. The goroutine that sends ends with Close.
func (c *corked) cork() {
	c.wake = make(chan struct{}, 1)
	c.corking.Store(true)
	go c.send()
}

// Write implements net.Conn. An error of sending comes with the next Write.
func (c *corked) Write(p []byte) (int, error) {
	if !c.corking.Load() {
		return c.Conn.Write(p)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.err == nil && !c.shut && !c.cutOff.Load() && len(c.pending) > 0 && len(c.pending)+len(p) > corkLimit {
		c.room.Wait()
	}
	switch {
	case c.err != nil:
		return 0, c.err
	case c.shut, c.cutOff.Load():
		return 0, net.ErrClosed
	}
	first := len(c.pending) == 0
	c.pending = append(c.pending, p...)
	if first {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
	return len(p), nil
}

// send sends what has gathered, until Close or an error.
func (c *corked) send() {
	for range c.wake {
		runtime.Gosched() // whoever is ready to write does so first
		c.mu.Lock()
		for len(c.pending) > 0 && c.err == nil {
			part := c.pending
			c.pending, c.sending = c.spare[:0], true
			c.room.Broadcast()
			c.mu.Unlock()
			_, err := c.Conn.Write(part)
			c.mu.Lock()
			c.spare, c.sending = part, false
			c.err = err
			c.room.Broadcast()
		}
		c.release()
		c.mu.Unlock()
	}
}

// release gives large buffers back: a connection at rest keeps next to nothing.
func (c *corked) release() {
	const kept = 4 << 10
	if cap(c.spare) > kept {
		c.spare = nil
	}
	if len(c.pending) == 0 && cap(c.pending) > kept {
		c.pending = nil
	}
}

// SetWriteDeadline implements net.Conn. crypto/tls sets one that has passed so that
// nothing is written any more; what was accepted before is still sent.
func (c *corked) SetWriteDeadline(t time.Time) error {
	if c.corking.Load() && !t.IsZero() && !t.After(time.Now()) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.shut = true
		c.room.Broadcast()
		return nil
	}
	return c.Conn.SetWriteDeadline(t)
}

// Close implements net.Conn. What is gathered is sent before, if that does not
// take long.
func (c *corked) Close() error {
	if c.corking.Load() {
		c.mu.Lock()
		if !c.closed {
			c.closed, c.shut = true, true
			end := time.Now()
			if !c.cutOff.Load() {
				end = end.Add(lastWords)
			}
			_ = c.Conn.SetWriteDeadline(end)
			for c.err == nil && (len(c.pending) > 0 || c.sending) {
				c.room.Wait()
			}
			close(c.wake)
		}
		c.mu.Unlock()
	}
	return c.Conn.Close()
}
