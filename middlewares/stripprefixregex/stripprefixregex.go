// Package stripprefixregex removes the start of the path that an expression
// matches before the request is forwarded. The part removed is told to the service
// in X-Forwarded-Prefix.
package stripprefixregex

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"fairway/internal/requesthead"
	"fairway/internal/urlpath"
	"fairway/middlewares"
)

// Config is the stripPrefixRegex middleware.
type Config struct {
	// Regex lists the expressions (Go syntax) for the start of the path, as in
	// "/v[0-9]+". The first one in the list that matches at the start of the path is
	// used; a path that none matches is forwarded as it is. What remains always
	// begins with a slash. A request whose remaining path holds "." or ".." segments
	// is refused with 400. In a label the list splits at commas, so an expression
	// cannot hold one there.
	Regex []string `json:"regex,omitempty"`
}

type handler struct {
	expressions []*regexp.Regexp
	next        http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, _ middlewares.Env, next http.Handler) (http.Handler, error) {
	h := &handler{next: next}
	for _, s := range c.Regex {
		re, err := regexp.Compile(strings.TrimSpace(s))
		if err != nil {
			return nil, fmt.Errorf("regex: %w", err)
		}
		h.expressions = append(h.expressions, re)
	}
	return h, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, re := range h.expressions {
		if at := re.FindStringIndex(r.URL.Path); at != nil && at[0] == 0 && at[1] > 0 {
			h.strip(w, r, at[1])
			return
		}
	}
	h.next.ServeHTTP(w, r)
}

func (h *handler) strip(w http.ResponseWriter, r *http.Request, n int) {
	r2, err := urlpath.Rewrite(r, urlpath.Cut(r.URL, n))
	if err != nil || !urlpath.Clean(r2.URL) {
		middlewares.Refuse(w, r, http.StatusBadRequest, "stripPrefixRegex: the path is not clean without the prefix")
		return
	}
	defer requesthead.Add(r.Header, "X-Forwarded-Prefix", r.URL.Path[:n]).PutBack()
	h.next.ServeHTTP(w, r2)
}
