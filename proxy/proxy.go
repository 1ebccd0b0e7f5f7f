// Package proxy is the contract of services, the kinds of which live in the
// folders below, and the way a request is forwarded to a server.
package proxy

import (
	"context"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/http1"
)

// Config is one configured service. New builds it. It neither blocks nor dials.
//
// ctx ends when this instance is retired. An error puts the service out of use
// and is shown to the operator as it is.
type Config interface {
	New(ctx context.Context, env Env) (Service, error)
}

// Service answers requests, by itself or through servers.
type Service interface {
	http.Handler
	// Servers lists the servers behind it, for the API and the dashboard.
	Servers() []ServerStatus
}

// Child is a service as another service sees it. What stands behind it may change.
type Child interface {
	Service
	// Up tells whether a request has a server to go to, as far as is known.
	Up() bool
}

// ServerStatus is what is known of one server.
type ServerStatus struct {
	URL      string
	Up       bool // it gets requests
	Weight   int
	InFlight int    // requests under way
	Check    string // passed, failed or waiting, where there are active checks
	Reason   string // why it gets none, or what the last check said
}

// Env is what a service may ask of the gateway.
type Env struct {
	// Name is the qualified name of the service, as in "web@docker".
	Name string
	Log  logrus.FieldLogger
	// Forwarder sends requests to servers.
	Forwarder Forwarder
	// Transport returns the forwarder of a serversTransport. Names without a provider
	// belong to that of this service.
	Transport func(name string) (Forwarder, error)
	// Service returns another service, for services that are made of others. Names
	// without a provider belong to that of this service.
	Service func(name string) (Child, error)
	// Warn tells the operator of something that is wrong, without which the service goes
	// on.
	Warn func(reason error)
	// Previous is the instance that this one replaces, or nil. What is known of
	// its servers is taken over: a reload forgets nothing.
	Previous Service
}

// Forwarder sends requests to servers. The HTTP engine is behind it.
type Forwarder interface {
	// Forward sends r to target and its response to w. Its error is an *Error.
	Forward(w http.ResponseWriter, r *http.Request, target *Target, options Options) error
}

// Target is one server, with what is known of it over reloads.
type Target struct {
	URL          *url.URL
	PreservePath bool // the path of URL goes in front of the request's

	conns atomic.Pointer[http1.Upstream]
	users atomic.Int32
}

// Use keeps the connections of the target until ctx ends. They are closed when
// nobody uses them any more.
func (t *Target) Use(ctx context.Context) {
	t.users.Add(1)
	context.AfterFunc(ctx, func() {
		if t.users.Add(-1) == 0 {
			if u := t.conns.Load(); u != nil {
				u.Retire()
			}
		}
	})
}

// Options of forwarding that belong to the service.
type Options struct {
	PassHost bool // send the client's Host header
	// Answered is told of the status of the server's answer, before any of it is passed on.
	Answered      func(r *http.Request, status int)
	FlushInterval time.Duration // longest time a part of a response may be held back; no forwarder does
}

// Error tells why a request did not get its answer from a server.
type Error struct {
	Err      error
	Status   int  // what to answer: 502, 504, 500, or 499 when the client went away
	Unsent   bool // no byte of the request has reached the server: another may be tried
	Again    bool // no byte of an answer came, and sending it to one other server does no harm
	Answered bool // the response had begun; nothing more can be said to the client
	// Class of the error: an error type of RFC 9209, section 2.3. Empty: the status
	// says enough.
	Class string
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }
