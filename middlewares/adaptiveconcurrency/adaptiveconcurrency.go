// Package adaptiveconcurrency finds out how many requests a service can serve at the same time, and
// keeps more of them away: they wait for a moment, if they may, and are refused with 503 (Service
// Unavailable, RFC 9110, section 15.6.4) else. Nobody has to know a number beforehand, and it
// follows the service when that gets faster or slower.
//
// It goes by the time until responses begin, from when the request is there with its body. A service
// with room answers in about the time that it always takes; one with too much to do lets requests
// wait, and that shows first in their time. How the limit follows from that is told in limit.go.
// Connections that have changed the protocol, as for WebSocket, do not count. A limit belongs to
// the middleware and the service of the route, and is kept over reloads.
package adaptiveconcurrency

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/answer"
	"fairway/internal/record"
	"fairway/middlewares"
)

// Config is the adaptiveConcurrency middleware.
type Config struct {
	// InitialLimit is the number of requests at the same time to begin with. Default 20.
	InitialLimit int `json:"initialLimit,omitempty"`
	// MinLimit is the number that the limit does not fall below. Default 5.
	MinLimit int `json:"minLimit,omitempty"`
	// MaxLimit is the number that the limit does not rise above. Default 1000.
	MaxLimit int `json:"maxLimit,omitempty"`
	// Tolerance is how many times longer than usual responses may take before the limit falls.
	// Default 1.5.
	Tolerance float64 `json:"tolerance,omitempty"`
	// Queue is how many requests may wait for their turn. Default 0: none.
	Queue int `json:"queue,omitempty"`
	// QueueTimeout is the longest time that one waits. Default 1s.
	QueueTimeout types.Duration `json:"queueTimeout,omitempty"`
}

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() {
	c.InitialLimit, c.MinLimit, c.MaxLimit, c.Tolerance, c.QueueTimeout = 20, 5, 1000, 1.5, types.Duration(time.Second)
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	switch {
	case c.MinLimit < 1:
		return nil, errors.New("minLimit has to be at least 1")
	case c.MaxLimit < c.MinLimit:
		return nil, errors.New("maxLimit is below minLimit")
	case c.InitialLimit < c.MinLimit || c.InitialLimit > c.MaxLimit:
		return nil, errors.New("initialLimit is not from minLimit to maxLimit")
	case !(c.Tolerance >= 1 && c.Tolerance <= 100):
		return nil, errors.New("tolerance is not from 1 to 100")
	case c.Queue < 0:
		return nil, errors.New("queue must not be negative")
	case c.QueueTimeout <= 0:
		return nil, errors.New("queueTimeout has to be above 0")
	}
	kept, _ := env.Keep(func() any { return &gates{} }).(*gates)
	return &handler{config: *c, gates: kept, next: next}, nil
}

type handler struct {
	config Config
	gates  *gates
	next   http.Handler
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	g := h.gates.of(serviceOf(rec), &h.config)
	err := g.enter(r.Context(), &h.config)
	rec.SetLimit(err == nil)
	switch {
	case err == nil:
	case r.Context().Err() != nil:
		middlewares.Refuse(w, r, answer.StatusClientClosedRequest, "adaptiveConcurrency: the client went away while it waited for its turn")
		return
	default:
		w.Header().Set("Retry-After", "1")
		middlewares.Refuse(w, r, http.StatusServiceUnavailable, "adaptiveConcurrency: "+err.Error())
		return
	}
	x := &exchange{gate: g, config: &h.config, request: r}
	x.Init(w, x)
	defer x.leave() // also when the handler panics, to break the response off
	x.body.start = time.Now()
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		x.body.end()
	} else {
		x.body.ReadCloser, x.body.rest = r.Body, r.ContentLength
		out := *r
		out.Body = &x.body
		r = &out
	}
	h.next.ServeHTTP(x, r)
	x.Finish()
}

func serviceOf(rec *record.Record) string {
	if rec == nil {
		return ""
	}
	return rec.Service
}
