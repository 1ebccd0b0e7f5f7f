// Package errors puts pages in the place of responses that tell of errors. A page
// comes from a service, the status stays as it was.
//
// snapshot.go keeps the request as it came. catcher.go stands between the service and the
// client and decides by the status of the response; page.go gets the page, by the path
// that query.go makes.
package errors

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"fairway/internal/headername"
	"fairway/middlewares"
)

// Config is the errors middleware.
type Config struct {
	// Status lists the statuses that get a page, as numbers and ranges: "404",
	// "500-599". Required.
	Status []string `json:"status,omitempty"`
	// StatusRewrites are statuses, as numbers and ranges, that the client gets as
	// another, as in "500-599": 500. They count for responses that get a page.
	StatusRewrites map[string]int `json:"statusRewrites,omitempty"`
	// Service is the name of the service that has the pages. Required.
	Service string `json:"service,omitempty"`
	// Query is the path, with its query, of the page there. {status} stands for the
	// status that the client gets, {originalStatus} for that of the service, and {url}
	// for the path and query of the request, escaped, as in
	// "/{status}.html?from={url}". Default "/".
	Query string `json:"query,omitempty"`
	// ErrorRequestHeaders lists the headers of the request that the service of the pages
	// gets. Unset, the default: all but those about a body, a range or a condition. An
	// empty list: none.
	ErrorRequestHeaders *[]string `json:"errorRequestHeaders,omitempty"`
}

type handler struct {
	name      string // of the service that has the pages
	page      http.Handler
	status    ranges
	rewrites  map[span]int
	query     query
	headers   []string
	yields    bool // to the page of another errors middleware
	next      http.Handler
	snapshots sync.Pool // of *snapshot
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	if len(c.Status) == 0 {
		return nil, errors.New("status is required")
	}
	if c.Service == "" {
		return nil, errors.New("service is required")
	}
	h := &handler{name: c.Service, rewrites: map[span]int{}, yields: env.InFront, next: next}
	var err error
	if h.query, err = newQuery(c.Query); err != nil {
		return nil, err
	}
	for _, text := range c.Status {
		s, err := parseSpan(text)
		if err != nil {
			return nil, fmt.Errorf("status: %w", err)
		}
		h.status = append(h.status, s)
	}
	for text, status := range c.StatusRewrites {
		s, err := parseSpan(text)
		if err != nil {
			return nil, fmt.Errorf("statusRewrites: %w", err)
		}
		if !final(status) {
			return nil, fmt.Errorf("statusRewrites: %d is not a status to answer with", status)
		}
		h.rewrites[s] = status
	}
	if c.ErrorRequestHeaders != nil {
		h.headers = []string{}
		for _, name := range *c.ErrorRequestHeaders {
			if !headername.Valid(name) {
				return nil, fmt.Errorf("errorRequestHeaders: %q is no name of a header", name)
			}
			h.headers = append(h.headers, http.CanonicalHeaderKey(name))
		}
	}
	if h.page, err = env.Service(c.Service); err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	return h, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	came := h.keep(r)
	defer h.forget(came)
	c := &catcher{inner: w, handler: h, request: &came.request, before: w.Header().Clone()}
	defer func() {
		reason := recover()
		if c.caught && (reason == nil || reason == http.ErrAbortHandler) { //nolint:errorlint // a panic value, compared as net/http does
			// What was cut off is a response that nobody sees: the client has the page.
			if reason = nil; c.broken {
				reason = http.ErrAbortHandler
			}
		}
		if reason != nil {
			panic(reason)
		}
	}()
	h.next.ServeHTTP(c, r)
	c.begin()
}

// rewritten is the status that the client gets for one of a service. Of several
// ranges the narrowest counts.
func (h *handler) rewritten(status int) int {
	best, result := span{0, 1000}, status
	for s, to := range h.rewrites {
		if s.has(status) && (s.last-s.first < best.last-best.first || s.last-s.first == best.last-best.first && s.first < best.first) {
			best, result = s, to
		}
	}
	return result
}

// span are statuses from the first to the last.
type span struct{ first, last int }

func (s span) has(status int) bool { return s.first <= status && status <= s.last }

type ranges []span

func (rs ranges) have(status int) bool {
	for _, s := range rs {
		if s.has(status) {
			return true
		}
	}
	return false
}

func final(status int) bool { return 200 <= status && status <= 599 }

func parseSpan(text string) (span, error) {
	from, to, isRange := strings.Cut(strings.TrimSpace(text), "-")
	if !isRange {
		to = from
	}
	first, err1 := strconv.Atoi(strings.TrimSpace(from))
	last, err2 := strconv.Atoi(strings.TrimSpace(to))
	if err1 != nil || err2 != nil || first > last || !final(first) || !final(last) {
		return span{}, fmt.Errorf(`%q is neither a status nor a range of them, as in "500-599"`, text)
	}
	return span{first, last}, nil
}
