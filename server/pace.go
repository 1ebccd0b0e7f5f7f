package server

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// pace ends uploads that are too slow to be honest, where the engine does not do
// so itself: those that the standard library and HTTP/3 serve. As in the engine, the
// bytes a client has sent are compared with the time that somebody waited for them.
// Deadlines would cost HTTP/2 a message between goroutines for every read; instead
// one goroutine looks at all bodies every second.
type pace struct {
	rate  int64 // bytes a second; 0 is any
	grace time.Duration

	mu     sync.Mutex
	bodies map[*pacedBody]struct{}
}

const (
	paceGrace = 20 * time.Second
	paceTick  = time.Second
)

func newPace(rate int64, grace time.Duration) *pace {
	return &pace{rate: rate, grace: grace, bodies: map[*pacedBody]struct{}{}}
}

// pacedBody is the body of one request under watch.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	answer  statusWriter

	moved   atomic.Int64
	waiting atomic.Bool
	waited  time.Duration // of the goroutine that looks
}

// Read implements io.Reader.
func (b *pacedBody) Read(p []byte) (int, error) {
	b.waiting.Store(true)
	n, err := b.ReadCloser.Read(p)
	b.waiting.Store(false)
	b.moved.Add(int64(n))
	return n, err
}

// watch puts the body of a request under watch, until end is called. gRPC is left
// out: its streams are silent for as long as they have nothing to say.
func (p *pace) watch(w statusWriter, r *http.Request) (end func()) {
	if p.rate == 0 || r.ContentLength == 0 || r.Body == nil || isGRPC(r.Header) {
		return func() {}
	}
	b := &pacedBody{ReadCloser: r.Body, control: http.NewResponseController(w), answer: w}
	r.Body = b
	p.mu.Lock()
	p.bodies[b] = struct{}{}
	p.mu.Unlock()
	return func() {
		p.mu.Lock()
		delete(p.bodies, b)
		p.mu.Unlock()
	}
}

func isGRPC(h http.Header) bool {
	kind := h["Content-Type"]
	return len(kind) == 1 && strings.HasPrefix(kind[0], "application/grpc")
}

// run looks at the bodies until ended is closed.
func (p *pace) run(every time.Duration, ended <-chan struct{}) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.look(every)
		case <-ended:
			return
		}
	}
}

// look gives up the bodies that are too slow. It holds the lock: a request that has
// ended has no deadline to set.
func (p *pace) look(passed time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for b := range p.bodies {
		if !b.waiting.Load() || b.answer.Status() != 0 {
			continue
		}
		b.waited += passed
		if b.waited > p.grace && b.moved.Load() < int64(b.waited.Seconds()*float64(p.rate)) {
			_ = b.control.SetReadDeadline(time.Unix(1, 0))
			delete(p.bodies, b)
		}
	}
}
