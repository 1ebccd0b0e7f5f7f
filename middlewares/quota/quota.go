// Package quota lets so many requests of each source pass in an hour, day, week or month, and
// refuses the others with 429 (Too Many Requests, RFC 6585, section 4). Retry-After says when
// there are some again.
//
// The count belongs to the middleware: all routes that use it share it, and it is kept over
// reloads. With redis it is that of all gateways, and with file it is there again after a restart. Of
// each middleware 65536 sources are remembered; beyond that, those give way that have had little.
// What counts is in internal/limit.
package quota

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"fairway/internal/clientip"
	"fairway/internal/limit"
	"fairway/internal/sourcecriterion"
	"fairway/middlewares"
)

// Config is the quota middleware.
type Config struct {
	// Amount is the number of requests that a source has in a period. Required.
	Amount int64 `json:"amount,omitempty"`
	// Per is the period: hour, day, week or month. Weeks begin on Monday. Required.
	Per string `json:"per,omitempty"`
	// Rolling has no period, whenever it begins, have more than amount requests; a month is 30
	// days then. What was used is there again after a period and up to a 32nd of it. Else periods
	// are those of the calendar. Default: false.
	Rolling bool `json:"rolling,omitempty"`
	// TimeZone is where the calendar is from, as Europe/Berlin. Default: UTC.
	TimeZone string `json:"timeZone,omitempty"`
	// SourceCriterion says which requests are counted together. Default: those from
	// one client, which is the peer of the connection.
	SourceCriterion *sourcecriterion.Criterion `json:"sourceCriterion,omitempty"`
	// Cost is what a request takes of the quota. Default: 1.
	Cost int64 `json:"cost,omitempty"`
	// CostHeader is a header of the response in which the service says what the request has
	// really cost, as 5 or 0: the difference is taken, or given back, when the head of the
	// response is there. It does not reach the client. Default: none.
	CostHeader string `json:"costHeader,omitempty"`
	// Headers tells clients about the quota in RateLimit-Policy and RateLimit
	// (draft-ietf-httpapi-ratelimit-headers-10), and those that ask for JSON which one a refusal is
	// about. Default: false.
	Headers bool `json:"headers,omitempty"`
	// LegacyHeaders tells clients in X-RateLimit-Limit, X-RateLimit-Remaining and
	// X-RateLimit-Reset, in seconds from now. Default: false.
	LegacyHeaders bool `json:"legacyHeaders,omitempty"`
	// DryRun lets everything pass, and counts. The log and the metrics say what would have been
	// refused. Default: false.
	DryRun bool `json:"dryRun,omitempty"`
	// File is the path of a file that keeps the count over restarts, of this middleware alone. It is
	// written every 5 seconds, as a whole, and when the gateway stops; a crash loses what was counted
	// since. Default: none.
	File string `json:"file,omitempty"`
	// Redis keeps the count, for several gateways. Default: none.
	Redis *limit.Redis `json:"redis,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() { c.Cost = 1 }

// New implements middlewares.Config.
func (c *Config) New(ctx context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	rule, err := (&limit.Quota{Amount: c.Amount, Per: c.Per, Rolling: c.Rolling, TimeZone: c.TimeZone}).Rule()
	if err != nil {
		return nil, err
	}
	if err := limit.Costs(c.Cost, c.CostHeader, rule); err != nil {
		return nil, err
	}
	if c.File != "" && c.Redis != nil {
		return nil, errors.New("only one of file and redis can be given")
	}
	source, err := c.SourceCriterion.Lasting(sourcecriterion.Criterion{IPStrategy: &clientip.Strategy{}})
	if err != nil {
		return nil, fmt.Errorf("sourceCriterion: %w", err)
	}
	kept, _ := env.Keep(func() any { return limit.NewKept() }).(*limit.Kept)
	shared, err := kept.Open(ctx, c.Redis, env.Name, env.Log)
	if err != nil {
		return nil, err
	}
	file, err := kept.OpenFile(c.File, env.Log)
	if err != nil {
		return nil, err
	}
	if file != nil {
		env.Start(file.Keep)
	}
	name, _, _ := strings.Cut(env.Name, "@")
	return &limit.Handler{
		What: "quota", Rule: rule, Source: source, Table: kept.Table, Shared: shared, File: file, Next: next,
		Cost: c.Cost, CostHeader: http.CanonicalHeaderKey(c.CostHeader), DryRun: c.DryRun,
		Fields: limit.Fields{Standard: c.Headers, Legacy: c.LegacyHeaders, Name: name},
	}, nil
}
