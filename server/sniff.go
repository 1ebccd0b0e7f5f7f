package server

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// sniffer splits one listener in two: connections that begin with a TLS handshake
// and all others. Both kinds may come in at every entry point.
type sniffer struct {
	net.Listener
	patience time.Duration // for the first byte
	plain    *feed
	secure   *feed
}

func newSniffer(l net.Listener, patience time.Duration) *sniffer {
	return &sniffer{Listener: l, patience: patience, plain: newFeed(l.Addr()), secure: newFeed(l.Addr())}
}

// run accepts connections until the listener is closed.
func (s *sniffer) run() error {
	defer s.plain.Close()
	defer s.secure.Close()
	var pause time.Duration
	for {
		conn, err := s.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			// Out of file descriptors, or the like: others may close theirs.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			time.Sleep(pause)
			continue
		}
		pause = 0
		go s.sort(conn)
	}
}

// tlsHandshake is the first byte of a TLS connection (RFC 8446, section 5.1).
const tlsHandshake = 22

func (s *sniffer) sort(conn net.Conn) {
	if s.patience > 0 {
		_ = conn.SetReadDeadline(time.Now().Add(s.patience))
	}
	var first [1]byte
	if _, err := conn.Read(first[:]); err != nil {
		_ = conn.Close()
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	to := s.plain
	if first[0] == tlsHandshake {
		to = s.secure
	}
	to.give(&sniffed{Conn: conn, first: first[0], pending: true})
}

// sniffed is a connection whose first byte has been looked at.
type sniffed struct {
	net.Conn
	first   byte
	pending bool // the first byte has not been read again yet
}

func (c *sniffed) Read(p []byte) (int, error) {
	if !c.pending || len(p) == 0 {
		return c.Conn.Read(p)
	}
	c.pending = false
	p[0] = c.first
	return 1, nil
}

// CloseWrite lets upgraded connections be half closed.
func (c *sniffed) CloseWrite() error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		return tcp.CloseWrite()
	}
	return nil
}

// feed is a listener whose connections come from elsewhere.
type feed struct {
	address net.Addr
	conns   chan net.Conn
	ctx     context.Context //nolint:containedctx // it is the state "closed", to select on
	close   context.CancelFunc
	once    sync.Once
}

func newFeed(address net.Addr) *feed {
	f := &feed{address: address, conns: make(chan net.Conn)}
	f.ctx, f.close = context.WithCancel(context.Background())
	return f
}

func (f *feed) give(conn net.Conn) {
	select {
	case f.conns <- conn:
	case <-f.ctx.Done():
		_ = conn.Close()
	}
}

// Accept implements net.Listener.
func (f *feed) Accept() (net.Conn, error) {
	select {
	case conn := <-f.conns:
		return conn, nil
	case <-f.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (f *feed) Close() error {
	f.once.Do(f.close)
	return nil
}

// Addr implements net.Listener.
func (f *feed) Addr() net.Addr { return f.address }
