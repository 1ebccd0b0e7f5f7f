package server

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// arrival is what a new connection begins with.
type arrival int

const (
	arrivesNot arrival = iota // it ended, or took too long
	arrivesHTTP
	arrivesHTTP2 // in plain text, by prior knowledge (RFC 9113, section 3.3)
	arrivesTLS
)

const (
	// tlsHandshake is the first byte of a TLS connection (RFC 8446, section 5.1).
	tlsHandshake = 22
	// preface is the beginning of an HTTP/2 connection (RFC 9113, section 3.4), as
	// far as it differs from every HTTP/1 request.
	preface = "PRI * HTTP/2.0"
)

// look waits until end for the first bytes of a connection and tells what they are,
// without taking them: the connection is handed on as it came.
func look(conn *net.TCPConn, end time.Time) arrival {
	raw, err := conn.SyscallConn()
	if err != nil {
		return arrivesNot
	}
	_ = conn.SetReadDeadline(end)
	defer func() { _ = conn.SetReadDeadline(time.Time{}) }()
	what := arrivesNot
	err = raw.Read(func(fd uintptr) bool {
		var b [len(preface)]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
			return false
		case err != nil || n == 0:
			return true
		}
		what = classify(b[:n])
		return what != arrivesNot // else more bytes wake it up, although these are not taken
	})
	if err != nil {
		return arrivesNot
	}
	return what
}

// classify returns arrivesNot while more bytes are needed: TCP may bring a preface
// in pieces.
func classify(b []byte) arrival {
	switch {
	case b[0] == tlsHandshake:
		return arrivesTLS
	case string(b) == preface:
		return arrivesHTTP2
	case string(b) == preface[:len(b)]:
		return arrivesNot
	}
	return arrivesHTTP
}

// feed is a listener whose connections come from elsewhere.
type feed struct {
	address net.Addr
	conns   chan net.Conn
	closed  chan struct{}
}

func newFeed(address net.Addr) *feed {
	return &feed{address: address, conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (f *feed) give(conn net.Conn) {
	select {
	case f.conns <- conn:
	case <-f.closed:
		_ = conn.Close()
	}
}

// Accept implements net.Listener.
func (f *feed) Accept() (net.Conn, error) {
	select {
	case conn := <-f.conns:
		return conn, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. Only its owner calls it, once; http.Server, which
// does so as well, is given a listener without it.
func (f *feed) Close() error { return nil }

// Addr implements net.Listener.
func (f *feed) Addr() net.Addr { return f.address }

var _ io.Closer = (*feed)(nil)
