package http1

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// upstreamConn is one connection to an upstream. Between begin and end it belongs
// to the request that uses it; the sweeper looks at what mu guards.
type upstreamConn struct {
	upstream *Upstream
	conn     net.Conn
	raw      syscall.RawConn // nil where there is none: TLS, tests
	shard    int
	in       input
	res      Response
	body     body
	exchange Exchange
	freed    time.Time // since when it is free
	reused   bool      // it has carried a request before
	doubtful bool      // its last response may have been longer than it should be
	bound    bool      // to one client, by what it has shown to the server
	asking   ask

	mu      sync.Mutex
	ctx     context.Context //nolint:containedctx // of the request that it serves, nil when free
	since   time.Time       // when the wait for the head began; zero when it does not wait
	unwatch func() bool     // ends the watching of the client
	serial  uint64          // counts requests, for the sweeper to tell them apart
	looked  uint64          // serial at the sweeper's last look
	failure error           // why the sweeper or the client's going away closed it
	gone    bool
	blind   bool // it waits for the response without having looked for one, see ask
	woken   bool // the sweeper has ended that
}

func newUpstreamConn(u *Upstream, conn net.Conn, shard int) *upstreamConn {
	c := &upstreamConn{upstream: u, conn: conn, shard: shard}
	c.in.reset(conn)
	if sc, ok := conn.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			c.raw = raw
			c.prepareAsk()
		}
	}
	return c
}

// begin makes the connection serve a request.
func (c *upstreamConn) begin(ctx context.Context) {
	c.mu.Lock()
	c.ctx, c.failure = ctx, nil
	c.serial++
	if _, ends := ctx.Deadline(); ends { // it may be soon: looking now and then would be too late
		c.watch()
	}
	c.mu.Unlock()
}

// watch has the connection closed when the request is over before it is answered.
func (c *upstreamConn) watch() {
	serial, ctx := c.serial, c.ctx
	c.unwatch = context.AfterFunc(ctx, func() { c.abort(serial, gone(ctx)) })
}

// gone is why a request was over: for the client went away, unless its context says that it took
// too long.
func gone(ctx context.Context) error {
	var timeout net.Error
	if cause := context.Cause(ctx); errors.As(cause, &timeout) && timeout.Timeout() {
		return cause
	}
	return errClientGone
}

// waits tells the sweeper that the wait for the head begins, or is over.
func (c *upstreamConn) waits(since time.Time) {
	c.mu.Lock()
	c.since = since
	c.mu.Unlock()
}

// end makes the connection free of its request. It returns the reason for which
// it was aborted, if it was.
func (c *upstreamConn) end() error {
	c.mu.Lock()
	unwatch := c.unwatch
	c.ctx, c.since, c.unwatch = nil, time.Time{}, nil
	err := c.failure
	c.mu.Unlock()
	if unwatch != nil {
		unwatch()
	}
	return err
}

// errHeaderTimeout is a wait for the head of a response that took too long.
var errHeaderTimeout = &timeoutError{"the upstream did not answer in time"}

type timeoutError struct{ text string }

func (e *timeoutError) Error() string { return e.text }
func (e *timeoutError) Timeout() bool { return true }

// Temporary makes it a net.Error.
func (e *timeoutError) Temporary() bool { return false }

// errClientGone is an exchange that was given up because its client went away.
var errClientGone = errors.New("the client went away")

// look is the sweeper's look at a connection.
func (c *upstreamConn) look(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil {
		return
	}
	if limit := c.upstream.HeaderTimeout; limit > 0 && !c.since.IsZero() && now.Sub(c.since) > limit {
		c.abortLocked(errHeaderTimeout)
		return
	}
	if c.serial != c.looked {
		c.looked = c.serial
		return
	}
	if c.blind {
		c.blind, c.woken = false, true
		_ = c.conn.SetReadDeadline(longAgo)
	}
	if c.unwatch == nil {
		// The request has been under way since the last look: from now on it pays to
		// know whether its client is still there.
		c.watch()
	}
}

// abort closes the connection under the request of that serial, unless it has ended.
func (c *upstreamConn) abort(serial uint64, reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx != nil && c.serial == serial {
		c.abortLocked(reason)
	}
}

func (c *upstreamConn) abortLocked(reason error) {
	if c.failure == nil {
		c.failure = reason
		_ = c.conn.Close()
	}
}

// close ends the connection for good.
func (c *upstreamConn) close() {
	c.mu.Lock()
	gone := c.gone
	c.gone = true
	c.mu.Unlock()
	if gone {
		return
	}
	_ = c.conn.Close()
	c.in.r, c.in.w = 0, 0
	c.in.release()
	c.upstream.mu.Lock()
	delete(c.upstream.conns, c)
	c.upstream.mu.Unlock()
}

// stale tells whether a free connection has been closed by the upstream, or has
// bytes that nobody asked for.
func (c *upstreamConn) stale() bool {
	if c.raw == nil {
		return false
	}
	stale := true
	err := c.raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		stale = !errors.Is(err, syscall.EAGAIN)
		return true
	})
	return stale || err != nil
}
