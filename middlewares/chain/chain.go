// Package chain gives a name to several middlewares, so that routers need to list
// only one.
package chain

import (
	"context"
	"errors"
	"net/http"

	"fairway/middlewares"
)

// Config is the chain middleware.
type Config struct {
	// Middlewares lists the names of middlewares in the order requests pass them. A
	// name without "@provider" belongs to the provider of this chain. A chain may
	// hold other chains, but not itself. Required.
	Middlewares []string `json:"middlewares,omitempty"`
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	if len(c.Middlewares) == 0 {
		return nil, errors.New("middlewares is required: a chain needs one middleware at least")
	}
	return env.Chain(c.Middlewares, next)
}
