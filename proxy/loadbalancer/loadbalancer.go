// Package loadbalancer is the service that spreads requests over servers, by
// weighted round robin.
package loadbalancer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/answer"
	"fairway/internal/record"
	"fairway/internal/secret"
	"fairway/proxy"
)

// Config of a load balancer.
type Config struct {
	// Servers to spread requests over. A container has one server, written
	// server.port, server.scheme and so on; the servers of the replicas of a
	// service are put together.
	Servers []Server `json:"servers,omitempty" label-slice-as-struct:"server"`
	// PassHostHeader sends the client's Host header to the server. Default:
	// true. With false the server sees its own address.
	PassHostHeader *bool `json:"passHostHeader,omitempty"`
	// ResponseForwarding says how responses are passed on.
	ResponseForwarding *ResponseForwarding `json:"responseForwarding,omitempty"`
}

// Server is one server behind a load balancer.
type Server struct {
	// URL of the server, as in http://10.0.0.2:8080, https://10.0.0.2:8443 or
	// h2c://10.0.0.2:50051. On a container it replaces port and scheme.
	URL string `json:"url,omitempty"`
	// Weight is the server's share of requests in relation to the others.
	// Default: 1. A server of weight 0 gets none.
	Weight *int `json:"weight,omitempty"`
	// PreservePath puts the path of the URL in front of the request's path.
	// Default: false, the path of the URL is not used.
	PreservePath bool `json:"preservePath,omitempty"`
	// Port of the container. Default: the lowest port that the container exposes.
	Port string `json:"-" file:"-"`
	// Scheme for talking to the container: http, https or h2c. By https HTTP/2 is
	// spoken where the container offers it. h2c is HTTP/2 without TLS, as servers by
	// gRPC speak it. Default: http.
	Scheme string `json:"-" file:"-"`
}

// ResponseForwarding says how responses are passed on to the client.
type ResponseForwarding struct {
	// FlushInterval is the longest time that a part of a response may be held back.
	// It changes nothing: fairway sends every part on as it comes. Default: 100ms.
	FlushInterval types.Duration `json:"flushInterval,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (c *ResponseForwarding) SetDefaults() { c.FlushInterval = types.Duration(defaultFlushInterval) }

const defaultFlushInterval = 100 * time.Millisecond

// New implements proxy.Config.
func (c *Config) New(ctx context.Context, env proxy.Env) (proxy.Service, error) {
	b := &balancer{forwarder: env.Forwarder, options: proxy.Options{PassHost: true, FlushInterval: defaultFlushInterval}}
	if c.PassHostHeader != nil {
		b.options.PassHost = *c.PassHostHeader
	}
	if c.ResponseForwarding != nil {
		b.options.FlushInterval = time.Duration(c.ResponseForwarding.FlushInterval)
	}
	previous, _ := env.Previous.(*balancer)
	for i, s := range c.Servers {
		srv, err := newServer(s, previous)
		if err != nil {
			return nil, fmt.Errorf("server %d: %w", i+1, err)
		}
		srv.target.Use(ctx)
		b.servers = append(b.servers, srv)
	}
	b.order = newRoundRobin(b.servers)
	return b, nil
}

// balancer is a load balancer at work.
type balancer struct {
	servers   []*server
	order     *roundRobin
	forwarder proxy.Forwarder
	options   proxy.Options
}

// server is one server with its share of requests.
type server struct {
	target *proxy.Target
	name   string // its URL without password, for the eyes of people
	weight int
}

func newServer(s Server, previous *balancer) (*server, error) {
	shown := secret.URL(s.URL)
	u, err := url.Parse(s.URL)
	if wrong, ok := errors.AsType[*url.Error](err); ok {
		return nil, fmt.Errorf("url %q: %w", shown, wrong.Err) // the rest repeats the URL
	} else if err != nil {
		return nil, fmt.Errorf("url %q is not valid", shown)
	}
	switch {
	case s.URL == "":
		return nil, errors.New("has no url")
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "h2c":
		return nil, fmt.Errorf("url %q: the scheme is none of http, https and h2c", shown)
	case u.Host == "":
		return nil, fmt.Errorf("url %q: has no host", shown)
	}
	weight := 1
	if s.Weight != nil {
		weight = *s.Weight
	}
	if weight < 0 {
		return nil, fmt.Errorf("weight %d: is below 0", weight)
	}
	target := &proxy.Target{URL: u, PreservePath: s.PreservePath}
	if old := previous.find(target); old != nil {
		target = old
	}
	return &server{target: target, name: u.Redacted(), weight: weight}, nil
}

// find returns what is already known of a server. It accepts a nil balancer.
func (b *balancer) find(target *proxy.Target) *proxy.Target {
	if b == nil {
		return nil
	}
	for _, s := range b.servers {
		if s.target.PreservePath == target.PreservePath && s.target.URL.String() == target.URL.String() {
			return s.target
		}
	}
	return nil
}

// ServeHTTP forwards to the next server in turn. While nothing has been sent, a
// server that cannot be connected to costs a try at another one, not the request.
// One that breaks off without an answer costs a single further try, for it may be
// the request that breaks it.
func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	s := b.order.next()
	if s == nil {
		answer.Text(w, r, http.StatusServiceUnavailable, "no available server", "no available server")
		return
	}
	defer proxy.Finish(w, r)
	failed := b.forward(w, r, rec, s)
	repeated := false
	for tried := []*server{s}; failed != nil && (failed.Unsent || failed.Again && !repeated); tried = append(tried, s) {
		repeated = repeated || failed.Again
		if s = b.order.nextBut(tried); s == nil {
			break
		}
		failed = b.forward(w, r, rec, s)
	}
	if failed == nil {
		return
	}
	rec.Fail(failed.Error())
	if !failed.Answered {
		answer.Refuse(w, r, failed.Status, failed.Error())
	}
}

func (b *balancer) forward(w http.ResponseWriter, r *http.Request, rec *record.Record, s *server) *proxy.Error {
	if rec != nil {
		rec.Server = s.name
	}
	failed, _ := errors.AsType[*proxy.Error](b.forwarder.Forward(w, r, s.target, b.options))
	return failed
}

// Servers implements proxy.Service.
func (b *balancer) Servers() []proxy.ServerStatus {
	list := make([]proxy.ServerStatus, len(b.servers))
	for i, s := range b.servers {
		list[i] = proxy.ServerStatus{URL: s.name, Up: true, Weight: s.weight}
	}
	return list
}
