// Package circuitbreaker stops sending requests to a service in trouble, and answers
// them with 503 (Service Unavailable) at once, until the service has had time to
// recover. The circuit is closed as long as all is well: requests pass, and what
// becomes of them is counted. When expression is true of the last 10 seconds, the
// circuit opens: no request passes for fallbackDuration. Then it recovers: over
// recoveryDuration more and more of the requests pass, in a straight line from none to
// all. Should expression be true again, of those that have passed since, the circuit
// opens again; else it is closed. A circuit belongs to the middleware and the service
// of the route: routes to one service share it, and a service in trouble opens no
// other's. It is kept over reloads as long as the options stay the same. In front of
// the parts of a service made of others, each part needs a middleware of its own.
//
// Requests pass without a lock and without an allocation, and the engine's writer is
// not wrapped, since it knows its status itself: see breaker.go and window.go. The time
// of a response is that to its end for the same reason; its first byte goes by unseen.
package circuitbreaker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/record"
	"fairway/middlewares"
)

// Config is the circuitBreaker middleware.
type Config struct {
	// Expression opens the circuit when it is true. Required. It compares functions with
	// numbers by < <= > >= == !=, and joins that by && || ! and parentheses, as in
	// `NetworkErrorRatio() > 0.3 && RequestThreshold() >= 20`. `NetworkErrorRatio()` is the
	// part of the requests, 0 to 1, that got no answer from a server, or not the whole of
	// it: answers with 502 and 504, whoever gives them, and responses that break off,
	// unless it was the client who went away. `ResponseCodeRatio(500, 600, 0, 600)` is the
	// number of answers with a status from 500 up to, but without, 600, divided by that of
	// those from 0 up to, but without, 600; 0 if there are none of the latter.
	// `LatencyAtQuantileMS(50.0)` is the time in milliseconds in which 50 percent of the
	// requests were answered, to the end of the response, within 2 percent; connections
	// that change the protocol, as for WebSocket, event streams (text/event-stream, also
	// if it is only asked for by Accept) and responses that break off have no such time,
	// and are left out. `RequestThreshold()` is the number of requests: who divides should
	// ask for some, since the first request may be one that fails.
	Expression string `json:"expression,omitempty"`
	// CheckPeriod is the time between two looks at expression. Default 100ms.
	CheckPeriod types.Duration `json:"checkPeriod,omitempty"`
	// FallbackDuration is how long no request passes once the circuit has opened.
	// Default 10s.
	FallbackDuration types.Duration `json:"fallbackDuration,omitempty"`
	// RecoveryDuration is how long it takes from then until all requests pass again.
	// Default 10s.
	RecoveryDuration types.Duration `json:"recoveryDuration,omitempty"`
	// ResponseCode is the status for requests that do not pass. Default 503. They are
	// told in Retry-After (RFC 9110, section 10.2.3) when a try is worth while.
	ResponseCode int `json:"responseCode,omitempty"`
}

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() {
	c.CheckPeriod = types.Duration(100 * time.Millisecond)
	c.FallbackDuration, c.RecoveryDuration = types.Duration(10*time.Second), types.Duration(10*time.Second)
	c.ResponseCode = http.StatusServiceUnavailable
}

// withDefaults has them for what is said to be zero, too.
func (c *Config) withDefaults() Config {
	var defaults Config
	defaults.SetDefaults()
	out := *c
	for _, pair := range [][2]*types.Duration{
		{&out.CheckPeriod, &defaults.CheckPeriod},
		{&out.FallbackDuration, &defaults.FallbackDuration},
		{&out.RecoveryDuration, &defaults.RecoveryDuration},
	} {
		if *pair[0] == 0 {
			*pair[0] = *pair[1]
		}
	}
	if out.ResponseCode == 0 {
		out.ResponseCode = defaults.ResponseCode
	}
	return out
}

type handler struct {
	status   int
	breakers *breakers
	last     atomic.Pointer[owned] // found before: most instances have one service
	next     http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	o := c.withDefaults()
	switch {
	case strings.TrimSpace(o.Expression) == "":
		return nil, errors.New("expression is required")
	case o.CheckPeriod < 0:
		return nil, errors.New("checkPeriod must not be negative")
	case o.FallbackDuration < 0:
		return nil, errors.New("fallbackDuration must not be negative")
	case o.RecoveryDuration < 0:
		return nil, errors.New("recoveryDuration must not be negative")
	case o.ResponseCode < 200 || o.ResponseCode > 599:
		return nil, fmt.Errorf("responseCode %d is no status from 200 to 599", o.ResponseCode)
	}
	condition, counted, err := parse(o.Expression)
	if err != nil {
		return nil, fmt.Errorf("expression: %w", err)
	}
	kept, _ := env.Keep(func() any { return &kept{} }).(*kept)
	return &handler{
		status: o.ResponseCode, next: next,
		breakers: kept.with(o, &breakers{config: o, log: env.Log, condition: condition, counted: counted}),
	}, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b := h.breaker(r)
	began := b.now()
	p, wait := b.enter(began)
	if p == nil {
		w.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(wait.Seconds())), 10))
		middlewares.Refuse(w, r, h.status, "circuitBreaker: the circuit is open")
		return
	}
	x := exchange{w: knowing(w), r: r}
	defer func() { // also when the handler panics, to break the response off
		now := b.now()
		code, network := x.outcome()
		latency := untimed
		if b.counted.latency && x.timed(code) {
			latency = now - began
		}
		p.window.record(now, code, network, latency)
		b.check(p, now)
	}()
	h.next.ServeHTTP(x.w, r)
	x.returned = true
}

// breaker is that of the service which the request is for.
func (h *handler) breaker(r *http.Request) *breaker {
	service := ""
	if rec := record.From(r.Context()); rec != nil {
		service = rec.Service
	}
	if o := h.last.Load(); o != nil && o.service == service {
		return o.breaker
	}
	o := h.breakers.of(service)
	h.last.Store(o)
	return o.breaker
}
