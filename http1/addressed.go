package http1

import "net"

// AddressedConn is a connection whose ends have other addresses than the socket:
// those that a proxy in front has told. Everything else is that of the socket.
type AddressedConn struct {
	*net.TCPConn
	Local, Remote net.Addr
}

// LocalAddr implements net.Conn.
func (c *AddressedConn) LocalAddr() net.Addr { return c.Local }

// RemoteAddr implements net.Conn.
func (c *AddressedConn) RemoteAddr() net.Addr { return c.Remote }
