//go:build unix

package http1

import (
	"io"
	"net"
	"os"
	"syscall"
)

// useRaw lets the connection wait without a buffer.
func (c *conn) useRaw(tcp *net.TCPConn) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	c.raw = raw
	c.ready = c.readArrived
}

// awaitRaw waits for bytes and reads them.
func (c *conn) awaitRaw() error {
	if err := c.raw.Read(c.ready); err != nil {
		c.in.err = lasting(err)
		return err
	}
	return c.in.err
}

// readArrived is called with the descriptor whenever it may be readable. It
// returns false to wait on.
func (c *conn) readArrived(fd uintptr) bool { return c.in.readArrived(int(fd), smallBuffer) }

// readArrived reads what has come into a buffer from the pool of at least size bytes.
// It returns false when nothing has, and holds no buffer then.
func (in *input) readArrived(fd, size int) bool {
	buf := takeBuffer(size)
	for {
		n, err := syscall.Read(fd, buf)
		switch {
		case err == syscall.EINTR:
			continue
		case err == nil && n > 0:
			in.buf, in.r, in.w = buf, 0, n
			return true
		}
		giveBuffer(buf)
		switch {
		case err == syscall.EAGAIN:
			return false
		case err != nil:
			in.err = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", err)}
		default:
			in.err = io.EOF
		}
		return true
	}
}
