// Package faultinjection makes requests wait, or fail, on purpose: to see what callers do when a
// service is slow, or gives errors, before it happens by itself.
//
// With header only requests that carry it are meant, so that testers can ask for trouble where
// others have none. Both parts throw dice for each request on their own.
package faultinjection

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/answer"
	"fairway/internal/headername"
	"fairway/middlewares"
)

// Config is the faultInjection middleware.
type Config struct {
	// Header is the name of a header that a request has to carry to be meant. Default: none,
	// all requests are meant.
	Header string `json:"header,omitempty"`
	// Value is what header has to say. Default: anything.
	Value string `json:"value,omitempty"`
	// Delay makes requests wait.
	Delay *Delay `json:"delay,omitempty"`
	// Abort makes requests fail, after delay.
	Abort *Abort `json:"abort,omitempty"`
}

// Delay makes requests wait.
type Delay struct {
	// Duration of the wait. Required.
	Duration types.Duration `json:"duration,omitempty"`
	// Percent of the requests that wait. Default 100.
	Percent float64 `json:"percent,omitempty"`
}

// Abort makes requests fail.
type Abort struct {
	// Status that they are answered with, from 400 to 599; 0 ends the connection without an
	// answer. Default 503.
	Status int `json:"status,omitempty"`
	// Percent of the requests that fail. Default 100.
	Percent float64 `json:"percent,omitempty"`
}

const all = 100

// SetDefaults fills in what is not zero by default.
func (d *Delay) SetDefaults() { d.Percent = all }

// SetDefaults fills in what is not zero by default.
func (a *Abort) SetDefaults() { a.Status, a.Percent = http.StatusServiceUnavailable, all }

type handler struct {
	header, value string
	delay         Delay
	abort         Abort
	next          http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, _ middlewares.Env, next http.Handler) (http.Handler, error) {
	h := &handler{header: http.CanonicalHeaderKey(c.Header), value: c.Value, next: next}
	switch {
	case c.Header != "" && !headername.Valid(c.Header):
		return nil, fmt.Errorf("header: %q is no name of a header", c.Header)
	case c.Header == "" && c.Value != "":
		return nil, errors.New("value: there is no header that could say it")
	case c.Delay == nil && c.Abort == nil:
		return nil, errors.New("one of delay and abort has to be given")
	}
	if c.Delay != nil {
		if h.delay = *c.Delay; h.delay.Duration <= 0 {
			return nil, errors.New("delay.duration is required, and above 0")
		}
		if err := percentage("delay", h.delay.Percent); err != nil {
			return nil, err
		}
	}
	if c.Abort != nil {
		if h.abort = *c.Abort; h.abort.Status != 0 && (h.abort.Status < 400 || h.abort.Status > 599) {
			return nil, fmt.Errorf("abort.status: %d is neither 0 nor from 400 to 599", h.abort.Status)
		}
		if err := percentage("abort", h.abort.Percent); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func percentage(of string, p float64) error {
	if !(p >= 0 && p <= all) {
		return fmt.Errorf("%s.percent: %v is not from 0 to 100", of, p)
	}
	return nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.meant(r) {
		h.next.ServeHTTP(w, r)
		return
	}
	if falls(h.delay.Percent) && !wait(r.Context(), time.Duration(h.delay.Duration)) {
		middlewares.Refuse(w, r, answer.StatusClientClosedRequest, "faultInjection: the client went away while it was held up")
		return
	}
	switch {
	case !falls(h.abort.Percent):
		h.next.ServeHTTP(w, r)
	case h.abort.Status == 0:
		panic(http.ErrAbortHandler)
	default:
		middlewares.Refuse(w, r, h.abort.Status, "faultInjection: the request was made to fail")
	}
}

func (h *handler) meant(r *http.Request) bool {
	if h.header == "" {
		return true
	}
	for _, value := range r.Header[h.header] {
		if h.value == "" || value == h.value {
			return true
		}
	}
	return false
}

// falls throws the dice.
func falls(percent float64) bool {
	return percent > 0 && rand.Float64()*all < percent //nolint:gosec // a choice, not a secret
}

// wait tells whether the client is still there.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
