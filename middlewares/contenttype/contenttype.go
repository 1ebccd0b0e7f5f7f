// Package contenttype finds out the type of responses whose service names none, by
// the first bytes of their body.
package contenttype

import (
	"context"
	"net/http"

	"fairway/internal/responsehead"
	"fairway/middlewares"
)

// Config is the contentType middleware. To have it is enough: without it a response
// without Content-Type stays so.
type Config struct {
	// Deprecated: AutoDetect has no effect, to have the middleware is enough.
	AutoDetect *bool `json:"autoDetect,omitempty" deprecated:"it has no effect, to have the middleware is enough"`
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, _ middlewares.Env, next http.Handler) (http.Handler, error) {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rw := responsehead.New(w, detector{})
		next.ServeHTTP(rw, r)
		rw.Finish()
	}), nil
}

type detector struct{}

// EditHead lets the HTTP engine look at the body, which it does where the field is not
// there at all (WHATWG MIME Sniffing, as http.DetectContentType has it).
func (detector) EditHead(h responsehead.Head) {
	if values, there := h.Header["Content-Type"]; there && len(values) == 0 {
		delete(h.Header, "Content-Type")
	}
}

// InParts implements responsehead.Picky.
func (detector) InParts(r responsehead.Received) bool { return r.Get("Content-Type") == "" }
