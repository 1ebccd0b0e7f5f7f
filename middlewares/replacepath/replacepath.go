// Package replacepath replaces the whole path before the request is forwarded. The
// path the client asked for is told to the service in X-Replaced-Path.
package replacepath

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"fairway/internal/requesthead"
	"fairway/internal/urlpath"
	"fairway/middlewares"
)

// Config is the replacePath middleware.
type Config struct {
	// Path is the new path, as in "/health". It may hold %-escapes, and a missing
	// slash at its start is added; empty is "/". The query of the request is kept.
	Path string `json:"path,omitempty"`
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, _ middlewares.Env, next http.Handler) (http.Handler, error) {
	if _, err := url.PathUnescape(c.Path); err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r2, err := urlpath.Rewrite(r, c.Path)
		if err != nil {
			middlewares.Refuse(w, r, http.StatusInternalServerError, "replacePath: "+err.Error())
			return
		}
		defer requesthead.Add(r.Header, "X-Replaced-Path", r.URL.EscapedPath()).PutBack()
		next.ServeHTTP(w, r2)
	}), nil
}
