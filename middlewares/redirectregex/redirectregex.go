// Package redirectregex sends clients to an address made from the one they asked
// for with an expression.
package redirectregex

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"fairway/internal/redirect"
	"fairway/middlewares"
)

// Config is the redirectRegex middleware.
type Config struct {
	// Regex is an expression (Go syntax) that is looked for in the whole address,
	// "scheme://host[:port]/path?query". The scheme is that of the connection to this
	// gateway. A request it does not match is forwarded. Required.
	Regex string `json:"regex,omitempty"`
	// Replacement is put in place of every match and gives the new address. "$1" or
	// "${1}" stands for the first group, "${name}" for a named one; in a compose file
	// every "$" is written twice. A request whose address does not change is
	// forwarded.
	Replacement string `json:"replacement,omitempty"`
	// Permanent lets clients remember the redirection: 301 for GET and 308 for other
	// methods, instead of 302 and 307. Default false.
	Permanent bool `json:"permanent,omitempty"`
}

type handler struct {
	regex       *regexp.Regexp
	replacement string
	permanent   bool
	next        http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, _ middlewares.Env, next http.Handler) (http.Handler, error) {
	if strings.TrimSpace(c.Regex) == "" {
		return nil, errors.New("regex is required")
	}
	re, err := regexp.Compile(strings.TrimSpace(c.Regex))
	if err != nil {
		return nil, fmt.Errorf("regex: %w", err)
	}
	return &handler{
		regex:       re,
		replacement: strings.TrimSpace(c.Replacement),
		permanent:   c.Permanent,
		next:        next,
	}, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked := address(r)
	if !h.regex.MatchString(asked) {
		h.next.ServeHTTP(w, r)
		return
	}
	location := h.regex.ReplaceAllString(asked, h.replacement)
	if location == asked {
		h.next.ServeHTTP(w, r)
		return
	}
	u, err := url.Parse(location)
	if err != nil {
		middlewares.Refuse(w, r, http.StatusInternalServerError, "redirectRegex: the replacement gives no valid address")
		return
	}
	w.Header().Set("Location", u.String())
	middlewares.Refuse(w, r, redirect.Status(r.Method, h.permanent), "redirectRegex: redirected")
}

func address(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + r.URL.RequestURI()
}
