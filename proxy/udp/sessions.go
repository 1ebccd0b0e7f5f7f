package udp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// mostSessions bounds what all entry points keep together, with a quarter of the files that the process may have open: a
// datagram of one client more is dropped. Addresses of clients can be forged.
const mostSessions = 16384

func allowed() int64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return int64(min(limit.Cur/4, mostSessions))
}

// largest is a datagram with as many bytes as there can be (RFC 768).
const largest = 65535

// Sessions are those of an entry point.
type Sessions struct {
	// Conn is where clients send to.
	Conn *net.UDPConn
	// Timeout ends a session in which nothing has come or gone for so long.
	Timeout time.Duration
	// Choose returns the service for a new session; nil: nobody serves it.
	Choose func() Service
	// Failed is told why a session could not begin.
	Failed func(client netip.AddrPort, err error)
	// All counts the sessions of all entry points.
	All *atomic.Int64

	most    int64
	mu      sync.Mutex
	known   map[netip.AddrPort]*session
	running sync.WaitGroup
	dropped atomic.Uint64
}

// session is the datagrams between a client and a server.
type session struct {
	client netip.AddrPort
	server *net.UDPConn
	name   string       // of the server
	last   atomic.Int64 // when something came or went, in nanoseconds
}

var buffers = sync.Pool{New: func() any { return new([largest]byte) }}

// Run carries datagrams until the connection of the entry point is closed, and then ends all sessions.
func (s *Sessions) Run() {
	s.mu.Lock()
	s.known, s.most = map[netip.AddrPort]*session{}, allowed()
	s.mu.Unlock()
	buf := buffers.Get().(*[largest]byte)
	defer buffers.Put(buf)
	for {
		n, client, err := s.Conn.ReadFromUDPAddrPort(buf[:])
		if errors.Is(err, net.ErrClosed) {
			break
		}
		if err != nil {
			continue // of one datagram: of a client that is away, say
		}
		if one := s.of(client); one != nil {
			one.last.Store(time.Now().UnixNano())
			_, _ = one.server.Write(buf[:n]) // it may be lost, as every datagram
		}
	}
	s.mu.Lock()
	for _, one := range s.known {
		_ = one.server.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}

// Open is how many sessions there are.
func (s *Sessions) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.known)
}

// Dropped is how many datagrams were dropped, for there were too many sessions.
func (s *Sessions) Dropped() uint64 { return s.dropped.Load() }

// of is the session of a client, or a new one.
func (s *Sessions) of(client netip.AddrPort) *session {
	s.mu.Lock()
	one, full := s.known[client], s.All.Load() >= s.most
	s.mu.Unlock()
	switch {
	case one != nil:
		return one
	case full:
		s.dropped.Add(1)
		return nil
	}
	service := s.Choose()
	if service == nil {
		return nil
	}
	server, name, err := service.Dial()
	if err != nil {
		s.Failed(client, err)
		return nil
	}
	one = &session{client: client, server: server, name: name}
	s.All.Add(1)
	one.last.Store(time.Now().UnixNano())
	s.mu.Lock()
	s.known[client] = one
	s.mu.Unlock()
	s.running.Go(func() { s.answer(one) })
	return one
}

// answer carries what the server sends, until nothing comes and goes any more.
func (s *Sessions) answer(one *session) {
	defer func() {
		_ = one.server.Close()
		s.All.Add(-1)
		s.mu.Lock()
		if s.known[one.client] == one {
			delete(s.known, one.client)
		}
		s.mu.Unlock()
	}()
	raw, err := one.server.SyscallConn()
	for err == nil {
		idle := time.Since(time.Unix(0, one.last.Load()))
		if idle >= s.Timeout {
			return
		}
		_ = one.server.SetReadDeadline(time.Now().Add(s.Timeout - idle))
		// An error ends the session, also that nobody listens there any more: the next datagram begins another one.
		if err = s.pass(one, raw); errors.Is(err, os.ErrDeadlineExceeded) { // the client may have sent something
			err = nil
		}
	}
}

// Leave ends the sessions whose server is no longer one of the entry point's service: their clients get another one with the
// next datagram.
func (s *Sessions) Leave() {
	service := s.Choose()
	s.mu.Lock()
	defer s.mu.Unlock()
	for client, one := range s.known {
		if service == nil || !service.Has(one.name) {
			_ = one.server.Close()
			delete(s.known, client)
		}
	}
}

// pass waits for a datagram of the server and sends it to the client. Only then is there a buffer for it: thousands of
// sessions that wait have none.
func (s *Sessions) pass(one *session, raw syscall.RawConn) error {
	var failed error
	err := raw.Read(func(fd uintptr) bool {
		buf := buffers.Get().(*[largest]byte)
		defer buffers.Put(buf)
		n, err := syscall.Read(int(fd), buf[:])
		switch {
		case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
			return false
		case err != nil:
			failed = err
			return true
		}
		one.last.Store(time.Now().UnixNano())
		if _, err := s.Conn.WriteToUDPAddrPort(buf[:n], one.client); errors.Is(err, net.ErrClosed) {
			failed = err
		}
		return true
	})
	return errors.Join(err, failed)
}
