// Package ratelimit lets so many requests of each source pass in a time, and refuses
// the others with 429 (Too Many Requests, RFC 6585, section 4).
//
// By tokenBucket, every source has a bucket of burst tokens, which fills again at the rate of
// average per period; a request takes one. A request that is early by no more than half the
// time a token takes, and by no more than half a second, is held until its token is
// there. By slidingWindow no period, whenever it begins, has more than average requests. A refusal
// says in Retry-After (RFC 9110, section 10.2.3) after how many seconds a try is worth while,
// and in X-Retry-In more exactly.
//
// The count belongs to the middleware: all routes that use it share it, and it is kept
// over reloads. Of each middleware 65536 sources are remembered; beyond that, those
// give way whose buckets are full again, or nearly so. With redis several gateways count
// together. What counts is in internal/limit.
package ratelimit

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/traefik/paerser/types"

	"fairway/internal/clientip"
	"fairway/internal/limit"
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
	// Burst is the number of requests that may come at once, with tokenBucket. Default 1.
	Burst int64 `json:"burst,omitempty"`
	// Algorithm is tokenBucket, or slidingWindow: no period, whenever it begins, has more than
	// average requests. What was used is there again after a period and up to a 32nd of it, and
	// nothing is held. Default: tokenBucket.
	Algorithm string `json:"algorithm,omitempty"`
	// SourceCriterion says which requests are counted together. Default: those from
	// one client, which is the peer of the connection.
	SourceCriterion *sourcecriterion.Criterion `json:"sourceCriterion,omitempty"`
	// Cost is what a request takes of the limit. Default: 1.
	Cost int64 `json:"cost,omitempty"`
	// CostHeader is a header of the response in which the service says what the request has
	// really cost, as 5 or 0: the difference is taken, or given back, when the head of the
	// response is there. It does not reach the client. What a service says comes too late for the
	// request itself; a source owes by it no more than another burst. Default: none.
	CostHeader string `json:"costHeader,omitempty"`
	// Headers tells clients about the limit in RateLimit-Policy and RateLimit
	// (draft-ietf-httpapi-ratelimit-headers-10), and those that ask for JSON which one a refusal is
	// about. Default: false.
	Headers bool `json:"headers,omitempty"`
	// LegacyHeaders tells clients in X-RateLimit-Limit, X-RateLimit-Remaining and
	// X-RateLimit-Reset, in seconds from now. Default: false.
	LegacyHeaders bool `json:"legacyHeaders,omitempty"`
	// DryRun lets everything pass, and counts. The log and the metrics say what would have been
	// refused. Default: false.
	DryRun bool `json:"dryRun,omitempty"`
	// Redis has several gateways count together. Default: none, this gateway counts by itself.
	Redis *limit.Redis `json:"redis,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() {
	var r limit.Rate
	r.SetDefaults()
	c.Period, c.Burst, c.Algorithm, c.Cost = r.Period, r.Burst, r.Algorithm, 1
}

// New implements middlewares.Config.
func (c *Config) New(ctx context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	rule, err := (&limit.Rate{Average: c.Average, Period: c.Period, Burst: c.Burst, Algorithm: c.Algorithm}).Rule()
	if err != nil {
		return nil, err
	}
	if err := limit.Costs(c.Cost, c.CostHeader, rule); err != nil {
		return nil, err
	}
	find := c.SourceCriterion.Resolver
	if c.Redis != nil {
		find = c.SourceCriterion.Lasting
	}
	source, err := find(sourcecriterion.Criterion{IPStrategy: &clientip.Strategy{}})
	if err != nil {
		return nil, fmt.Errorf("sourceCriterion: %w", err)
	}
	kept, _ := env.Keep(func() any { return limit.NewKept() }).(*limit.Kept)
	shared, err := kept.Open(ctx, c.Redis, env.Name, env.Log)
	if err != nil {
		return nil, err
	}
	costHeader := http.CanonicalHeaderKey(c.CostHeader)
	if rule == nil {
		return limit.Without(costHeader, next), nil
	}
	name, _, _ := strings.Cut(env.Name, "@")
	return &limit.Handler{
		What: "rateLimit", Rule: rule, Source: source, Table: kept.Table, Shared: shared, Next: next,
		Cost: c.Cost, CostHeader: costHeader, DryRun: c.DryRun, Exactly: true,
		Fields: limit.Fields{Standard: c.Headers, Legacy: c.LegacyHeaders, Name: name},
	}, nil
}
