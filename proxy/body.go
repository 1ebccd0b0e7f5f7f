package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// sharedBody is the body of a request, as the attempts to forward it read it. A
// transport reads a body in a goroutine of its own, which may still wait for the
// client when the attempt has failed, or when the request has been answered. So
// attempts do not read the client's body itself: what came is kept, as long as it
// is little, for the next attempt; and when the request is over nobody reads any
// more, for what comes then belongs to the client's next request.
type sharedBody struct {
	source  io.Reader
	trailer http.Header // of the request: filled by source at its end
	length  int64       // of the body; below 0: unknown

	mu      sync.Mutex
	cond    sync.Cond
	kept    []byte // all that has come, unless it was too much
	total   int    // how much has come
	reading bool
	err     error // of source; final
	over    bool
}

// keepAtMost is how much of a body is kept for another attempt: most messages of
// calls by gRPC are shorter. Long uploads are not repeated.
const keepAtMost = 16 << 10

// shareBody makes the body of r one that can be read by several attempts. It
// returns nil for a request without one.
func shareBody(r *http.Request) *sharedBody {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil
	}
	if b, again := r.Body.(*attemptBody); again {
		return b.shared
	}
	b := &sharedBody{source: r.Body, trailer: r.Trailer, length: r.ContentLength}
	b.cond.L = &b.mu
	r.Body = &attemptBody{shared: b, r: r}
	return b
}

// attempt returns the body for one attempt, from its beginning.
func (b *sharedBody) attempt(out *http.Request) io.ReadCloser {
	if b == nil {
		return nil
	}
	if len(b.trailer) > 0 {
		out.Trailer = http.Header{}
		for name := range b.trailer {
			if name != "Transfer-Encoding" && name != "Trailer" && name != "Content-Length" {
				out.Trailer[name] = nil
			}
		}
	}
	return &attemptBody{shared: b, r: out}
}

// attemptBody is the body of one attempt.
type attemptBody struct {
	shared *sharedBody
	r      *http.Request // has the trailers of this attempt
	at     int
	closed bool
}

var (
	errBodySpent = errors.New("the beginning of the request's body is gone")
	errBodyOver  = errors.New("the request is over")
)

// Read implements io.Reader. It may be called when another attempt waits for the
// client: then both wait for the same bytes.
func (a *attemptBody) Read(p []byte) (int, error) {
	b := a.shared
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		switch {
		case a.closed || b.over:
			return 0, errBodyOver
		case a.at < len(b.kept):
			n := copy(p, b.kept[a.at:])
			a.at += n
			return n, nil
		case a.at < b.total:
			return 0, errBodySpent
		case b.err != nil:
			if errors.Is(b.err, io.EOF) {
				a.takeTrailer()
			}
			return 0, b.err
		case !b.reading:
			return a.fetch(p)
		}
		b.cond.Wait()
	}
}

// fetch reads from the client, without the lock.
func (a *attemptBody) fetch(p []byte) (int, error) {
	b := a.shared
	b.reading = true
	b.mu.Unlock()
	n, err := b.source.Read(p)
	b.mu.Lock()
	b.reading = false
	b.cond.Broadcast()
	if b.total == len(b.kept) && b.total+n <= keepAtMost {
		b.kept = append(b.kept, p[:n]...)
	} else {
		b.kept = nil
	}
	b.total += n
	a.at += n
	if err != nil {
		b.err = err
		if errors.Is(err, io.EOF) {
			a.takeTrailer()
		}
	}
	return n, err
}

func (a *attemptBody) takeTrailer() {
	for name := range a.r.Trailer {
		a.r.Trailer[name] = a.shared.trailer[name]
	}
}

// Close implements io.Closer. It is the transport that closes: the client's body
// stays for others.
func (a *attemptBody) Close() error {
	a.shared.mu.Lock()
	defer a.shared.mu.Unlock()
	a.closed = true
	a.shared.cond.Broadcast()
	return nil
}

// repeatable tells whether another attempt can have all of the body.
func (b *sharedBody) repeatable() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total == len(b.kept)
}

// complete tells whether all of the body has come.
func (b *sharedBody) complete() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return errors.Is(b.err, io.EOF) || int64(b.total) == b.length
}

// failure returns why the body could not be read to its end, or nil.
func (b *sharedBody) failure() error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil || errors.Is(b.err, io.EOF) {
		return nil
	}
	return b.err
}

// end lets nobody read any more, and stops who does.
func (b *sharedBody) end(w http.ResponseWriter) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	b.cond.Broadcast()
	if !b.reading || http.NewResponseController(w).SetReadDeadline(time.Now()) != nil {
		return
	}
	for b.reading {
		b.cond.Wait()
	}
}

// Finish ends what failed attempts to forward r have left: who calls Forward does
// so when there is no other attempt.
func Finish(w http.ResponseWriter, r *http.Request) {
	if a, ok := r.Body.(*attemptBody); ok {
		a.shared.end(w)
	}
}
