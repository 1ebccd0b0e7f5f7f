package http1

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// conn is one connection of a client, served by one goroutine: wait for a
// request, read its head, call the handler, finish the response, again.
type conn struct {
	srv    *Server
	rwc    net.Conn        // as it was given
	tcp    *net.TCPConn    // the same, if it is plain TCP
	raw    syscall.RawConn // of tcp
	ready  func(fd uintptr) bool
	tls    *tls.ConnectionState
	remote string
	peer   netip.Addr // of remote
	name   string     // peer as text
	in     input
	one    [1]byte // what a connection that is no plain TCP waits with

	started               int64 // Unix time in nanoseconds
	requests              int
	state                 atomic.Int32
	expired               atomic.Bool // a timeout has ended it
	exactRead, exactWrite bool

	readDue, writeDue   atomic.Int64 // for the sweeper; 0 is never
	readPace, writePace meter
	answering           atomic.Bool // to a request with a body: the client may well wait before it sends more

	boundMu sync.Mutex                  // a request may be given to several servers at the same time
	bound   map[*Upstream]*upstreamConn // connections that are for this client only

	watch watch
	links
}

// States of a connection. The one that moves it from idle decides whether it is
// closed or serves another request.
const (
	stateNew = iota // no byte has come
	stateIdle
	stateActive
	stateClosed
)

// newConnGrace is how long a shutdown waits for the first byte of a connection
// that has just been made.
const newConnGrace = 5 * time.Second

func newConn(s *Server, rwc net.Conn) *conn {
	c := &conn{srv: s, rwc: rwc, tls: tlsState(rwc), started: time.Now().UnixNano()}
	plain := rwc
	switch p := rwc.(type) {
	case *PrefixConn:
		plain = p.Conn
	case *AddressedConn:
		plain = p.TCPConn
	}
	c.in.src = rwc
	if tcp, ok := plain.(*net.TCPConn); ok {
		c.tcp, c.in.src = tcp, tcp
		c.useRaw(tcp)
	}
	if p, ok := rwc.(*PrefixConn); ok && c.tcp != nil && len(p.Prefix) > 0 {
		c.in.buf = takeBuffer(max(len(p.Prefix), smallBuffer))
		c.in.w = copy(c.in.buf, p.Prefix)
		p.Prefix = nil
	}
	if addr := rwc.RemoteAddr(); addr != nil {
		c.remote = addr.String()
		if ap, err := netip.ParseAddrPort(c.remote); err == nil {
			c.peer = ap.Addr().Unmap().WithZone("")
			c.name = c.peer.String()
		}
	}
	return c
}

func (c *conn) serve() {
	hijacked := false
	defer func() {
		if !hijacked {
			c.srv.conns.remove(c)
			_ = c.rwc.Close()
		}
		c.unbind()
		c.in.reset(nil)
	}()
	c.limitRead(c.srv.ReadHeaderTimeout)
	for c.awaitRequest() {
		switch c.serveRequest() {
		case thenClose:
			return
		case thenHijacked:
			hijacked = true
			return
		}
		c.limitRead(c.srv.IdleTimeout)
	}
}

// awaitRequest waits for the first byte of a request. It returns false when there
// will be none.
func (c *conn) awaitRequest() bool {
	if c.requests > 0 {
		c.state.Store(stateIdle)
		if c.srv.draining.Load() {
			return false
		}
	}
	if err := c.await(); err != nil || c.expired.Load() {
		return false
	}
	return c.state.CompareAndSwap(stateIdle, stateActive) || c.state.CompareAndSwap(stateNew, stateActive)
}

// await makes sure that bytes are buffered. Whoever waits holds no buffer.
func (c *conn) await() error {
	if len(c.in.buffered()) > 0 {
		return nil
	}
	if c.in.err != nil {
		return c.in.err
	}
	c.in.release()
	if c.raw != nil {
		return c.awaitRaw()
	}
	n, err := c.in.src.Read(c.one[:])
	if c.in.err = lasting(err); n == 0 {
		return err
	}
	c.in.makeRoom()
	c.in.w = copy(c.in.buf, c.one[:])
	return nil
}

