package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	streams "fairway/proxy/tcp"
	tcprouter "fairway/router/tcp"
)

// Connections that are no HTTP. An entry point without routers of TCP never comes here. Else the order is: where nothing
// speaks TLS, a connection goes to its router at once, for some servers speak first. Otherwise the first bytes tell: a
// wish of PostgreSQL for TLS; TLS, where the name decides, routers of HTTP that name it first, then those of TCP, then
// those of HTTP for any name, then those of TCP for any; anything else is for routers of TCP, and then HTTP. A client
// that says nothing waits for a server that speaks first: it goes to its router of TCP.

// silence is how long a client may say nothing before it is taken for one that waits for the server.
const silence = time.Second

// Requests of PostgreSQL that come before anything else (Frontend/Backend Protocol, SSLRequest and GSSENCRequest).
var (
	postgresTLS = []byte{0, 0, 0, 8, 4, 210, 22, 47}
	postgresGSS = []byte{0, 0, 0, 8, 4, 210, 22, 48}
)

// stream is a new connection at an entry point that has routers of TCP.
type stream struct {
	*entryPoint
	conn   *net.TCPConn
	client net.Conn // with the addresses that a load balancer has told
	routes *tcprouter.Routes
	web    *webNames
	end    time.Time // of the patience with the client
	peeked []byte    // what was read of conn
	greet  func(net.Conn) error
}

func (s *stream) from() netip.AddrPort { return addrPort(s.client.RemoteAddr()) }

func addrPort(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort()
	}
	return netip.AddrPort{}
}

// route finds out whom a connection is for, and serves it.
func (s *stream) route() {
	if s.routes.HasPlain() && !s.routes.HasSecure() && s.web.none() {
		if rt := s.routes.Plain(s.from().Addr()); rt != nil {
			s.serve(rt, s.conn)
			return
		}
	}
	first, waits := s.first()
	switch {
	case waits:
		if rt := s.routes.Plain(s.from().Addr()); rt != nil {
			s.serve(rt, s.conn)
			return
		}
		s.known(look(s.conn, s.end))
	case len(first) == 0:
		_ = s.conn.Close()
	case bytes.Equal(first, postgresGSS) && s.routes.HasSecure():
		s.answerPostgres('N') // and it goes on without
	case bytes.Equal(first, postgresTLS) && s.routes.HasSecure():
		s.answerPostgres('S')
	case first[0] == tlsHandshake:
		s.secure()
	default:
		if rt := s.routes.Plain(s.from().Addr()); rt != nil {
			s.serve(rt, s.conn)
			return
		}
		s.known(look(s.conn, s.end))
	}
}

// known serves what is no connection for a router of TCP.
func (s *stream) known(what arrival) { s.welcomeAs(what, s.client, s.end) }

// first waits for the first bytes: one is enough, or eight of what may be a request of PostgreSQL. waits: the client says
// nothing, and there is a router for that.
func (s *stream) first() (seen []byte, waits bool) {
	end := s.end
	if quiet := time.Now().Add(silence); s.routes.HasPlain() && quiet.Before(end) {
		end = quiet
	}
	seen, err := peek(s.conn, len(postgresTLS), end, func(b []byte) bool { return b[0] != 0 || !bytes.HasPrefix(postgresTLS, b[:min(len(b), 7)]) })
	return seen, len(seen) == 0 && errors.Is(err, os.ErrDeadlineExceeded) && s.routes.HasPlain()
}

// peek waits until end for as many bytes, or as many as are enough, without taking them.
func peek(conn *net.TCPConn, most int, end time.Time, enough func([]byte) bool) (seen []byte, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadDeadline(end)
	defer func() { _ = conn.SetReadDeadline(time.Time{}) }()
	buf := make([]byte, most)
	err = raw.Read(func(fd uintptr) bool {
		n, _, err := syscall.Recvfrom(int(fd), buf, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR) {
			return false
		}
		if err != nil || n == 0 {
			return true
		}
		seen = buf[:n]
		return n == most || enough(seen)
	})
	return seen, err
}

// answerPostgres answers a request for a secure connection, and goes on with what comes then.
func (s *stream) answerPostgres(with byte) {
	_ = s.conn.SetDeadline(s.end)
	if _, err := io.ReadFull(s.conn, make([]byte, len(postgresTLS))); err == nil {
		_, err = s.conn.Write([]byte{with})
		if err == nil && with == 'N' && s.greet == nil {
			s.greet = func(net.Conn) error { return nil } // it may ask so once
			_ = s.conn.SetDeadline(time.Time{})
			s.route()
			return
		}
		if err == nil && with == 'S' {
			s.greet = greetPostgres
			s.secure()
			return
		}
	}
	_ = s.conn.Close()
}

