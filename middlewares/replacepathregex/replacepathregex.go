// Package replacepathregex rewrites the path with an expression before the request
// is forwarded. The path the client asked for is told to the service in
// X-Replaced-Path.
package replacepathregex

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"fairway/internal/requesthead"
	"fairway/internal/urlpath"
	"fairway/middlewares"
)

// Config is the replacePathRegex middleware.
type Config struct {
	// Regex is an expression (Go syntax) that is looked for in the path as the client
	// wrote it, %-escapes included and without the query. A path it does not match is
	// forwarded as it is. Required.
	Regex string `json:"regex,omitempty"`
	// Replacement is put in place of every match. "$1" or "${1}" stands for the first
	// group, "${name}" for a named one; in a compose file every "$" is written twice.
	// The result may hold %-escapes. A result with "." or ".." segments is refused
	// with 400, one with a broken escape with 500.
	Replacement string `json:"replacement,omitempty"`
}

type handler struct {
	regex       *regexp.Regexp
	replacement string
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
	return &handler{regex: re, replacement: strings.TrimSpace(c.Replacement), next: next}, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	if !h.regex.MatchString(path) {
		h.next.ServeHTTP(w, r)
		return
	}
	r2, err := urlpath.Rewrite(r, h.regex.ReplaceAllString(path, h.replacement))
	if err != nil {
		middlewares.Refuse(w, r, http.StatusInternalServerError, "replacePathRegex: "+err.Error())
		return
	}
	if !urlpath.Clean(r2.URL) {
		middlewares.Refuse(w, r, http.StatusBadRequest, "replacePathRegex: the replaced path is not clean")
		return
	}
	defer requesthead.Add(r.Header, "X-Replaced-Path", path).PutBack()
	h.next.ServeHTTP(w, r2)
}
