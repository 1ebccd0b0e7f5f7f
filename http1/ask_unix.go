//go:build unix

package http1

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// ask is the last write of a request and the wait for the response behind it, in
// one. A read before the wait would find nothing: the upstream has just been asked.
// So one system call in six is saved on a small request, and who waits for a slow
// upstream holds no buffer.
//
// The write happens inside of the read, when the poller has forgotten what came
// before: no news of the response can be missed. What came before, on a connection
// on which nothing had been asked, can only be its end. The sweeper makes sure that
// it is found as well: see look.
type ask struct {
	step    func(fd uintptr) bool // writeOrRead; made once
	out     []byte                // what is to be written, from the pool; nil when it is
	written int
	err     error // of the write
	asked   bool
}

func (c *upstreamConn) prepareAsk() { c.asking.step = c.writeOrRead }

// ask writes what is in out, a buffer from the pool which it gives back, and waits
// for the first bytes of the response, which it reads. An error of reading is left
// for the next read to find.
func (c *upstreamConn) ask(out []byte) error {
	if c.raw == nil || len(c.in.buffered()) > 0 {
		defer giveBuffer(out)
		_, err := c.conn.Write(out)
		return err
	}
	a := &c.asking
	a.out, a.written, a.err, a.asked = out, 0, nil, false
	c.in.release()
	c.mu.Lock()
	if c.blind = true; c.upstream.HeaderTimeout > 0 {
		c.since = time.Now()
	}
	c.mu.Unlock()
	err := c.raw.Read(a.step)
	if woken := c.openEyes(); woken && !a.asked {
		err = nil // it was woken before it had begun
	}
	if a.out == nil {
		if c.in.err == nil {
			c.in.err = lasting(err)
		}
		return nil
	}
	defer giveBuffer(out)
	a.out = nil
	switch {
	case a.err != nil:
		return a.err
	case err != nil:
		return err
	}
	_, err = c.conn.Write(out[a.written:])
	return err
}

// openEyes ends the blind wait. The sweeper may have ended it before by a deadline.
// It tells whether it has.
func (c *upstreamConn) openEyes() (woken bool) {
	c.mu.Lock()
	woken = c.woken
	c.blind, c.woken = false, false
	c.mu.Unlock()
	if woken {
		_ = c.conn.SetReadDeadline(time.Time{})
	}
	return woken
}

// writeOrRead is called with the descriptor at once, and whenever it may be
// readable. It returns false to wait.
func (c *upstreamConn) writeOrRead(fd uintptr) bool {
	a := &c.asking
	if a.asked {
		return c.in.readArrived(int(fd), mediumBuffer)
	}
	a.asked = true
	n, err := syscall.Write(int(fd), a.out)
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return true
	case err != nil:
		a.err = &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", err)}
		return true
	}
	if a.written = n; n < len(a.out) {
		return true
	}
	giveBuffer(a.out)
	a.out = nil
	return false
}
