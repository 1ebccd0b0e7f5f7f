package http1

import (
	"io"
	"maps"
	"net/http"
	"sync"
)

// requestBody is the Body of a request that has one. Unlike the body it is made
// of, it may be closed, and read by several goroutines.
type requestBody struct {
	turn *turn
	mu   sync.Mutex
	body
	started bool
	closed  bool // by the handler, or because the handler has returned
	over    bool // its end has been noted
	seen    bool // the reader knows how it ended
}

func (b *requestBody) begin(q *request) {
	c := b.turn.conn
	b.start(&c.in, &q.framing, &c.srv.limits)
	b.started, b.closed, b.over, b.seen = true, false, false, false
	c.readPace.start()
	c.answering.Store(false)
}

func (b *requestBody) forget() {
	b.body = body{}
	b.started, b.closed, b.over, b.seen = false, false, false, false
}

// Read implements io.Reader.
func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	b.turn.sendContinue()
	return b.read(p)
}

func (b *requestBody) read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	pace := &b.turn.conn.readPace
	pace.begin(0)
	n, err := b.body.Read(p)
	pace.end(-int64(n))
	b.noteEnd()
	b.seen = b.err != nil
	return n, err
}

// noteEnd does what is due when the body has ended.
func (b *requestBody) noteEnd() {
	if b.err == nil || b.over {
		return
	}
	b.over = true
	if !isEOF(b.err) {
		return
	}
	c, r := b.turn.conn, b.turn.request.http
	if b.trailer != nil {
		if r.Trailer == nil {
			r.Trailer = http.Header{}
		}
		maps.Copy(r.Trailer, b.trailer)
	}
	c.readDue.Store(0)
	c.bodyRead()
}

// WriteTo implements io.WriterTo. Long bodies go to another TCP connection
// without passing through the process.
func (b *requestBody) WriteTo(w io.Writer) (total int64, err error) {
	buf := takeBuffer(mediumBuffer)
	defer func() { giveBuffer(buf) }()
	for {
		moved, n, err := b.writePart(w, buf)
		total += moved
		if n > 0 { // not under the lock: it may take long, and the handler may return
			m, werr := w.Write(buf[:n])
			if total += int64(m); werr != nil {
				return total, werr
			}
		}
		switch {
		case isEOF(err):
			return total, nil
		case err != nil:
			return total, err
		case n == mediumBuffer: // there is more than that
			buf = biggerBuffer(buf)
		}
	}
}

// writePart moves a part of the body to w, or else reads n bytes into buf.
func (b *requestBody) writePart(w io.Writer, buf []byte) (moved int64, n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, 0, http.ErrBodyReadAfterClose
	}
	b.turn.sendContinue()
	if b.canSplice(w) {
		before := b.n
		err := b.splicePaced(w)
		return b.n - before, 0, err
	}
	n, err = b.read(buf)
	return 0, n, err
}

// splicePaced is splice with an eye on the pace of the client. While the kernel
// moves a part nobody sees how far it is: all of it may have come.
func (b *requestBody) splicePaced(w io.Writer) error {
	pace := &b.turn.conn.readPace
	part, before := min(b.left, splicePart), b.n
	pace.begin(part)
	err := b.splice(w)
	pace.end(part - (b.n - before))
	b.noteEnd()
	b.seen = b.err != nil
	return err
}

// Close implements io.Closer. What is left of the body stays where it is: the
// connection decides whether to read it.
func (b *requestBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

// finish ends the body: it discards what is left, at most limit bytes, and tells
// whether the connection can carry another request.
func (b *requestBody) finish(limit int64) bool {
	if !b.started {
		return true
	}
	stuck := !b.mu.TryLock()
	if stuck { // somebody waits for bytes that nobody wants any more
		_ = b.turn.conn.rwc.SetReadDeadline(longAgo)
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	b.closed = true
	if stuck || b.turn.expects {
		return !stuck && b.complete()
	}
	return b.discardPaced(limit)
}

// discardPaced is discard with an eye on the pace of the client.
func (b *requestBody) discardPaced(limit int64) bool {
	if b.err == nil {
		pace := &b.turn.conn.readPace
		before := b.n
		pace.begin(0)
		b.discard(limit)
		pace.end(before - b.n)
		b.noteEnd()
	}
	return b.complete()
}
