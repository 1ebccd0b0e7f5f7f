// Package inflightreq limits how many requests of each source are served at the same
// time, and refuses the others with 429 (Too Many Requests, RFC 6585, section 4).
//
// A request counts until it has been answered wholly; a connection that has become a
// WebSocket, or another protocol, until it ends. With queue, so many requests of a source wait
// for their turn, in the order in which they have come. The count belongs to the middleware:
// all routes that use it share it, and it goes on over reloads. The counts are in counts.go.
package inflightreq

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/answer"
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
	// Queue is the number of requests of a source that wait until others of it have been
	// answered. Those beyond are refused at once. Default: 0, nobody waits.
	Queue int64 `json:"queue,omitempty"`
	// QueueTimeout is how long one waits at most; then it is refused with 503, and Retry-After.
	// Default: 5s.
	QueueTimeout types.Duration `json:"queueTimeout,omitempty"`
}

const defaultTimeout = 5 * time.Second

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() { c.QueueTimeout = types.Duration(defaultTimeout) }

type handler struct {
	amount, queue int64
	patience      time.Duration
	source        func(*http.Request) sourcecriterion.Source
	counts        *counts
	next          http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	switch {
	case c.Amount < 1:
		return nil, errors.New("amount is required, and at least 1")
	case c.Queue < 0:
		return nil, errors.New("queue must not be negative")
	case c.Queue > 0 && c.QueueTimeout <= 0:
		return nil, errors.New("queueTimeout: nobody can wait for no time")
	}
	source, err := c.SourceCriterion.Resolver(sourcecriterion.Criterion{RequestHost: true})
	if err != nil {
		return nil, fmt.Errorf("sourceCriterion: %w", err)
	}
	kept, _ := env.Keep(func() any { return newCounts() }).(*counts)
	return &handler{amount: c.Amount, queue: c.Queue, patience: time.Duration(c.QueueTimeout), source: source, counts: kept, next: next}, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	source := h.source(r)
	turn, ok := h.counts.enter(source, h.amount, h.queue)
	status, cause := http.StatusTooManyRequests, "inFlightReq: as many requests of this source as amount allows are being served"
	if turn != nil {
		ok, status, cause = h.wait(w, r, source, turn)
	}
	record.From(r.Context()).SetLimit(ok)
	if !ok {
		middlewares.Refuse(w, r, status, cause)
		return
	}
	defer h.counts.leave(source) // also when the handler panics, to break the response off
	h.next.ServeHTTP(w, r)
}

// wait waits for the turn of a request, and says what becomes of it else.
func (h *handler) wait(w http.ResponseWriter, r *http.Request, source sourcecriterion.Source, t *turn) (ok bool, status int, cause string) {
	timer := time.NewTimer(h.patience)
	defer timer.Stop()
	select {
	case <-t.come:
		return true, 0, ""
	case <-timer.C:
		status, cause = http.StatusServiceUnavailable, "inFlightReq: its turn has not come within queueTimeout"
	case <-r.Context().Done():
		status, cause = answer.StatusClientClosedRequest, "inFlightReq: the client went away while its request waited for its turn"
	}
	if !h.counts.giveUp(source, t) {
		if status == http.StatusServiceUnavailable {
			return true, 0, "" // it has come at this very moment
		}
		h.counts.leave(source)
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	return false, status, cause
}
