package cache

import (
	"context"
	"sync"
	"time"

	"fairway/internal/cachestore"
	"fairway/internal/httpcache"
)

// flight is a request to the service that others wait for who want the same. It goes on when
// the client that it began with has gone; when nobody is left who wants it, it is given a
// little time, and then cancelled.
type flight struct {
	key string // of what it is about
	url string

	decided chan struct{} // closed when there is an outcome
	outcome outcome

	mu      sync.Mutex
	clients int
	ended   bool
	cancel  context.CancelFunc
	grace   *time.Timer
	purges  []cachestore.Match // since it began
}

// outcome is what became of a flight.
type outcome struct {
	entry  *httpcache.Entry // the response, or its head; nil: there is none to share
	stream *stream          // its body; nil: it is in entry
	length int64            // of that, or below 0
	stale  bool             // entry is sent for want of a better one
	failed int              // the status of the gateway's own error
}

// afterAll is how long a flight goes on that nobody waits for.
const afterAll = 10 * time.Second

// join takes part in the flight of a key, or begins one.
func (st *state) join(key, url string) (f *flight, leads bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if f := st.flights[key]; f != nil && f.enter() {
		return f, false
	}
	f = &flight{key: key, url: url, decided: make(chan struct{}), clients: 1}
	st.flights[key], st.underWay[f] = f, struct{}{}
	return f, true
}

// detach has nobody join it any more.
func (st *state) detach(f *flight) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.drop(f)
}

func (st *state) drop(f *flight) {
	if st.flights[f.key] == f {
		delete(st.flights, f.key)
	}
}

// land is called when nothing more comes.
func (st *state) land(f *flight) {
	st.mu.Lock()
	st.drop(f)
	delete(st.underWay, f)
	st.mu.Unlock()
	f.end()
}

func (f *flight) enter() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return false
	}
	f.clients++
	if f.grace != nil {
		f.grace.Stop()
	}
	return true
}

func (f *flight) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.clients--; f.clients == 0 && !f.ended && f.cancel != nil {
		f.grace = time.AfterFunc(afterAll, f.cancel)
	}
}

// decide tells those who wait.
func (f *flight) decide(o outcome) {
	select {
	case <-f.decided:
	default:
		f.outcome = o
		close(f.decided)
	}
}

// end tells those who wait still that nothing comes.
func (f *flight) end() {
	f.decide(outcome{})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	if f.grace != nil {
		f.grace.Stop()
	}
}

// purged tells whether e has been purged while it came.
func (f *flight) purged(e *httpcache.Entry) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.purges {
		if m.Matches(e) {
			return true
		}
	}
	return false
}

// purge removes what matches from the store, and sees to it that what is on its way is not
// stored.
func (st *state) purge(ctx context.Context, m cachestore.Match) (int, error) {
	return st.store.Purge(ctx, m, func() {
		st.mu.Lock()
		defer st.mu.Unlock()
		for f := range st.underWay {
			if m.Tag == "" && !m.Matches(&httpcache.Entry{Key: f.key, URL: f.url}) {
				continue
			}
			f.mu.Lock()
			f.purges = append(f.purges, m)
			f.mu.Unlock()
			st.drop(f) // who comes now wants what is new
		}
	})
}
