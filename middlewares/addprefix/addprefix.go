// Package addprefix puts a prefix in front of the path before the request is
// forwarded: a service that lives below /shop is reached without /shop in the
// address.
package addprefix

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"fairway/internal/urlpath"
	"fairway/middlewares"
)

// Config is the addPrefix middleware.
type Config struct {
	// Prefix is put in front of the path, as in "/shop". A missing slash at its
	// start is added. Required.
	Prefix string `json:"prefix,omitempty"`
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, _ middlewares.Env, next http.Handler) (http.Handler, error) {
	if c.Prefix == "" {
		return nil, errors.New("prefix is required")
	}
	prefix := (&url.URL{Path: c.Prefix}).EscapedPath()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r2, err := urlpath.Rewrite(r, prefix+r.URL.EscapedPath())
		if err != nil {
			middlewares.Refuse(w, r, http.StatusInternalServerError, "addPrefix: "+err.Error())
			return
		}
		next.ServeHTTP(w, r2)
	}), nil
}
