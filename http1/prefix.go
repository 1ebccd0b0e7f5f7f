package http1

import "net"

// PrefixConn is a connection of which some bytes have been read already, to see
// what it is.
type PrefixConn struct {
	net.Conn
	Prefix []byte // to be read first
}

// Read implements net.Conn.
func (c *PrefixConn) Read(p []byte) (int, error) {
	if len(c.Prefix) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.Prefix)
	c.Prefix = c.Prefix[n:]
	return n, nil
}

// NetConn returns the connection below, as that of *tls.Conn does.
func (c *PrefixConn) NetConn() net.Conn { return c.Conn }

// CloseWrite closes the writing side only, if the connection below can.
func (c *PrefixConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}
