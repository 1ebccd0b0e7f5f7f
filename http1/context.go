package http1

import (
	"context"
	"net/http"
	"sync"
	"time"

	"fairway/internal/record"
)

// requestContext is the context of a request. It lives in its turn and costs
// nothing until Done is called: only then the client is watched, and the turn is
// left to whoever has the context.
type requestContext struct {
	turn   *turn
	mu     sync.Mutex
	done   chan struct{}
	err    error
	shared bool
	after  map[*func()]struct{}
}

func (x *requestContext) begin() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.err = nil
}

func (x *requestContext) isShared() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.shared
}

// Deadline implements context.Context. There is none.
func (x *requestContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements context.Context.
func (x *requestContext) Done() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.shared = true
	if x.done == nil {
		x.done = make(chan struct{})
		if x.err != nil {
			close(x.done)
		} else {
			x.turn.conn.watchSoon(x)
		}
	}
	return x.done
}

// Err implements context.Context. That the client has gone it tells only when
// Done has been called before.
func (x *requestContext) Err() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.err
}

// Value implements context.Context: the record of the request, and the address it
// came to.
func (x *requestContext) Value(key any) any {
	if c := x.turn.conn; key == http.LocalAddrContextKey && c != nil {
		return c.rwc.LocalAddr()
	}
	if record.IsKey(key) {
		return x.Record()
	}
	return nil
}

// Record implements record.Carrier.
func (x *requestContext) Record() *record.Record { return &x.turn.record }

// AfterFunc spares package context a goroutine for every context that is derived
// from this one.
func (x *requestContext) AfterFunc(f func()) (stop func() bool) {
	x.Done()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err != nil {
		go f()
		return func() bool { return false }
	}
	if x.after == nil {
		x.after = map[*func()]struct{}{}
	}
	key := &f
	x.after[key] = struct{}{}
	return func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		_, waits := x.after[key]
		delete(x.after, key)
		return waits
	}
}

// cancel ends the context: the client has gone.
func (x *requestContext) cancel() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err != nil {
		return
	}
	x.err = context.Canceled
	if x.done != nil {
		close(x.done)
	}
	for f := range x.after {
		go (*f)()
	}
	x.after = nil
}

// end is cancel when the handler has returned. A context that nobody waits for
// will be used again.
func (x *requestContext) end() { x.cancel() }
