package http1

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Upstream is one server that requests are sent to, with its connections.
//
// The goroutine that serves a request writes it to a connection of the upstream
// and reads the response from it; no other goroutine takes part. Connections that
// are free are taken last in, first out, so that few of them stay warm and the
// rest can end.
type Upstream struct {
	Address string // host:port
	// Dial connects; nil means TCP to Address.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Limits of the heads of responses.
	Limits Limits
	// DialTimeout bounds connecting. Default: 5 s.
	DialTimeout time.Duration
	// HeaderTimeout bounds the wait for the head of a response after the request
	// has been sent. Default: none.
	HeaderTimeout time.Duration
	// IdleTimeout is how long a free connection is kept. Default: 90 s.
	IdleTimeout time.Duration
	// MaxIdle is the number of free connections that are kept. Default: 200; negative:
	// none.
	MaxIdle int

	once   sync.Once
	shards [poolShards]shard
	spread atomic.Uint32
	idle   atomic.Int32
	closed atomic.Bool // no new connections
	ending atomic.Bool // no free connections
	binds  atomic.Bool // some connections are for one client each
	limits Limits

	mu    sync.Mutex
	conns map[*upstreamConn]struct{} // all of them, for the sweeper
	sweep bool                       // the sweeper runs
}

// poolShards is a power of two. Requests on different processors seldom want the
// same shard at the same time.
const poolShards = 4

// shard is a stack of free connections.
type shard struct {
	mu   sync.Mutex
	free []*upstreamConn
	_    [64]byte // keep neighbours out of one cache line
}

func (u *Upstream) prepare() {
	u.once.Do(func() {
		u.limits = u.Limits.withDefaults()
		u.DialTimeout = positive(u.DialTimeout, 5*time.Second)
		u.IdleTimeout = positive(u.IdleTimeout, 90*time.Second)
		if u.MaxIdle == 0 {
			u.MaxIdle = 200
		}
		u.conns = map[*upstreamConn]struct{}{}
	})
}

// errUpstreamClosed is returned by an upstream that has been closed.
var errUpstreamClosed = errors.New("upstream is closed")

// DialError is an error from before a connection stood: nothing has been sent.
type DialError struct{ Err error }

func (e *DialError) Error() string { return e.Err.Error() }
func (e *DialError) Unwrap() error { return e.Err }

// take returns a free connection that is still good, or nil.
func (u *Upstream) take(now time.Time) *upstreamConn {
	start := u.spread.Load()
	for i := range uint32(poolShards) {
		s := &u.shards[(start+i)%poolShards]
		for {
			c := s.pop()
			if c == nil {
				break
			}
			u.idle.Add(-1)
			if idle := now.Sub(c.freed); idle < u.IdleTimeout && (idle < trusted && !c.doubtful || !c.stale()) {
				return c
			}
			c.close()
		}
	}
	return nil
}

// trusted is for how long a free connection is taken to be good without a look.
// Looking costs a system call; under load no connection is free for so long.
const trusted = 2 * time.Millisecond

func (s *shard) pop() *upstreamConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.free)
	if n == 0 {
		return nil
	}
	c := s.free[n-1]
	s.free[n-1] = nil
	s.free = s.free[:n-1]
	return c
}

// give makes a connection free for the next request.
func (u *Upstream) give(c *upstreamConn) {
	if u.ending.Load() || int(u.idle.Load()) >= u.MaxIdle {
		c.close()
		return
	}
	c.in.release()
	// Servers that err do so by sending a body where there is none.
	c.freed, c.doubtful = time.Now(), c.res.kind == bodyNone && c.res.length != 0
	u.idle.Add(1)
	s := &u.shards[c.shard]
	s.mu.Lock()
	s.free = append(s.free, c)
	s.mu.Unlock()
	if u.ending.Load() { // retired meanwhile: nobody would come for it
		u.closeIdle()
	}
}

// dial opens a connection, within a time that is shorter than that of the upstream, or 0. Its
// error is a *DialError.
func (u *Upstream) dial(ctx context.Context, within time.Duration) (*upstreamConn, error) {
	if u.closed.Load() {
		return nil, &DialError{errUpstreamClosed}
	}
	if within <= 0 || within > u.DialTimeout {
		within = u.DialTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	connect := u.Dial
	if connect == nil {
		connect = dialTCP
	}
	conn, err := connect(ctx, u.Address)
	if err != nil {
		return nil, &DialError{err}
	}
	c := newUpstreamConn(u, conn, int(u.spread.Add(1)%poolShards))
	u.mu.Lock()
	u.conns[c] = struct{}{}
	if !u.sweep {
		u.sweep = true
		go u.sweeper()
	}
	u.mu.Unlock()
	return c, nil
}

func dialTCP(ctx context.Context, address string) (net.Conn, error) {
	d := net.Dialer{KeepAlive: 15 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	setUserTimeout(conn, unacknowledged)
	return conn, nil
}

// unacknowledged is how long data may stay unacknowledged before a connection is
// given up. A container whose network has been taken away answers nothing, not
// even that it is gone; without a bound its requests would hang for minutes.
//
// The kernel counts the time in which the other side reads nothing, too. With a
// long body or a changed protocol it may well have to think, and gets untaken.
const (
	unacknowledged = 10 * time.Second
	untaken        = time.Minute
)

// Close closes the free connections, and each of the others when its request has
// ended. The upstream cannot be used again.
func (u *Upstream) Close() {
	u.closed.Store(true)
	u.Retire()
}

// Retire is for an upstream that gets no more requests but those under way: it
// closes the free connections, and each of the others when its request has ended.
func (u *Upstream) Retire() {
	u.prepare()
	u.ending.Store(true)
	u.closeIdle()
}

func (u *Upstream) closeIdle() {
	for i := range u.shards {
		for {
			c := u.shards[i].pop()
			if c == nil {
				break
			}
			u.idle.Add(-1)
			c.close()
		}
	}
}

// sweepEvery is how often connections are looked at. Deadlines of upstreams are
// met within this time; no request pays for a timer.
const sweepEvery = 50 * time.Millisecond

// sweeper looks after the connections as long as there are any: it ends waits
// that take too long, has clients watched whose upstream is silent, and closes
// connections that have been free for long.
func (u *Upstream) sweeper() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	var all []*upstreamConn
	for now := range tick.C {
		all = all[:0]
		u.mu.Lock()
		for c := range u.conns {
			all = append(all, c)
		}
		if u.sweep = len(all) > 0; !u.sweep {
			u.mu.Unlock()
			return
		}
		u.mu.Unlock()
		for _, c := range all {
			c.look(now)
		}
		u.expire(now)
		clear(all)
	}
}

// expire closes connections that have been free for too long: those at the bottom
// of the stacks.
func (u *Upstream) expire(now time.Time) {
	for i := range u.shards {
		s := &u.shards[i]
		s.mu.Lock()
		n := 0
		for n < len(s.free) && now.Sub(s.free[n].freed) >= u.IdleTimeout {
			n++
		}
		old := append([]*upstreamConn(nil), s.free[:n]...)
		s.free = append(s.free[:0], s.free[n:]...)
		s.mu.Unlock()
		u.idle.Add(-int32(n))
		for _, c := range old {
			c.close()
		}
	}
}
