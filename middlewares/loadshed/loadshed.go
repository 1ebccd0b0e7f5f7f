// Package loadshed refuses requests with 503 (Service Unavailable, RFC 9110, section 15.6.4) while
// the gateway itself has too much to do, those of little priority first, so that the others are
// served as if nothing were.
//
// Two things tell that it is too much: the part of its processors that fairway uses, and how long
// goroutines that could run wait for one. They are looked at ten times a second, by a request that
// comes. While one of them is above its limit a pressure rises, and it falls when both are below:
// within about three seconds from one end to the other. Requests whose priority is below the
// pressure are refused; around it some are, so that not all of one priority come and go at once.
package loadshed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/record"
	"fairway/middlewares"
)

// Config is the loadShed middleware.
type Config struct {
	// Priority of the requests, from 0, the first to be refused, to 100, which never are.
	// Default 50.
	Priority int `json:"priority,omitempty"`
	// ConsumerLabel is the name of a label of consumers that has their own priority, in place of
	// priority. Default: none.
	ConsumerLabel string `json:"consumerLabel,omitempty"`
	// MaxCPU is the part of its processors, in percent, above which fairway has too much to do.
	// Default 90; 100 or more: it does not matter.
	MaxCPU float64 `json:"maxCPU,omitempty"`
	// MaxDelay is how long one of a hundred goroutines may wait for a processor before it is too
	// much. Default 50ms; 0: it does not matter.
	MaxDelay types.Duration `json:"maxDelay,omitempty"`
	// RetryAfter is what clients are told to wait (RFC 9110, section 10.2.3), in whole seconds.
	// Default 5s.
	RetryAfter types.Duration `json:"retryAfter,omitempty"`
}

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() {
	c.Priority, c.MaxCPU, c.MaxDelay, c.RetryAfter = 50, 90, types.Duration(50*time.Millisecond), types.Duration(5*time.Second)
}

type handler struct {
	priority   int
	label      string
	limits     limits
	retryAfter string
	pressure   *pressure
	next       http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	switch {
	case c.Priority < 0 || c.Priority > most:
		return nil, fmt.Errorf("priority: %d is not from 0 to 100", c.Priority)
	case c.MaxCPU <= 0:
		return nil, errors.New("maxCPU has to be above 0")
	case c.MaxDelay < 0:
		return nil, errors.New("maxDelay must not be negative")
	case c.MaxDelay == 0 && c.MaxCPU >= 100:
		return nil, errors.New("maxCPU and maxDelay: neither would ever be too much")
	case c.RetryAfter < 0:
		return nil, errors.New("retryAfter must not be negative")
	}
	kept, _ := env.Keep(func() any { return newPressure(readLoad()) }).(*pressure)
	return &handler{
		priority: c.Priority, label: c.ConsumerLabel, limits: limits{c.MaxCPU / 100, time.Duration(c.MaxDelay)},
		retryAfter: strconv.Itoa(int(max(time.Duration(c.RetryAfter), time.Second) / time.Second)), pressure: kept, next: next,
	}, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	ok := h.pressure.admits(h.priorityOf(rec), h.limits)
	rec.SetLimit(ok)
	if !ok {
		w.Header().Set("Retry-After", h.retryAfter)
		middlewares.Refuse(w, r, http.StatusServiceUnavailable, "loadShed: the gateway has too much to do")
		return
	}
	h.next.ServeHTTP(w, r)
}

// priorityOf is that of the consumer, or else of the route.
func (h *handler) priorityOf(rec *record.Record) int {
	if h.label == "" || rec == nil || rec.Identity == nil || rec.Identity.Consumer == nil {
		return h.priority
	}
	own, err := strconv.Atoi(rec.Identity.Consumer.Labels[h.label])
	if err != nil {
		return h.priority
	}
	return min(max(own, 0), most)
}