// closeIfIdle is for Shutdown.
func (c *conn) closeIfIdle() {
	young := time.Now().UnixNano()-c.started < int64(newConnGrace)
	if c.state.CompareAndSwap(stateIdle, stateClosed) || !young && c.state.CompareAndSwap(stateNew, stateClosed) {
		_ = c.rwc.Close()
	}
}

// fate is what becomes of a connection after a request.
type fate int

const (
	thenAgain fate = iota
	thenClose
	thenHijacked
)

func (c *conn) serveRequest() fate {
	s := c.srv
	head, err := c.readHead()
	if err != nil {
		c.refuse(err)
		return thenClose
	}
	x := takeTurn(c)
	err = x.request.parse(head, &s.limits)
	c.in.consume(len(head))
	if err == nil {
		err = x.begin()
	}
	if err != nil {
		x.give()
		c.refuse(err)
		return thenClose
	}
	c.limitWrite(s.WriteTimeout)
	return c.finish(x, x.call())
}

// readHead returns the bytes of a head, without consuming them.
func (c *conn) readHead() ([]byte, error) {
	s := c.srv
	c.requests++
	whole := c.in.buffered()
	if c.requests > 1 && whole[0] == '\r' { // some clients end a body with an empty line too many
		if err := c.skipEmptyLine(); err != nil {
			return nil, err
		}
	}
	if head, err := c.in.arrivedHead(s.limits.HeadBytes); head != nil || err != nil {
		c.limitRead(s.ReadTimeout)
		return head, err
	}
	c.limitRead(s.ReadHeaderTimeout)
	if s.ReadTimeout > 0 && (s.ReadTimeout < s.ReadHeaderTimeout || s.ReadHeaderTimeout == 0) {
		c.limitRead(s.ReadTimeout)
	}
	head, err := c.in.head(s.limits.HeadBytes)
	if err == nil {
		c.limitRead(s.ReadTimeout)
	}
	return head, err
}

func (c *conn) skipEmptyLine() error {
	for len(c.in.buffered()) < 2 {
		if err := c.in.fill(); err != nil {
			return err
		}
	}
	if c.in.buffered()[1] != '\n' {
		return errBareCR
	}
	c.in.consume(2)
	return c.await()
}

// finish ends a request whose handler has returned or panicked.
func (c *conn) finish(x *turn, returned bool) fate {
	x.ctx.end()
	if x.writer.hijacked {
		return thenHijacked // others have the turn now
	}
	if !returned {
		_ = c.rwc.SetReadDeadline(longAgo) // nobody shall wait for the client
		c.stopWatch()
		x.body.finish(0)
		return thenClose
	}
	x.writer.finish()
	c.stopWatch()
	limit := int64(discardAtMost)
	if x.writer.close {
		limit = 0
	}
	complete := x.body.finish(limit)
	if form := x.request.http.MultipartForm; form != nil {
		_ = form.RemoveAll()
	}
	reusable := complete && x.writer.reusable() && !c.expired.Load()
	if reusable && x.writer.deadlines.Load() {
		_ = c.rwc.SetDeadline(time.Time{})
	}
	c.limitWrite(0)
	gone := x.writer.err != nil
	x.give()
	switch {
	case reusable:
		return thenAgain
	case !gone && (!complete || len(c.in.buffered()) > 0):
		c.linger()
	}
	return thenClose
}

// discardAtMost is how much of a body that a handler has left unread is read for
// the sake of the connection.
const discardAtMost = 256 << 10

// call runs the handler. It returns false when the handler panicked.
func (x *turn) call() (returned bool) {
	defer func() {
		if reason := recover(); reason != nil {
			x.conn.srv.logPanic(reason, x.conn.remote)
		}
	}()
	r := x.request.http
	if r.RequestURI == "*" && r.Method == http.MethodOptions {
		x.writer.Header().Set(nameContentLength, "0")
		x.writer.WriteHeader(http.StatusOK)
		return true
	}
	x.conn.srv.Handler.ServeHTTP(&x.writer, r)
	return true
}
