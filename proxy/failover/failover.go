// Package failover is the service that goes to another service when the one that it
// stands for cannot answer.
package failover

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"fairway/internal/answer"
	"fairway/internal/attempt"
	"fairway/internal/record"
	"fairway/internal/statuses"
	"fairway/proxy"
)

// Config of a failover service.
type Config struct {
	// Service is the name of the service that answers as long as it can.
	Service string `json:"service,omitempty"`
	// Fallback is the name of the one that does instead, while all servers of the other
	// are out of use.
	Fallback string `json:"fallback,omitempty"`
	// HealthCheck changes nothing: whether the services have a server that is well is
	// always looked at. In Traefik it has to be asked for.
	HealthCheck *proxy.PartsHealth `json:"healthCheck,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// Errors sends single requests to the fallback, by the status that they were answered
	// with.
	Errors *Errors `json:"errors,omitempty"`
}

// Errors sends single requests to the fallback. Their bodies are kept in memory.
type Errors struct {
	// Status lists the statuses, and ranges of them, after which the fallback is asked, as
	// in 500-599.
	Status []string `json:"status,omitempty"`
	// MaxRequestBodyBytes is the longest body that a request may have, in bytes; a longer
	// one is answered 413. -1 is any, and makes the memory that a client can use without
	// bounds. Default: 2097152.
	MaxRequestBodyBytes int64 `json:"maxRequestBodyBytes,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (e *Errors) SetDefaults() { e.MaxRequestBodyBytes = 2 << 20 }

// New implements proxy.Config.
func (c *Config) New(_ context.Context, env proxy.Env) (proxy.Service, error) {
	switch {
	case c.Service == "":
		return nil, errors.New("it has no service")
	case c.Fallback == "":
		return nil, errors.New("it has no fallback")
	}
	s := &service{}
	// Either can do without the other: a container may be stopped.
	main, err := env.Service(c.Service)
	fallback, other := env.Service(c.Fallback)
	switch {
	case err != nil && other != nil:
		return nil, err
	case err != nil:
		env.Warn(fmt.Errorf("it goes on with its fallback alone: %w", err))
		main = fallback
	case other != nil:
		env.Warn(fmt.Errorf("it goes on without its fallback: %w", other))
		fallback = main
	}
	s.main, s.fallback = main, fallback
	if c.Errors == nil || main == fallback {
		return s, nil
	}
	set, err := statuses.Parse(c.Errors.Status)
	if err != nil {
		return nil, fmt.Errorf("errors.%w", err)
	}
	if len(c.Errors.Status) == 0 {
		return nil, errors.New("errors: there is no status")
	}
	if c.Errors.MaxRequestBodyBytes < -1 {
		return nil, fmt.Errorf("errors.maxRequestBodyBytes: %d is below -1", c.Errors.MaxRequestBodyBytes)
	}
	s.bad, s.limit = set, c.Errors.MaxRequestBodyBytes
	return s, nil
}

// service is a failover service at work.
type service struct {
	main, fallback proxy.Child
	bad            *statuses.Set // nil: none
	limit          int64
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case !s.main.Up() && !s.fallback.Up():
		proxy.NoServer(w, r, "no available server: neither of the services has one")
	case !s.main.Up():
		s.fallback.ServeHTTP(w, r)
	case s.bad == nil || !s.fallback.Up():
		s.main.ServeHTTP(w, r)
	default:
		s.try(w, r)
	}
}

// try asks the fallback when the answer of the service is not good.
func (s *service) try(w http.ResponseWriter, r *http.Request) {
	body, err := attempt.ReadBody(r, s.limit)
	switch {
	case errors.Is(err, attempt.ErrTooLong):
		answer.Refuse(w, r, http.StatusRequestEntityTooLarge, "the body is longer than errors.maxRequestBodyBytes allows")
		return
	case err != nil:
		answer.Refuse(w, r, http.StatusBadRequest, "read the request's body: "+err.Error())
		return
	}
	rec := record.From(r.Context())
	if rec == nil { // nothing would tell an answer of the gateway's from a server's
		rec = &record.Record{}
		r = r.WithContext(record.With(r.Context(), rec))
	}
	before := rec.Outcome
	if s.failed(w, body.Request(r), rec) {
		rec.Outcome = before // the request has not failed yet
		s.fallback.ServeHTTP(w, body.Request(r))
	}
}

// failed asks the service, and tells whether its answer was held up.
func (s *service) failed(w http.ResponseWriter, r *http.Request, rec *record.Record) (failed bool) {
	held := attempt.New(w, attempt.Func(func(status int) bool {
		if rec.Cause != "" && rec.Status != 0 { // the gateway's own: calls by gRPC have status 200, the true one is here
			status = rec.Status
		}
		return s.bad.Has(status)
	}))
	defer func() {
		reason := recover()
		_, failed = held.Refused()
		if reason != nil && (!failed || reason != http.ErrAbortHandler) { //nolint:errorlint // a panic value, compared as net/http does
			panic(reason)
		}
	}()
	s.main.ServeHTTP(held, r)
	held.Finish()
	return false // see above
}

// Servers implements proxy.Service: they are those of the services.
func (s *service) Servers() []proxy.ServerStatus { return nil }

// Up implements proxy.Child.
func (s *service) Up() bool { return s.main.Up() || s.fallback.Up() }
