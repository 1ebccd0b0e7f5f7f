// Package docker finds containers by the events of one or several Docker engines
// and routes to them as their labels say.
//
// It subscribes to the events first and lists the containers then, so that
// nothing that happens in between is lost. A container that is told to stop takes
// no more requests from that moment, before its process has ended. While an
// engine cannot be reached, what was known of it stays in force.
package docker

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/traefik/paerser/types"

	"fairway/config/dynamic"
	"fairway/config/labels"
	"fairway/internal/dockerengine"
	"fairway/internal/secret"
	"fairway/providers"
)

// Config of the Docker provider.
type Config struct {
	// Endpoint is the address of the Docker engine: unix:///path, tcp://host:port
	// (with TLS when tls is given), http://, https://, or ssh://user@host. Several
	// engines may be given, separated by commas. Default:
	// unix:///var/run/docker.sock.
	Endpoint []string `json:"endpoint,omitempty"`
	// Username for endpoints that ask for HTTP basic authentication.
	Username string `json:"username,omitempty"`
	// Password for endpoints that ask for HTTP basic authentication.
	Password secret.String `json:"password,omitempty"`
	// TLS for endpoints that are reached by TCP.
	TLS *dockerengine.TLS `json:"tls,omitempty"`
	// SSH for endpoints that are reached by ssh://.
	SSH *dockerengine.SSH `json:"ssh,omitempty"`
	// HTTPClientTimeout is the longest time for one request to the engine; the
	// stream of events is not limited. Default: 0s, no limit.
	HTTPClientTimeout types.Duration `json:"httpClientTimeout,omitempty"`
	// ExposedByDefault shows containers that do not say enable=true. Default: true.
	ExposedByDefault bool `json:"exposedByDefault"`
	// DefaultRule is the rule of routers that have none: a Go template over
	// .Name, .ContainerName and .Labels. Default: Host(`{{ normalize .Name }}`).
	DefaultRule string `json:"defaultRule,omitempty"`
	// Constraints choose the containers by their labels: an expression of
	// Label(`key`, `value`) and LabelRegex(`key`, `pattern`) with &&, || and !.
	// Default: all containers.
	Constraints string `json:"constraints,omitempty"`
	// Network is the name of the network to reach containers by, when they do not
	// name one themselves. Default: a network that fairway itself is in, else the
	// first one by name.
	Network string `json:"network,omitempty"`
	// UseBindPortIP sends requests to the address and port that a container's
	// port is bound to on the host, not to the container's own. Default: false.
	UseBindPortIP bool `json:"useBindPortIP,omitempty"`
	// Watch follows the changes of containers. Default: true.
	Watch bool `json:"watch"`
	// AllowEmptyServices keeps the routes of containers that are not healthy, so
	// that clients get 503 instead of 404. Default: false.
	AllowEmptyServices bool `json:"allowEmptyServices,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (c *Config) SetDefaults() {
	c.Endpoint = []string{"unix:///var/run/docker.sock"}
	c.ExposedByDefault = true
	c.DefaultRule = labels.DefaultRule
	c.Watch = true
}

// New implements providers.Config.
func (c *Config) New(log logrus.FieldLogger) (providers.Provider, error) {
	decoder, err := labels.New(labels.Options{
		Provider: "docker", ExposedByDefault: c.ExposedByDefault, DefaultRule: c.DefaultRule,
		Constraints: c.Constraints, AllowEmptyServices: c.AllowEmptyServices, UseBindPortIP: c.UseBindPortIP,
	})
	if err != nil {
		return nil, err
	}
	p := &provider{config: c, log: log, decoder: decoder}
	access := dockerengine.Access{Username: c.Username, Password: c.Password, TLS: c.TLS, SSH: c.SSH, Timeout: time.Duration(c.HTTPClientTimeout)}
	for _, address := range c.Endpoint {
		client, err := access.Client(address)
		if err != nil {
			return nil, fmt.Errorf("endpoint %s: %w", secret.URL(address), err)
		}
		p.endpoints = append(p.endpoints, &endpoint{
			address: address, client: client, config: c,
			log: log.WithField("endpoint", secret.URL(address)), local: dockerengine.IsLocal(address), own: dockerengine.OwnID(),
		})
	}
	if len(p.endpoints) == 0 {
		return nil, fmt.Errorf("endpoint: none is given")
	}
	return p, nil
}

// provider puts together what its endpoints know.
type provider struct {
	config    *Config
	log       logrus.FieldLogger
	endpoints []*endpoint

	mu      sync.Mutex // guards the fields below
	decoder *labels.Decoder
	known   map[*endpoint]view
}

// view is what is known of one engine.
type view struct {
	workloads []*labels.Workload
	problem   *dynamic.Problem // why the view may be old
}

// Run implements providers.Provider. It ends with ctx; an endpoint that cannot be
// reached is tried again by its own loop.
func (p *provider) Run(ctx context.Context, publish providers.Publish) error {
	p.mu.Lock()
	p.known = map[*endpoint]view{}
	p.mu.Unlock()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var running sync.WaitGroup
	for _, e := range p.endpoints {
		running.Go(func() {
			defer func() { // a mistake of ours ends the provider, not the program
				if reason := recover(); reason != nil {
					stop(fmt.Errorf("panic: %v", reason))
				}
			}()
			e.run(ctx, func(v view) { p.show(e, v, publish) })
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

// show publishes the new view of one endpoint together with those of the others.
func (p *provider) show(e *endpoint, v view, publish providers.Publish) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known[e] = v
	var all []*labels.Workload
	var problems []dynamic.Problem
	for _, e := range p.endpoints {
		all = append(all, p.known[e].workloads...)
		if problem := p.known[e].problem; problem != nil {
			problems = append(problems, *problem)
		}
	}
	cfg := p.decoder.Configuration(all)
	cfg.Problems = append(slices.Clip(cfg.Problems), problems...)
	publish(cfg)
}
