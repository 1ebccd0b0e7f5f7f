package hedge

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"fairway/internal/attempt"
	"fairway/internal/giveup"
	"fairway/internal/record"
)

// race is one request with its attempts. The first one is made by the goroutine that serves the
// request, each further one by one of its own, which ends before the request does: what requests
// are made of is used again then.
type race struct {
	*handler
	w     http.ResponseWriter
	r     *http.Request
	rec   *record.Record
	times *times
	began time.Time
	as    original

	mu       sync.Mutex
	made     int
	open     int     // attempts that may still give the answer
	winner   *runner // whose answer is taken
	timer    *time.Timer
	runners  []*runner
	finished sync.WaitGroup // the further attempts
}

// original is what further attempts are made of: the first one may change what it got.
type original struct {
	header http.Header
	url    *url.URL
	rec    record.Record
}

// runner is one attempt.
type runner struct {
	attempt.Writer
	race   *race
	cancel context.CancelCauseFunc
	rec    *record.Record // nil: there is none
	lost   bool           // its answer is not taken
	broke  any            // what it panicked with
}

// WriteHeader implements http.ResponseWriter. Informational responses pass as long as there is one
// attempt; then nobody knows whose the client is to see.
func (a *runner) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols {
		a.race.mu.Lock()
		defer a.race.mu.Unlock()
		if a.race.made > 1 {
			return
		}
	}
	a.Writer.WriteHeader(status)
}

// Refuses implements attempt.Judge: only one answer is good enough.
func (a *runner) Refuses(status int) bool {
	c := a.race
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.winner != nil || status >= http.StatusInternalServerError && c.open > 1 {
		a.lose()
		return true
	}
	c.winner = a
	if status < http.StatusInternalServerError {
		c.times.add(time.Since(c.began))
	}
	for _, other := range c.runners {
		if other != a {
			other.cancel(nil)
		}
	}
	return false
}

// lose notes that an attempt gives no answer. The lock is held.
func (a *runner) lose() {
	if !a.lost {
		a.lost = true
		a.race.open--
	}
}

// run serves the request; hedges tells whether there may be further attempts.
func (c *race) run(delay time.Duration, hedges bool) {
	if hedges {
		u := *c.r.URL
		c.as = original{header: c.r.Header.Clone(), url: &u}
		if c.rec != nil {
			c.as.rec = *c.rec
			c.as.rec.Trace = nil                            // which is not for two at the same time
			c.as.rec.Hidden = slices.Clone(c.as.rec.Hidden) // each appends to a list of its own
		}
	}
	c.mu.Lock()
	first, r := c.begin(c.r, c.rec)
	if hedges {
		c.timer = time.AfterFunc(delay, func() { c.another(delay) })
	}
	c.mu.Unlock()
	first.serve(r)
	c.finished.Wait()
	if c.timer != nil {
		c.timer.Stop()
	}
	won := c.winner
	if won == nil {
		won = c.broken(first) // and what else came was held up for its sake
	}
	c.tell(won)
	c.logOthers(won)
	if won.broke != nil {
		panic(won.broke)
	}
}

// broken is an attempt that has broken off without an answer; of several the first.
func (c *race) broken(otherwise *runner) *runner {
	for _, a := range c.runners {
		if a.broke != nil {
			return a
		}
	}
	return otherwise
}

// logOthers tells of panics that nobody else sees: another attempt has given the answer.
func (c *race) logOthers(won *runner) {
	for _, a := range c.runners {
		if a != won && a.broke != nil && a.broke != http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
			c.log.Errorf("panic in an attempt of several: %v", a.broke)
		}
	}
}

// begin makes an attempt of a request, which is not served yet. The lock is held.
func (c *race) begin(r *http.Request, rec *record.Record) (*runner, *http.Request) {
	ctx, cancel := giveup.WithCancel(r.Context())
	if rec != c.rec {
		ctx = record.With(ctx, rec)
	}
	a := &runner{race: c, cancel: cancel, rec: rec}
	a.Init(c.w, a)
	a.Header() // copied while nobody writes there
	c.made++
	c.open++
	c.runners = append(c.runners, a)
	return a, r.WithContext(ctx)
}

// another makes a further attempt, in the goroutine of the timer.
func (c *race) another(delay time.Duration) {
	c.mu.Lock()
	if c.winner != nil || c.open == 0 || c.made >= c.attempts || c.r.Context().Err() != nil || !c.memory.spend() {
		c.mu.Unlock()
		return
	}
	c.finished.Add(1)
	defer c.finished.Done()
	out := new(http.Request)
	*out = *c.r
	u := *c.as.url
	out.Header, out.URL = maps.Clone(c.as.header), &u
	rec := c.rec
	if rec != nil {
		rec = new(record.Record)
		*rec = c.as.rec
		rec.Hidden = slices.Clone(rec.Hidden)
	}
	a, out := c.begin(out, rec)
	if c.made < c.attempts {
		c.timer.Reset(delay)
	}
	c.mu.Unlock()
	a.serve(out)
}

// serve makes the attempt, to its end.
func (a *runner) serve(r *http.Request) {
	defer a.cancel(nil)
	defer func() {
		a.broke = recover()
		c := a.race
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.winner != a {
			a.lose()
		}
	}()
	a.race.next.ServeHTTP(a, r)
	a.Finish()
}

// tell has the record tell of the attempt whose answer was taken.
func (c *race) tell(won *runner) {
	if c.rec == nil {
		return
	}
	if won.rec != c.rec {
		trace := c.rec.Trace
		*c.rec = *won.rec
		c.rec.Trace = trace
	}
	if c.made > 1 {
		c.rec.Attempts = c.made
	}
}
