//go:build !unix

package http1

import "net"

func (c *conn) useRaw(*net.TCPConn) {}

func (c *conn) awaitRaw() error { return c.in.err }
