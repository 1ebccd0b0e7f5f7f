// Package middlewares is the contract between the router and the HTTP
// middlewares: each folder below holds one middleware, whose Config is both
// what an operator writes in a label or file and the constructor of the handler.
package middlewares

import (
	"context"
	"net/http"

	"github.com/sirupsen/logrus"

	"fairway/internal/consumers"
	"fairway/internal/plans"
	"fairway/internal/sharing"
)

// Config is one configured middleware. New builds its handler in front of next.
//
// New neither blocks nor dials: `fairway check` calls it. ctx ends when this
// instance is retired, so background goroutines hang on it and there is no Close.
// An error disables every router that uses the middleware, and is shown to the
// operator as it is: it says what is wrong with which option.
//
// A handler finds the request as it was when the next one has returned. In between, the
// header map may be edited in its place: who has a request served twice at the same time
// gives each one a map of its own.
type Config interface {
	New(ctx context.Context, env Env, next http.Handler) (http.Handler, error)
}

// Env is what a middleware may ask of the gateway.
type Env struct {
	// Name is the qualified name of this instance, as in "strip@docker".
	Name string
	// Serves is the qualified name of the service at the end of the chain; empty: there is none.
	Serves string
	// Log carries the name of the middleware as a field.
	Log logrus.FieldLogger
	// Service returns the handler of a service, for middlewares that call one.
	Service func(name string) (http.Handler, error)
	// Chain puts the named middlewares in front of next, in the order given.
	// Unqualified names belong to the provider of this instance.
	Chain func(names []string, next http.Handler) (http.Handler, error)
	// Keep returns what all instances of this middleware share, over the routes that
	// use it and over reloads: what fresh has made the first time. It is there as long
	// as a middleware of this name and type is, so it has no part in ctx, and may have
	// been made for other options. If it is a Decider, Dependent, Scripted, Circuits or a Cache, the
	// metrics show that, and if it is Troubled, the dashboard shows what is wrong.
	Keep func(fresh func() any) any
	// Consumers are those that the gateway knows, at any time: who asks while a request is
	// served gets those in force then.
	Consumers *consumers.Live
	// Plans are those of the configuration, at any time.
	Plans *plans.Live
	// Start has run called, in a goroutine of its own, when the middleware comes into force;
	// it may dial and wait. ctx ends when the instance is retired. It is never called by
	// `fairway check`.
	Start func(run func(ctx context.Context))
	// Shared is what middlewares of different names have in common, by a name that they give;
	// nil: nothing is.
	Shared *sharing.ByOptions[any]
	// InFront tells that it stands in front of all routes: what they have done
	// themselves comes first.
	InFront bool
}

// Decider lets requests pass, or refuses them for there are too many, and counts both.
type Decider interface {
	Decisions() (passed, refused uint64)
}

// Troubled works, but not as it should: what it depends on is away, or its script fails.
type Troubled interface {
	// Trouble says what is wrong at the moment; empty: nothing.
	Trouble() string
}

// Dependent decides by something that may be away.
type Dependent interface {
	// Missed counts the decisions that were made without it.
	Missed() uint64
}

// Scripted runs code that is not the gateway's.
type Scripted interface {
	// ScriptErrors counts how often that has failed.
	ScriptErrors() uint64
}

// Circuits are circuit breakers, one for each service.
type Circuits interface {
	// EachCircuit tells the state of each: closed, open or recovering.
	EachCircuit(tell func(service, state string))
}

// Cache answers requests from what it has stored.
type Cache interface {
	// EachAnswer tells how many requests were answered in which way, as hit or miss.
	EachAnswer(tell func(status string, n uint64))
	// Stored is what it has.
	Stored() (entries int, bytes int64)
}

// Violations are what was looked at, and what was not as it should be.
type Violations interface {
	// EachViolation tells it of each direction: request and response.
	EachViolation(tell func(direction string, checked, violated uint64))
}
