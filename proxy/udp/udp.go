// Package udp passes datagrams on to servers. Those of one client, by its address and port, go to one server as long as
// they keep coming: that is a session. config.go is what the operator writes, sessions.go keeps the sessions of an
// entry point.
package udp

import "net"

// Service chooses the servers of sessions.
type Service interface {
	// Dial reaches the server of a new session.
	Dial() (conn *net.UDPConn, server string, err error)
	// Up tells whether there is one.
	Up() bool
	// Servers are the addresses of the servers.
	Servers() []string
	// Has tells whether a server is one of them, or of those of its parts.
	Has(server string) bool
}
