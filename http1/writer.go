package http1

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
)

// Writer is the http.ResponseWriter that handlers get. Beyond that interface it
// has what http.ResponseController asks for, io.ReaderFrom, io.StringWriter, and
// the way of a proxy, WriteRaw.
//
// The head is put together in WriteHeader, which fixes it, but sent with the first
// part of the body: when the buffer is full, when the handler flushes, or when it
// has returned. A short response is one write on the connection.
type Writer struct {
	turn   *turn
	header http.Header

	status  int   // 0 until WriteHeader
	written int64 // bytes of the body, as the handler sees it
	length  int64 // Content-Length; -1 when there is none
	err     error // of the connection; final

	buf  []byte // from the pool, behind out
	out  []byte // what is to be sent first: the head
	body []byte // from the pool: body that is held back
	vec  [4][]byte
	bufs net.Buffers
	tail []byte // end of a chunk, trailers

	head  headNotes
	sent  bool        // the head is ended; see commit
	ended atomic.Bool // the handler has returned; others may find out at any time
	// deadlines tells that some were set, by the handler or by who ends the reading of a body.
	deadlines atomic.Bool
	flags
}

type flags struct {
	chunked    bool
	close      bool // the connection ends with this response
	fullDuplex bool // reading goes on while writing
	hijacked   bool
	done       bool // the end of the response has been sent, or never will be
	broken     bool // the response breaks off: the client must see it
}

// bodyRoom is how much of a body is held back for the sake of one write and of
// Content-Length.
const bodyRoom = smallBuffer

var errEnded = errors.New("write on a response whose handler has returned")

func (w *Writer) begin() {
	w.status, w.written, w.length, w.err, w.sent = 0, 0, -1, nil, false
	w.flags = flags{}
	w.ended.Store(false)
	w.deadlines.Store(false)
	w.turn.conn.writePace.start()
}

// forget gives back the buffers and empties what is kept.
func (w *Writer) forget() {
	w.release()
	w.header = emptied(w.header)
	w.head.forget()
	clear(w.vec[:])
	w.bufs, w.err = nil, nil
	w.tail = w.tail[:0]
}

func (w *Writer) release() {
	if w.buf != nil {
		giveBuffer(w.buf)
		w.buf, w.out = nil, nil
	}
	if w.body != nil {
		giveBuffer(w.body[:bodyRoom])
		w.body = nil
	}
}

// Status returns the status of the response, or 0 when none has been decided.
func (w *Writer) Status() int { return w.status }

// Written returns how many bytes of the body have been written.
func (w *Writer) Written() int64 { return w.written }

// Received returns how many bytes of the request's body have been read.
func (w *Writer) Received() int64 {
	b := &w.turn.body
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.n
}

// Header implements http.ResponseWriter.
func (w *Writer) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. Informational statuses but 101 are
// sent at once.
func (w *Writer) WriteHeader(status int) {
	if w.ended.Load() || w.hijacked || w.status != 0 {
		return
	}
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("invalid WriteHeader code %v", status))
	}
	if status < 200 && status != http.StatusSwitchingProtocols {
		w.inform(status)
		return
	}
	w.status = status
	w.startHead(status, http.StatusText(status))
	for name, values := range w.header {
		w.takeField(name, values)
	}
}

// inform sends an informational response with the fields that are set so far.
func (w *Writer) inform(status int) {
	if w.turn.request.minor == 0 {
		return // HTTP/1.0 does not know them
	}
	buf := takeBuffer(smallBuffer)
	defer giveBuffer(buf)
	out := appendStatusLine(buf[:0], 1, status, http.StatusText(status))
	for name, values := range w.header {
		if !isToken(name) || isFramingName(name) {
			continue
		}
		for _, value := range values {
			out = appendField(out, name, value)
		}
	}
	if status == http.StatusContinue {
		w.beforeWrite()
	}
	if w.err == nil {
		_, w.err = w.turn.conn.writer().Write(append(out, "\r\n"...))
	}
}

// Write implements http.ResponseWriter.
func (w *Writer) Write(p []byte) (int, error) {
	if err := w.admit(len(p)); err != nil || len(p) == 0 {
		return 0, err
	}
	if w.hold(len(p)) {
		w.body = append(w.body, p...)
		return len(p), nil
	}
	if err := w.send(p, false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// WriteString implements io.StringWriter.
func (w *Writer) WriteString(s string) (int, error) {
	if err := w.admit(len(s)); err != nil || s == "" {
		return 0, err
	}
	if w.hold(len(s)) {
		w.body = append(w.body, s...)
		return len(s), nil
	}
	if err := w.send([]byte(s), false); err != nil {
		return 0, err
	}
	return len(s), nil
}

// admit checks that n more bytes of body are in place.
func (w *Writer) admit(n int) error {
	switch {
	case w.ended.Load():
		return errEnded
	case w.hijacked:
		return http.ErrHijacked
	case w.status == 0:
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case n == 0:
		return nil
	case !statusAllowsBody(w.status):
		return http.ErrBodyNotAllowed
	}
	w.written += int64(n)
	if w.length >= 0 && w.written > w.length {
		return http.ErrContentLength
	}
	return w.err
}

// hold tells whether n bytes still fit into the part that is held back.
func (w *Writer) hold(n int) bool {
	if len(w.body)+n > bodyRoom {
		return false
	}
	if w.body == nil {
		w.body = takeBuffer(bodyRoom)[:0]
	}
	return true
}

// Flush implements http.Flusher.
func (w *Writer) Flush() { _ = w.FlushError() }

// FlushError sends what is held back. It implements a method that
// http.ResponseController looks for.
func (w *Writer) FlushError() error {
	if err := w.admit(0); err != nil {
		return err
	}
	return w.send(nil, false)
}

// finish sends the rest of the response.
func (w *Writer) finish() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	_ = w.send(nil, true)
	w.ended.Store(true)
	w.release()
}

// reusable tells whether the client knows where the response ended and where to
// send its next request.
func (w *Writer) reusable() bool {
	short := w.length >= 0 && w.written != w.length && !w.withoutBody()
	return !w.close && !w.broken && !short && w.err == nil
}

// withoutBody tells whether nothing follows the head, whatever the handler writes.
func (w *Writer) withoutBody() bool {
	return hasNoBody(w.turn.request.http.Method, w.status)
}