// greetPostgres asks a server for TLS, in the place of the client.
func greetPostgres(server net.Conn) error {
	if _, err := server.Write(postgresTLS); err != nil {
		return err
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(server, answer); err != nil {
		return err
	}
	if answer[0] != 'S' {
		return errors.New("PostgreSQL speaks no TLS there")
	}
	return nil
}

// secure serves a connection by TLS, whose beginning tells whom it is for.
func (s *stream) secure() {
	_ = s.conn.SetDeadline(s.end)
	hello, read, err := readHello(s.conn)
	_ = s.conn.SetDeadline(time.Time{})
	s.peeked = read
	if err != nil {
		_ = s.conn.Close()
		return
	}
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	challenge := len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == "acme-tls/1" && s.https.asked(hello)
	rt := s.routes.Secure(name, hello.SupportedProtos, s.from().Addr())
	switch postgres := s.greet != nil; {
	case rt == nil && postgres:
		_ = s.conn.Close()
	case postgres:
	case rt == nil, challenge, s.web.goesFirst(name, rt.Rule):
		s.entryPoint.secure(s.replayed(s.client), s.end)
		return
	}
	switch {
	case rt == nil:
	case rt.Passthrough():
		s.serve(rt, s.conn)
	default:
		s.greet = nil
		s.terminate(rt, hello)
	}
}

// terminate ends TLS here, by the options of the router.
func (s *stream) terminate(rt *tcprouter.Route, hello *tls.ClientHelloInfo) {
	conn := tls.Server(s.replayed(s.conn), s.https.configOf(rt.Policy, hello))
	ctx, cancel := context.WithDeadline(context.Background(), s.end)
	err := conn.HandshakeContext(ctx)
	cancel()
	if err == nil {
		state := conn.ConnectionState()
		err = rt.Policy.Admit(&state)
	}
	if err != nil {
		s.log.WithError(err).WithField("peer", s.conn.RemoteAddr().String()).Debug("no TLS with a client")
		_ = conn.Close()
		return
	}
	s.peeked = nil
	s.serve(rt, conn)
}

// serve hands the connection to a router.
func (s *stream) serve(rt *tcprouter.Route, conn net.Conn) {
	s.streamsOpen.Add(1)
	defer s.streamsOpen.Add(-1)
	c := &streams.Client{Conn: conn, Peeked: s.peeked, Source: s.from(), Destination: addrPort(s.client.LocalAddr()), Greet: s.greet}
	err := rt.ServeTCP(s.streamsEnd, c)
	if err == nil {
		return
	}
	entry := s.log.WithError(err).WithField("router", rt.Name).WithField("client", c.Source.String())
	if _, refused := errors.AsType[*streams.RefusedError](err); refused {
		entry.Debug("a connection is refused")
		return
	}
	entry.Warn("a connection has failed")
}

// replayed is a connection whose beginning was read, and is read again.
func (s *stream) replayed(conn net.Conn) net.Conn {
	return &replayedConn{Conn: conn, first: s.peeked}
}

type replayedConn struct {
	net.Conn
	first []byte
}

func (c *replayedConn) Read(p []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// CloseWrite says that nothing more comes.
func (c *replayedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// longestHello is how long the beginning of TLS may be (RFC 8446, section 4: a handshake message has 2^24 bytes at most;
// clients send some hundred to two thousand).
const longestHello = 16 << 10

var errHelloRead = errors.New("the hello is read")

// readHello reads the beginning of TLS, and returns what it says and what was read.
func readHello(conn net.Conn) (*tls.ClientHelloInfo, []byte, error) {
	from := &recorded{from: conn}
	var hello *tls.ClientHelloInfo
	err := tls.Server(from, &tls.Config{
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			hello = &tls.ClientHelloInfo{ServerName: h.ServerName, SupportedProtos: slices.Clone(h.SupportedProtos)}
			return nil, errHelloRead
		},
	}).HandshakeContext(context.Background())
	if hello == nil {
		return nil, nil, err
	}
	return hello, from.read, nil
}

// recorded is a connection that keeps what is read of it, and on which nothing is written.
type recorded struct {
	from io.Reader
	read []byte
}

func (r *recorded) Read(p []byte) (int, error) {
	if len(r.read) >= longestHello {
		return 0, errors.New("the beginning of TLS is too long")
	}
	n, err := r.from.Read(p[:min(len(p), longestHello-len(r.read))])
	r.read = append(r.read, p[:n]...)
	return n, err
}

func (*recorded) Write(p []byte) (int, error)      { return len(p), nil }
func (*recorded) Close() error                     { return nil }
func (*recorded) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*recorded) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*recorded) SetDeadline(time.Time) error      { return nil }
func (*recorded) SetReadDeadline(time.Time) error  { return nil }
func (*recorded) SetWriteDeadline(time.Time) error { return nil }
