package tcp

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// pipe carries bytes between a client and a server until both have said that they have nothing more to say, or one of
// them breaks off, or ctx ends. When one side has ended, the other may be silent for delay; what still flows is
// carried to its end. Between two sockets the kernel moves the bytes (splice).
func pipe(ctx context.Context, c *Client, server net.Conn, delay time.Duration) {
	stop := context.AfterFunc(ctx, func() {
		_ = c.Close()
		_ = server.Close()
	})
	defer stop()
	defer server.Close()
	defer c.Close()
	up, down := &way{from: c.Conn, to: server, first: c.Peeked, delay: delay}, &way{from: server, to: c.Conn, delay: delay}
	done := make(chan struct{})
	go func() { // ends with the connections, which down closes if it fails
		defer close(done)
		up.carry(down)
	}()
	down.carry(up)
	<-done
}

// way is one of the two directions.
type way struct {
	from, to net.Conn
	first    []byte
	delay    time.Duration
	alone    atomic.Bool // the other direction has ended
}

// carry copies to the end of one direction, and tells the other.
func (w *way) carry(other *way) {
	err := w.copy()
	if err == nil {
		err = closeWrite(w.to)
	}
	if err != nil { // nobody listens, or nobody speaks: the rest is of no use
		_ = w.from.Close()
		_ = w.to.Close()
		return
	}
	if other.delay >= 0 {
		other.alone.Store(true)
		_ = other.from.SetReadDeadline(time.Now().Add(other.delay))
	}
}

func (w *way) copy() error {
	if len(w.first) > 0 {
		if _, err := w.to.Write(w.first); err != nil {
			return err
		}
		w.first = nil
	}
	for {
		n, err := io.Copy(w.to, w.from)
		if n > 0 && errors.Is(err, os.ErrDeadlineExceeded) && w.alone.Load() { // it was not silent
			_ = w.from.SetReadDeadline(time.Now().Add(w.delay))
			continue
		}
		return err
	}
}

// closeWrite says that nothing more comes.
func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return conn.Close()
}
