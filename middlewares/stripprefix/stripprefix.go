// Package stripprefix removes a prefix from the path before the request is
// forwarded, for services that do not know below which path they are published.
// The prefix removed is told to the service in X-Forwarded-Prefix.
package stripprefix

import (
	"context"
	"net/http"
	"strings"

	"fairway/internal/requesthead"
	"fairway/internal/urlpath"
	"fairway/middlewares"
)

// Config is the stripPrefix middleware.
type Config struct {
	// Prefixes lists the prefixes to remove, as in "/api". The first one in the list
	// that the path begins with is removed, even if a later one is longer; a path
	// that begins with none is forwarded as it is. What remains always begins with a
	// slash. A request whose remaining path holds "." or ".." segments is refused
	// with 400.
	Prefixes []string `json:"prefixes,omitempty"`
	// Deprecated: ForceSlash has no effect, the remaining path always begins with a
	// slash.
	ForceSlash bool `json:"forceSlash,omitempty" deprecated:"it has no effect"`
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, _ middlewares.Env, next http.Handler) (http.Handler, error) {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, prefix := range c.Prefixes {
			if prefix != "" && strings.HasPrefix(r.URL.Path, prefix) {
				strip(w, r, prefix, next)
				return
			}
		}
		next.ServeHTTP(w, r)
	}), nil
}

func strip(w http.ResponseWriter, r *http.Request, prefix string, next http.Handler) {
	r2, err := urlpath.Rewrite(r, urlpath.Cut(r.URL, len(prefix)))
	if err != nil || !urlpath.Clean(r2.URL) {
		middlewares.Refuse(w, r, http.StatusBadRequest, "stripPrefix: the path is not clean without the prefix")
		return
	}
	defer requesthead.Add(r.Header, "X-Forwarded-Prefix", prefix).PutBack()
	next.ServeHTTP(w, r2)
}
