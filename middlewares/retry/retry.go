// Package retry sends a request again when it has failed: when no server could be
// connected to, when one broke off without an answer, or when the answer has one of
// the statuses listed.
//
// Nothing is tried again once the response has begun. A request whose method is not
// idempotent (RFC 9110, section 9.2.2), as POST, is sent again only if no server has
// been given any of it. That a service tries its other servers, when it cannot connect
// to one, needs no retry; each attempt here chooses among all servers anew.
//
// Retries are load, and it comes when servers have trouble. So there is a budget for
// them, which belongs to the middleware: all routes that use it share it.
package retry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/statuses"
	"fairway/middlewares"
)

const (
	defaultMaxBody = 2 << 20
	defaultBudget  = 20
)

// Config is the retry middleware.
type Config struct {
	// Attempts is how many times a request may be sent, the first one included.
	// Required.
	Attempts int `json:"attempts,omitempty"`
	// InitialInterval is the time to wait before the second attempt. Before each of
	// the others it is twice that. Up to half of it is left off at random, so that
	// requests that failed together do not come back together. Default 0: no waiting.
	InitialInterval types.Duration `json:"initialInterval,omitempty"`
	// Timeout is the time, from the first attempt on, after which no other is begun.
	// Default 0: no such time.
	Timeout types.Duration `json:"timeout,omitempty"`
	// MaxRequestBodyBytes is how much of a request's body is kept to be sent again. A
	// request of which more has been read is not tried again. Default 2097152 (2 MiB);
	// negative: no bound.
	MaxRequestBodyBytes int64 `json:"maxRequestBodyBytes,omitempty"`
	// Status lists the statuses of answers after which a request is tried again, as
	// numbers and ranges: "503", "500-599". Default: none.
	Status []string `json:"status,omitempty"`
	// DisableRetryOnNetworkError leaves only the statuses to try again for.
	DisableRetryOnNetworkError bool `json:"disableRetryOnNetworkError,omitempty"`
	// RetryNonIdempotentMethod treats requests like POST and PATCH as all others. A
	// server may then do twice what was asked for once.
	RetryNonIdempotentMethod bool `json:"retryNonIdempotentMethod,omitempty"`
	// Budget is how many retries there may be in percent of the requests. On top of
	// it, 10 a second are always allowed. Default 20; negative: no bound.
	Budget int `json:"budget,omitempty"`
}

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() {
	c.MaxRequestBodyBytes, c.Budget = defaultMaxBody, defaultBudget
}

type handler struct {
	attempts      int
	interval      time.Duration
	timeout       time.Duration
	maxBody       int64
	status        *statuses.Set
	network       bool
	nonIdempotent bool
	percent       int
	budget        *budget
	next          http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	switch {
	case c.Attempts < 1:
		return nil, errors.New("attempts is required, and at least 1")
	case c.InitialInterval < 0:
		return nil, errors.New("initialInterval must not be negative")
	case c.Timeout < 0:
		return nil, errors.New("timeout must not be negative")
	case c.DisableRetryOnNetworkError && len(c.Status) == 0:
		return nil, errors.New("disableRetryOnNetworkError without status leaves nothing to try again for")
	}
	status, err := statuses.Parse(c.Status)
	if err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	kept, _ := env.Keep(func() any { return newBudget() }).(*budget)
	if c.Attempts == 1 {
		return next, nil
	}
	return &handler{
		attempts: c.Attempts, interval: time.Duration(c.InitialInterval), timeout: time.Duration(c.Timeout),
		maxBody: c.MaxRequestBodyBytes, status: status, network: !c.DisableRetryOnNetworkError,
		nonIdempotent: c.RetryNonIdempotentMethod, percent: c.Budget, budget: kept, next: next,
	}, nil
}
