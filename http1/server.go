package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"log"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Server serves HTTP/1.0 and HTTP/1.1 on connections that are given to it. Its
// fields must not be changed once it serves. A timeout of zero is none, unless
// its comment says otherwise.
type Server struct {
	// Handler answers all requests but "OPTIONS *", which the server answers.
	//
	// Request, header maps, writer and context are used again when the handler has
	// returned. A goroutine that outlives the handler may keep the context and the
	// request only if Done of the context has been called before.
	Handler http.Handler
	Limits  Limits

	// ReadHeaderTimeout is how long the head of a request may take from its first
	// byte; on a new connection, from its acceptance. Default: 10 s; negative: none.
	ReadHeaderTimeout time.Duration
	// ReadTimeout is how long a whole request may take from its first byte.
	ReadTimeout time.Duration
	// WriteTimeout is how long handler and response may take from the end of the head.
	WriteTimeout time.Duration
	// IdleTimeout is how long to wait for another request. Default: 180 s;
	// negative: none.
	IdleTimeout time.Duration
	// MinBodyRate is how many bytes a second a client must send of a request's body,
	// and take of a response, on average over the time that the server waits for it.
	// It is enforced after RateGrace. Default: 240; negative: any.
	MinBodyRate int64
	// RateGrace is how long the server waits in all before it judges a rate.
	// Default: 20 s.
	RateGrace time.Duration
	// HalfClosedGrace is how long the context of a request lives on when the client
	// has closed its side of the connection. It may still want its answer: only when
	// it sends more or resets the connection does one know. Default: 1 s; negative: none.
	HalfClosedGrace time.Duration
	// KeepAliveMaxRequests is how many requests a connection may carry. 0: any number.
	KeepAliveMaxRequests int
	// KeepAliveMaxTime is the age from which a connection carries no further request.
	KeepAliveMaxTime time.Duration
	// Connect passes CONNECT requests to Handler. Else they are refused.
	Connect bool
	// Refused is told of requests that are none, or break a limit, which the server answers
	// itself. It is called by many goroutines, and must not wait.
	Refused func(client string, status int, rule string)
	// ErrorLog gets panics of handlers. Default: the standard logger.
	ErrorLog *log.Logger

	once     sync.Once
	limits   Limits // with defaults
	conns    registry
	clock    clock
	draining atomic.Bool
	closed   atomic.Bool

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
}

// Serve accepts connections until l fails or the server shuts down; then it
// returns http.ErrServerClosed.
func (s *Server) Serve(l net.Listener) error {
	if !s.track(l) {
		_ = l.Close()
		return http.ErrServerClosed
	}
	defer s.untrack(l)
	var pause time.Duration
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			go s.ServeConn(c)
		case s.draining.Load():
			return http.ErrServerClosed
		case errors.Is(err, net.ErrClosed):
			return err
		default: // out of file descriptors, or the like: others may close theirs
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			time.Sleep(pause)
		}
	}
}

// ServeConn serves one connection until it ends, and closes it unless a handler
// has taken it over. It may be a *net.TCPConn, a *PrefixConn or *AddressedConn of
// one, or a *tls.Conn that has finished its handshake; any other net.Conn costs more.
func (s *Server) ServeConn(rwc net.Conn) {
	s.once.Do(s.prepare)
	c := newConn(s, rwc)
	if !s.conns.add(c) {
		_ = rwc.Close()
		return
	}
	s.clock.run(s)
	if s.closed.Load() || s.draining.Load() {
		_ = rwc.Close()
	}
	c.serve()
}

// prepare replaces zero fields by their defaults.
func (s *Server) prepare() {
	s.limits = s.Limits.withDefaults()
	s.ReadHeaderTimeout = orDefault(s.ReadHeaderTimeout, 10*time.Second)
	s.IdleTimeout = orDefault(s.IdleTimeout, 180*time.Second)
	s.MinBodyRate = orDefault(s.MinBodyRate, 240)
	s.RateGrace = orDefault(s.RateGrace, 20*time.Second)
	s.HalfClosedGrace = orDefault(s.HalfClosedGrace, time.Second)
	if s.ErrorLog == nil {
		s.ErrorLog = log.Default()
	}
}

// orDefault returns otherwise for 0, and 0 for what is negative.
func orDefault[T ~int64](value, otherwise T) T {
	if value == 0 {
		return otherwise
	}
	return max(value, 0)
}

// Shutdown closes the listeners and the idle connections, lets the others finish
// the request they are at, and returns when all are closed or ctx has ended.
func (s *Server) Shutdown(ctx context.Context) error {
	s.draining.Store(true)
	err := s.closeListeners()
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		if s.conns.closeIdle() == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// Close closes all listeners and connections at once, whatever they are at.
func (s *Server) Close() error {
	s.closed.Store(true)
	s.draining.Store(true)
	err := s.closeListeners()
	s.conns.closeAll()
	return err
}

func (s *Server) track(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false
	}
	if s.listeners == nil {
		s.listeners = map[net.Listener]struct{}{}
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) untrack(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

func (s *Server) closeListeners() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for l := range s.listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// logPanic notes why a handler ended, unless it meant to.
func (s *Server) logPanic(reason any, remote string) {
	if reason != http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
		s.ErrorLog.Printf("panic while serving %s: %v\n%s", remote, reason, debug.Stack())
	}
}

// tlsState returns the state of a TLS connection, else nil.
func tlsState(c net.Conn) *tls.ConnectionState {
	if t, ok := c.(interface{ ConnectionState() tls.ConnectionState }); ok {
		state := t.ConnectionState()
		return &state
	}
	return nil
}

// Connections returns how many connections are open, those taken over by handlers left
// out.
func (s *Server) Connections() int { return int(s.conns.open.Load()) }
