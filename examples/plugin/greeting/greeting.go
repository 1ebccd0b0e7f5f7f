// Package greeting says hello in a header of responses.
package greeting

import (
	"context"
	"errors"
	"net/http"

	"fairway/internal/responsehead"
	"fairway/middlewares"
)

// Config is the greeting middleware.
type Config struct {
	// Text of the header X-Greeting. Required.
	Text string `json:"text,omitempty"`
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, _ middlewares.Env, next http.Handler) (http.Handler, error) {
	if c.Text == "" {
		return nil, errors.New("text: is required")
	}
	greet := responsehead.Edit(func(head responsehead.Head) { head.Set("X-Greeting", c.Text) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := responsehead.New(w, greet)
		next.ServeHTTP(out, r)
		out.Finish()
	}), nil
}
