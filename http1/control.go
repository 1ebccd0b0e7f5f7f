package http1

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// The methods that http.ResponseController looks for.

// SetReadDeadline sets the deadline for reading the request's body.
func (w *Writer) SetReadDeadline(t time.Time) error {
	if w.ended.Load() {
		return errEnded
	}
	w.deadlines.Store(true)
	return w.turn.conn.rwc.SetReadDeadline(t)
}

// SetWriteDeadline sets the deadline for writing the response.
func (w *Writer) SetWriteDeadline(t time.Time) error {
	if w.ended.Load() {
		return errEnded
	}
	w.deadlines.Store(true)
	return w.turn.conn.rwc.SetWriteDeadline(t)
}

// EnableFullDuplex lets the handler go on reading the request's body when the
// response has begun.
func (w *Writer) EnableFullDuplex() error {
	if w.ended.Load() {
		return errEnded
	}
	w.fullDuplex = true
	return nil
}

// WatchClient has the client watched, so that the context of the request ends
// when it goes away; as a call of the context's Done does. A client cannot be
// watched before the body of its request has been read.
func (w *Writer) WatchClient() { w.turn.ctx.Done() }

var errHijackedBody = errors.New("hijack while the body of the request is being read")

// Hijack implements http.Hijacker. A head that has been decided is sent first, so
// that a handler may answer 101 with WriteHeader.
func (w *Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	x := w.turn
	c := x.conn
	switch {
	case w.ended.Load():
		return nil, nil, errEnded
	case w.hijacked:
		return nil, nil, http.ErrHijacked
	case !x.body.mu.TryLock():
		return nil, nil, errHijackedBody
	}
	defer x.body.mu.Unlock()
	if w.status != 0 {
		if err := w.send(nil, false); err != nil {
			return nil, nil, err
		}
	}
	c.stopWatch()
	c.readDue.Store(0)
	c.writeDue.Store(0)
	_ = c.rwc.SetDeadline(time.Time{})
	w.hijacked = true
	w.release()
	c.srv.conns.remove(c)
	return c.rwc, bufio.NewReadWriter(c.rest(), bufio.NewWriter(c.rwc)), nil
}

// rest returns a reader of the connection that has what was read ahead.
func (c *conn) rest() *bufio.Reader {
	ahead := append([]byte(nil), c.in.buffered()...)
	c.in.consume(len(ahead))
	c.in.release()
	rest := &PrefixConn{Conn: c.rwc, Prefix: ahead}
	r := bufio.NewReaderSize(rest, max(len(ahead), smallBuffer))
	_, _ = r.Peek(len(ahead))
	if err := c.in.err; err != nil {
		size := len(ahead)
		r = bufio.NewReaderSize(io.MultiReader(r, failing{err}), max(size, smallBuffer))
		_, _ = r.Peek(size)
	}
	return r
}

// failing ends like the connection has ended.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
