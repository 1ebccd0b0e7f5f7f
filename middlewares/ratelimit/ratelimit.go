// Package ratelimit lets so many requests of each source pass in a time, and refuses
// the others with 429 (Too Many Requests, RFC 6585, section 4).
//
// Every source has a bucket of burst tokens, which fills again at the rate of average
// per period; a request takes one. A request that is early by no more than half the
// time a token takes, and by no more than half a second, is held until its token is
// there. A refusal says in Retry-After (RFC 9110, section 10.2.3) after how many
// seconds a try is worth while, and in X-Retry-In more exactly.
//
// A bucket belongs to the middleware: all routes that use it share it, and it is kept
// over reloads. Of each middleware 65536 sources are remembered; beyond that, those
// give way whose buckets are full again, or nearly so.
package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/answer"
	"fairway/internal/clientip"
	"fairway/internal/record"
	"fairway/internal/sourcecriterion"
	"fairway/middlewares"
)

// Config is the rateLimit middleware.
type Config struct {
	// Average is the number of requests that a source may send in a period, on average.
	// 0, the default, sets no limit.
	Average int64 `json:"average,omitempty"`
	// Period is the time that average is about. Default 1s. For less than one request
	// a second, take a longer one: average 6 and period 1m are one request in 10 seconds.
	Period types.Duration `json:"period,omitempty"`
	// Burst is the number of requests that may come at once. Default 1.
	Burst int64 `json:"burst,omitempty"`
	// SourceCriterion says which requests are counted together. Default: those from
	// one client, which is the peer of the connection.
	SourceCriterion *sourcecriterion.Criterion `json:"sourceCriterion,omitempty"`
}

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() { c.Period, c.Burst = types.Duration(time.Second), 1 }

type handler struct {
	limit   limit
	source  func(*http.Request) sourcecriterion.Source
	buckets *buckets
	next    http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	switch {
	case c.Average < 0:
		return nil, errors.New("average must not be negative")
	case c.Period < 0:
		return nil, errors.New("period must not be negative")
	case c.Burst < 0:
		return nil, errors.New("burst must not be negative")
	}
	source, err := c.SourceCriterion.Resolver(sourcecriterion.Criterion{IPStrategy: &clientip.Strategy{}})
	if err != nil {
		return nil, fmt.Errorf("sourceCriterion: %w", err)
	}
	kept, _ := env.Keep(func() any { return newBuckets(most) }).(*buckets)
	if c.Average == 0 {
		return next, nil
	}
	period := time.Duration(c.Period)
	if period == 0 {
		period = time.Second
	}
	return &handler{limit: newLimit(c.Average, period, c.Burst), source: source, buckets: kept, next: next}, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	source := h.source(r)
	wait, ok := h.buckets.take(source, h.limit)
	record.From(r.Context()).SetLimit(ok)
	if !ok {
		w.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(wait.Seconds())), 10))
		w.Header().Set("X-Retry-In", wait.String())
		middlewares.Refuse(w, r, http.StatusTooManyRequests, "rateLimit: the source of the request has sent too many")
		return
	}
	if wait > 0 && !sleep(r.Context(), wait) {
		h.buckets.giveBack(source, h.limit)
		middlewares.Refuse(w, r, answer.StatusClientClosedRequest, "rateLimit: the client went away while its request was held")
		return
	}
	h.next.ServeHTTP(w, r)
}

// sleep waits, and tells whether somebody is still interested in what comes then.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
