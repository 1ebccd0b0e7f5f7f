// Package plan applies the plan that a consumer has booked: how fast its requests may come, and
// how many of them in a time. What is too much is refused with 429 (Too Many Requests, RFC
// 6585, section 4), and Retry-After says when there is more again.
//
// Plans are http.plans of the configuration, and consumers name them by their option plan. A plan that
// changes is in force at once, and what was counted stays. The counts belong to the middleware:
// all routes that use it share them, and they are kept over reloads. A middleware in front has to
// find out who the consumer is.
package plan

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"fairway/internal/limit"
	"fairway/internal/plans"
	"fairway/internal/record"
	"fairway/internal/sourcecriterion"
	"fairway/middlewares"
)

// Config is the plan middleware.
type Config struct {
	// Default is the plan of who has none: of consumers without one, and of everybody else.
	// Default: none, which is refused with 403.
	Default string `json:"default,omitempty"`
	// SourceCriterion says which requests are counted together. Default: those of one consumer;
	// who is none counts by the name of the user, and all others together.
	SourceCriterion *sourcecriterion.Criterion `json:"sourceCriterion,omitempty"`
	// Headers tells clients about the limits in RateLimit-Policy and RateLimit
	// (draft-ietf-httpapi-ratelimit-headers-10), and those that ask for JSON which one a refusal is
	// about. Default: false.
	Headers bool `json:"headers,omitempty"`
	// LegacyHeaders tells clients in X-RateLimit-Limit, X-RateLimit-Remaining and
	// X-RateLimit-Reset, in seconds from now. Default: false.
	LegacyHeaders bool `json:"legacyHeaders,omitempty"`
	// CostHeader is a header of the response in which the service says what the request has
	// really cost, as 5 or 0. It does not reach the client. Default: none.
	CostHeader string `json:"costHeader,omitempty"`
	// DryRun lets everything pass, and counts. The log and the metrics say what would have been
	// refused. Default: false.
	DryRun bool `json:"dryRun,omitempty"`
	// File is the path of a file that keeps the counts of quotas over restarts, of this middleware
	// alone. Default: none.
	File string `json:"file,omitempty"`
	// Redis keeps the counts, for several gateways. Default: none.
	Redis *limit.Redis `json:"redis,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// NamesPlans are the plans that it is about, with that provider where none is written.
func (c *Config) NamesPlans(provider string) []string {
	if c.Default == "" {
		return nil
	}
	return []string{qualified(c.Default, provider)}
}

type handler struct {
	config   *Config
	provider string
	live     *plans.Live
	source   func(*http.Request) limit.Source
	kept     *limit.Kept
	shared   *limit.Shared
	file     *limit.File
	next     http.Handler

	built atomic.Pointer[chains]
}

// chains are what requests pass, by plan, as long as the plans are the same.
type chains struct {
	of  *plans.Set
	all map[string]http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(ctx context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	if err := limit.Costs(1, c.CostHeader, nil); err != nil {
		return nil, err
	}
	if c.File != "" && c.Redis != nil {
		return nil, errors.New("only one of file and redis can be given")
	}
	source, err := c.SourceCriterion.Lasting(sourcecriterion.Criterion{Consumer: true})
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
	_, provider, _ := strings.Cut(env.Name, "@")
	return &handler{config: c, provider: provider, live: env.Plans, source: source, kept: kept, shared: shared, file: file, next: next}, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := ""
	if who := record.IdentityOf(r); who != nil && who.Consumer != nil && who.Consumer.Plan != "" {
		name = qualified(who.Consumer.Plan, providerOf(who.Consumer.Name))
	} else if h.config.Default != "" {
		name = qualified(h.config.Default, h.provider)
	}
	if to := h.of(name); to != nil {
		to.ServeHTTP(w, r)
		return
	}
	if h.config.DryRun {
		limit.Without(http.CanonicalHeaderKey(h.config.CostHeader), h.next).ServeHTTP(w, r)
		return
	}
	cause := "plan: the client has none, and there is none by default"
	if name != "" {
		cause = fmt.Sprintf("plan: there is no plan %q", name)
	}
	record.From(r.Context()).SetLimit(false)
	middlewares.Refuse(w, r, http.StatusForbidden, cause)
}

// of is what the requests of a plan pass; nil: there is no such plan.
func (h *handler) of(name string) http.Handler {
	if name == "" {
		return nil
	}
	now := h.live.Now()
	c := h.built.Load()
	if c == nil || c.of != now {
		c = &chains{of: now, all: map[string]http.Handler{}}
		now.Each(func(p *plans.Plan) { c.all[p.Name] = h.chain(p) })
		h.built.Store(c)
	}
	return c.all[name]
}

// chain has the rate in front: what is refused by it takes nothing of the quota.
func (h *handler) chain(p *plans.Plan) http.Handler {
	next := h.next
	if p.Quota == nil && p.Rate == nil {
		return limit.Without(http.CanonicalHeaderKey(h.config.CostHeader), next)
	}
	for _, one := range []struct {
		kind string
		rule *limit.Rule
	}{{"quota", p.Quota}, {"rateLimit", p.Rate}} {
		if one.rule == nil {
			continue
		}
		name, _, _ := strings.Cut(p.Name, "@")
		source := h.source
		if one.kind == "rateLimit" {
			source = apart(source)
		}
		next = &limit.Handler{
			What: "plan " + p.Name + ": " + one.kind, Rule: one.rule, Source: source, Table: h.kept.Table, Shared: h.shared, File: h.file, Next: next,
			CostHeader: http.CanonicalHeaderKey(h.config.CostHeader), DryRun: h.config.DryRun,
			Exactly: one.kind == "rateLimit", Inner: one.kind == "quota" && p.Rate != nil,
			Fields: limit.Fields{Standard: h.config.Headers, Legacy: h.config.LegacyHeaders, Name: name + "-" + one.kind},
		}
	}
	return next
}

// apart is who is counted by a rate: not together with what the same source has had of its quota,
// which is kept in the same place.
func apart(source func(*http.Request) limit.Source) func(*http.Request) limit.Source {
	return func(r *http.Request) limit.Source {
		s := source(r)
		s[0] = ^s[0] // of addresses that is none; of hashes any
		return s
	}
}

func qualified(name, provider string) string {
	if strings.Contains(name, "@") {
		return name
	}
	return name + "@" + provider
}

func providerOf(name string) string { return name[strings.LastIndexByte(name, '@')+1:] }
