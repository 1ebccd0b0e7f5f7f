package http1

import (
	"sync"
	"time"
)

// The watcher of a connection waits for the client while the handler works: it
// reads into the input, as the connection will do itself for the next request,
// and so sees when the client closes. It starts only when somebody wants to know,
// and when the body of the request has been read.

// watch is the state of the watcher of one connection.
type watch struct {
	mu      sync.Mutex
	free    bool            // nobody else reads from the connection
	wanted  *requestContext // to be cancelled when the client goes
	stop    chan struct{}   // closed to end the watcher
	stopped chan struct{}   // closed by the watcher
}

// begin is called for every request. free means that it has no body.
func (w *watch) begin(free bool) { w.free, w.wanted = free, nil }

// watchSoon makes the connection cancel x when the client goes. The context calls
// it while the request lasts.
func (c *conn) watchSoon(x *requestContext) {
	w := &c.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted = x
	c.watchLocked()
}

// bodyRead tells the watcher that the body of the request has ended.
func (c *conn) bodyRead() {
	w := &c.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	w.free = true
	c.watchLocked()
}

func (c *conn) watchLocked() {
	w := &c.watch
	if w.wanted == nil || !w.free || w.stop != nil || len(c.in.buffered()) > 0 {
		return // a client that sends its next request already cannot be watched
	}
	w.stop, w.stopped = make(chan struct{}), make(chan struct{})
	go c.watchClient(w.wanted, w.stop, w.stopped)
}

// stopWatch makes the input free for the goroutine of the connection. No watcher
// starts any more.
func (c *conn) stopWatch() {
	w := &c.watch
	w.mu.Lock()
	w.free, w.wanted = false, nil
	stop, stopped := w.stop, w.stopped
	w.stop, w.stopped = nil, nil
	w.mu.Unlock()
	if stop == nil {
		return
	}
	close(stop)
	_ = c.rwc.SetReadDeadline(longAgo)
	<-stopped
	_ = c.rwc.SetReadDeadline(time.Time{})
}

func (c *conn) watchClient(x *requestContext, stop, stopped chan struct{}) {
	defer close(stopped)
	err := c.await()
	if err == nil || lasting(err) == nil {
		return
	}
	if isEOF(err) && c.srv.HalfClosedGrace > 0 {
		grace := time.NewTimer(c.srv.HalfClosedGrace)
		defer grace.Stop()
		select {
		case <-grace.C:
		case <-stop:
			return
		}
	}
	x.cancel()
}
