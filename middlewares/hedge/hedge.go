// Package hedge asks a second server when the first one takes unusually long, and gives the client
// the answer that comes first ("The Tail at Scale", Dean and Barroso, 2013). It helps where single
// requests are slow now and then; a service that is slow as a whole only gets more to do, and so
// there is a budget.
//
// Hedged are requests that may be served twice without harm (RFC 9110, section 9.2.2), have no body
// and do not change the protocol, nor log in by NTLM or Negotiate: that is for one connection to a
// server, and services that want it are better left without. The answer that begins first is taken, unless it has one of the
// statuses from 500 on while another attempt is still under way; the others are given up at once.
package hedge

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/traefik/paerser/types"

	"fairway/internal/record"
	"fairway/middlewares"
)

// Config is the hedge middleware.
type Config struct {
	// Delay is how long to wait for an answer before another attempt is made. Default 0s: as long
	// as quantile of the last answers took to begin, by service.
	Delay types.Duration `json:"delay,omitempty"`
	// Quantile of the last answers, in percent, that delay is taken from if it is not given. As
	// long as fewer than 100 are known, nothing is hedged. Default 95.
	Quantile float64 `json:"quantile,omitempty"`
	// MinDelay is the shortest wait that quantile may lead to. Default 5ms.
	MinDelay types.Duration `json:"minDelay,omitempty"`
	// Attempts is how many there are at most of one request, the first one included. Default 2.
	Attempts int `json:"attempts,omitempty"`
	// Budget is how many further attempts there may be in percent of the requests. Default 10.
	Budget float64 `json:"budget,omitempty"`
}

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() {
	c.Quantile, c.MinDelay, c.Attempts, c.Budget = 95, types.Duration(5*time.Millisecond), 2, 10
}

type handler struct {
	delay, least time.Duration
	quantile     float64
	attempts     int
	budget       float64
	memory       *memory
	log          logrus.FieldLogger
	next         http.Handler
}

// mostAttempts bounds what one request can cost.
const mostAttempts = 5

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	switch {
	case c.Delay < 0:
		return nil, errors.New("delay must not be negative")
	case !(c.Quantile > 0 && c.Quantile < 100):
		return nil, errors.New("quantile is not between 0 and 100")
	case c.MinDelay < 0:
		return nil, errors.New("minDelay must not be negative")
	case c.Attempts < 2 || c.Attempts > mostAttempts:
		return nil, errors.New("attempts is not from 2 to 5")
	case !(c.Budget > 0 && c.Budget <= 100):
		return nil, errors.New("budget is not above 0 and up to 100")
	}
	kept, _ := env.Keep(func() any { return newMemory() }).(*memory)
	return &handler{
		delay: time.Duration(c.Delay), least: time.Duration(c.MinDelay), quantile: c.Quantile / 100,
		attempts: c.Attempts, budget: c.Budget / 100, memory: kept, log: env.Log, next: next,
	}, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !hedgeable(r) {
		h.next.ServeHTTP(w, r)
		return
	}
	h.memory.earn(h.budget)
	service := ""
	rec := record.From(r.Context())
	if rec != nil {
		service = rec.Service
	}
	times := h.memory.of(service)
	delay := h.delay
	if delay == 0 {
		delay = max(times.quantile(h.quantile), h.least)
	}
	a := &race{handler: h, w: w, r: r, rec: rec, times: times, began: time.Now()}
	a.run(delay, h.delay > 0 || times.known())
}

// hedgeable tells whether a request may be served twice.
func hedgeable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
	default:
		return false
	}
	return (r.Body == nil || r.Body == http.NoBody) && len(r.Header["Upgrade"]) == 0 && !slices.ContainsFunc(r.Header["Authorization"], byConnection)
}

// byConnection tells of credentials that are for a connection (RFC 4559, section 4): another one
// would not know what was said on it before.
func byConnection(credentials string) bool {
	scheme, _, _ := strings.Cut(credentials, " ")
	return strings.EqualFold(scheme, "NTLM") || strings.EqualFold(scheme, "Negotiate")
}
