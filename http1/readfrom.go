package http1

import (
	"io"
	"syscall"
)

// ReadFrom implements io.ReaderFrom, for io.Copy. The start is written as by
// Write; the rest of a long body of known length goes from a file or a TCP
// connection to a TCP connection without passing through the process.
func (w *Writer) ReadFrom(src io.Reader) (n int64, err error) {
	buf := takeBuffer(mediumBuffer)
	defer func() { giveBuffer(buf) }()
	for {
		if w.sent && isSource(src) && w.canReceive() {
			m, err := w.receive(src)
			return n + m, err
		}
		m, rerr := src.Read(buf)
		if m > 0 {
			written, werr := w.Write(buf[:m])
			n += int64(written)
			if werr != nil {
				return n, werr
			}
		}
		if rerr == io.EOF {
			return n, nil
		}
		if rerr != nil {
			return n, rerr
		}
		if m == mediumBuffer {
			buf = biggerBuffer(buf)
		}
	}
}

// isSource tells whether the kernel can read src by itself.
func isSource(src io.Reader) bool {
	if limited, ok := src.(*io.LimitedReader); ok {
		src = limited.R
	}
	_, ok := src.(syscall.Conn)
	return ok
}

func (w *Writer) canReceive() bool {
	return w.turn.conn.tcp != nil && w.err == nil && !w.chunked && !w.hijacked && !w.ended.Load() &&
		!w.withoutBody() && w.length-w.written >= spliceAtLeast
}

// receive lets the connection read the rest from src, but not beyond
// Content-Length.
func (w *Writer) receive(src io.Reader) (n int64, err error) {
	if err := w.send(nil, false); err != nil {
		return 0, err
	}
	c := w.turn.conn
	for {
		part := &io.LimitedReader{R: src, N: min(w.length-w.written, splicePart)}
		if limited, ok := src.(*io.LimitedReader); ok {
			part.R, part.N = limited.R, min(part.N, limited.N)
		}
		size := part.N
		if size == 0 {
			return n, nil
		}
		c.writePace.begin(size)
		m, err := c.tcp.ReadFrom(part)
		c.writePace.end(size - m)
		if limited, ok := src.(*io.LimitedReader); ok {
			limited.N -= m
		}
		w.written += m
		n += m
		if err != nil || m < size {
			return n, err
		}
	}
}
