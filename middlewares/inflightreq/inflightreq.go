// Package inflightreq limits how many requests of each source are served at the same
// time, and refuses the others with 429 (Too Many Requests, RFC 6585, section 4).
//
// A request counts until it has been answered wholly; a connection that has become a
// WebSocket, or another protocol, until it ends. The count belongs to the middleware:
// all routes that use it share it, and it goes on over reloads.
package inflightreq

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"fairway/internal/record"
	"fairway/internal/sourcecriterion"
	"fairway/middlewares"
)

// Config is the inFlightReq middleware.
type Config struct {
	// Amount is the number of requests of a source that are served at the same time.
	// Required.
	Amount int64 `json:"amount,omitempty"`
	// SourceCriterion says which requests are counted together. Default: those for one
	// host.
	SourceCriterion *sourcecriterion.Criterion `json:"sourceCriterion,omitempty"`
}

type handler struct {
	amount int64
	source func(*http.Request) sourcecriterion.Source
	counts *counts
	next   http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	if c.Amount < 1 {
		return nil, errors.New("amount is required, and at least 1")
	}
	source, err := c.SourceCriterion.Resolver(sourcecriterion.Criterion{RequestHost: true})
	if err != nil {
		return nil, fmt.Errorf("sourceCriterion: %w", err)
	}
	kept, _ := env.Keep(func() any { return newCounts() }).(*counts)
	return &handler{amount: c.Amount, source: source, counts: kept, next: next}, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	source := h.source(r)
	ok := h.counts.enter(source, h.amount)
	record.From(r.Context()).SetLimit(ok)
	if !ok {
		middlewares.Refuse(w, r, http.StatusTooManyRequests, "inFlightReq: as many requests of this source as amount allows are being served")
		return
	}
	defer h.counts.leave(source) // also when the handler panics, to break the response off
	h.next.ServeHTTP(w, r)
}

const shards = 16

// counts are the requests of each source that are being served. Only sources that have
// any are in there.
type counts struct{ shards [shards]shard }

type shard struct {
	mu sync.Mutex
	of map[sourcecriterion.Source]int64

	passed, refused uint64
}

func newCounts() *counts {
	c := &counts{}
	for i := range c.shards {
		c.shards[i].of = map[sourcecriterion.Source]int64{}
	}
	return c
}

// enter counts a request, unless there are as many already as allowed.
func (c *counts) enter(source sourcecriterion.Source, allowed int64) bool {
	s := &c.shards[source.Shard(shards)]
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.of[source]
	if n >= allowed {
		s.refused++
		return false
	}
	s.of[source] = n + 1
	s.passed++
	return true
}

// Decisions implements middlewares.Decider.
func (c *counts) Decisions() (passed, refused uint64) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		passed, refused = passed+s.passed, refused+s.refused
		s.mu.Unlock()
	}
	return passed, refused
}

func (c *counts) leave(source sourcecriterion.Source) {
	s := &c.shards[source.Shard(shards)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.of[source]; n > 1 {
		s.of[source] = n - 1
		return
	}
	delete(s.of, source)
}
