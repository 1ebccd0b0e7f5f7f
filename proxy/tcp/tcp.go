// Package tcp passes connections on to servers, whatever is spoken over them.
//
// client.go is a connection of a client and who serves one, config.go what the operator writes, loadbalancer.go
// chooses a server and tries the next one if it cannot be reached, transport.go says how it is dialled, pipe.go
// carries the bytes, weighted.go spreads over services, health.go asks servers whether they are there, and
// middlewares.go has what may stand in front.
package tcp

import (
	"context"
	"net"
	"net/netip"
)

// Client is a connection of a client.
type Client struct {
	// Conn is what bytes are exchanged with: the socket, or TLS over it.
	net.Conn
	// Peeked are bytes that were read of Conn already; they go first.
	Peeked []byte
	// Source and Destination are the ends of the client's own connection, as load balancers in front have told.
	Source, Destination netip.AddrPort
	// Greet is called when a server is reached, before bytes are carried; nil: there is nothing to be said.
	Greet func(server net.Conn) error
}

// RefusedError says that somebody may not connect, and why: it is no failure of a server.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// Handler serves connections.
type Handler interface {
	// ServeTCP serves a connection to its end and closes it, also when ctx ends before. An error tells why it was not
	// served.
	ServeTCP(ctx context.Context, c *Client) error
}

// HandlerFunc is a function that is a Handler.
type HandlerFunc func(context.Context, *Client) error

// ServeTCP implements Handler.
func (f HandlerFunc) ServeTCP(ctx context.Context, c *Client) error { return f(ctx, c) }

// Service is a Handler with servers behind it.
type Service interface {
	Handler
	// Up tells whether a connection has somewhere to go.
	Up() bool
	// Servers lists the servers with what is known of them.
	Servers() []ServerStatus
}

// ServerStatus is what is known of a server.
type ServerStatus struct {
	Address string
	Up      bool
	// Reason why it is not up; empty: nobody has asked, or it is.
	Reason string
}
