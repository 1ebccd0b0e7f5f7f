package retry

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// body keeps what is read of a request's body, so that another attempt can read it
// again. It is not read beforehand: a body goes to the server as it comes.
//
// A transport may still be reading for an attempt that is over. What that last Read
// gets is kept, too, and nothing is lost.
type body struct {
	limit int64

	reading sync.Mutex // held while the client is waited for
	inner   io.Reader
	kept    []byte
	err     error

	state   sync.Mutex
	current *reader // of the attempt that is being made
	lost    bool    // it has read more than may be kept
}

// newBody returns nil for a request without one, which nil stands for in all that
// follows.
func newBody(r *http.Request, limit int64) *body {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil
	}
	return &body{limit: limit, inner: r.Body}
}

// request returns r for an attempt, with a body of its own. Nobody changes anything
// else of it.
func (b *body) request(r *http.Request) *http.Request {
	if b == nil {
		return r
	}
	out := new(http.Request)
	*out = *r
	b.state.Lock()
	defer b.state.Unlock()
	b.current = &reader{body: b}
	out.Body = b.current
	return out
}

// whole tells whether another attempt would get the body from its start.
func (b *body) whole() bool {
	if b == nil {
		return true
	}
	b.state.Lock()
	defer b.state.Unlock()
	return !b.lost
}

// rewind ends the reading of the attempt that is being made, and tells whether another
// one gets the body from its start.
func (b *body) rewind() bool {
	if b == nil {
		return true
	}
	b.state.Lock()
	defer b.state.Unlock()
	b.current = nil
	return !b.lost
}

func (b *body) isCurrent(rd *reader) bool {
	b.state.Lock()
	defer b.state.Unlock()
	return b.current == rd
}

// keep tells whether n bytes may be kept that were read for an attempt.
func (b *body) keep(rd *reader, n int) bool {
	b.state.Lock()
	defer b.state.Unlock()
	if b.current == rd && b.limit >= 0 && int64(n) > b.limit {
		b.lost = true
	}
	return !b.lost
}

// end lets nobody read any more, and stops who does: what comes after the body belongs
// to the client's next request.
func (b *body) end(w http.ResponseWriter) {
	if b == nil {
		return
	}
	b.rewind()
	if !b.reading.TryLock() {
		if http.NewResponseController(w).SetReadDeadline(time.Now()) != nil {
			return
		}
		b.reading.Lock()
	}
	b.reading.Unlock()
}

// reader reads the body for one attempt.
type reader struct {
	body *body
	at   int
}

// Read implements io.Reader.
func (rd *reader) Read(p []byte) (int, error) {
	b := rd.body
	b.reading.Lock()
	defer b.reading.Unlock()
	if !b.isCurrent(rd) {
		return 0, http.ErrBodyReadAfterClose
	}
	if rd.at < len(b.kept) {
		n := copy(p, b.kept[rd.at:])
		rd.at += n
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.inner.Read(p)
	b.err = err
	if b.keep(rd, len(b.kept)+n) {
		b.kept = append(b.kept, p[:n]...)
		rd.at += n
		return n, err
	}
	b.kept, rd.at = nil, 0 // this attempt is the last one, and reads on
	return n, err
}

// Close implements io.Closer. The body itself is closed by the server.
func (rd *reader) Close() error {
	b := rd.body
	b.state.Lock()
	defer b.state.Unlock()
	if b.current == rd {
		b.current = nil
	}
	return nil
}
