package http1

import "io"

// send commits to the head, if that is not done, and sends what is held back with
// p behind it. final means that nothing else comes.
func (w *Writer) send(p []byte, final bool) error {
	if !w.sent {
		w.commit(p, final)
	}
	err := w.emit(w.body, p, final, nil)
	w.body = w.body[:0]
	return err
}

// emit sends the head, if it has not been sent, and two parts of the body, in one
// write where that pays. trailer is sent, besides the handler's, at the end.
func (w *Writer) emit(a, b []byte, final bool, trailer map[string][]string) error {
	if w.err != nil || w.done {
		return w.err
	}
	w.done = final
	if w.withoutBody() {
		a, b = nil, nil
	}
	w.tail = w.tail[:0]
	if w.chunked {
		if n := len(a) + len(b); n > 0 {
			w.out = appendChunkLine(w.out, n)
			w.tail = append(w.tail, "\r\n"...)
		}
		if final {
			if trailer == nil {
				trailer = w.trailer()
			}
			w.tail = appendLastChunk(w.tail, trailer)
		}
	}
	if len(w.out)+len(a)+len(b)+len(w.tail) == 0 {
		return nil
	}
	w.writeParts(a, b)
	w.out = w.out[:0]
	return w.err
}

// writeParts writes out, a, b and tail: copied together when they are short, or
// when the connection can write only one part at a time.
func (w *Writer) writeParts(a, b []byte) {
	total := len(w.out) + len(a) + len(b) + len(w.tail)
	if total == len(w.out) {
		w.write(w.out)
		return
	}
	room := cap(w.out)
	if room < total && w.turn.conn.tcp == nil && total <= mediumBuffer {
		buf := takeBuffer(mediumBuffer)
		defer giveBuffer(buf)
		w.out, room = append(buf[:0], w.out...), mediumBuffer
		defer func() { w.out = w.buf[:0] }()
	}
	if total <= room {
		w.out = append(append(append(w.out, a...), b...), w.tail...)
		w.write(w.out)
		return
	}
	w.bufs = w.vec[:0]
	for _, part := range [...][]byte{w.out, a, b, w.tail} {
		if len(part) > 0 {
			w.bufs = append(w.bufs, part)
		}
	}
	c := w.turn.conn
	w.beforeWrite()
	c.writePace.begin(int64(total))
	_, w.err = w.bufs.WriteTo(c.writer())
	c.writePace.end(0)
	clear(w.vec[:])
}

// write writes one part.
func (w *Writer) write(p []byte) {
	if w.err != nil {
		return
	}
	c := w.turn.conn
	w.beforeWrite()
	c.writePace.begin(int64(len(p)))
	_, w.err = c.writer().Write(p)
	c.writePace.end(0)
}

// writer returns what to write to: the TCP connection itself, which can write
// several buffers at once, if there is one.
func (c *conn) writer() io.Writer {
	if c.tcp != nil {
		return c.tcp
	}
	return c.rwc
}
