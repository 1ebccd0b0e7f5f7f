package timeouts

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"fairway/internal/giveup"
)

// body is that of a request. It knows whether the client is waited for, so that its slowness is not
// held against a server, and that wait can be ended.
type body struct {
	io.ReadCloser
	client http.ResponseWriter

	mu      sync.Mutex
	reading bool
}

// bodyOf makes the body of r one; nil: there is none.
func bodyOf(r *http.Request, w http.ResponseWriter) *body {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil
	}
	b := &body{ReadCloser: r.Body, client: w}
	r.Body = b
	return b
}

func (b *body) Read(p []byte) (int, error) {
	b.waits(true)
	defer b.waits(false)
	return b.ReadCloser.Read(p)
}

func (b *body) waits(reading bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = reading
}

// giveUp ends a request that takes too long. While somebody reads, the request is not over, so
// that the deadline is not one for the next request.
func (b *body) giveUp(cancel context.CancelCauseFunc, reason string) {
	if b == nil {
		cancel(giveup.TooLong(reason))
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.reading {
		cancel(giveup.TooLong(reason))
		return
	}
	cancel(giveup.SlowClient(reason + ": the request has not come to its end"))
	_ = http.NewResponseController(b.client).SetReadDeadline(time.Now()) // where that cannot be, it ends with its connection
}
