// Package consulcatalog routes to the services of a Consul catalog, as their tags say: those
// that begin with fairway. or traefik. are what labels are on a container.
//
// config.go is what the operator writes. catalog.go follows the catalog by two long questions,
// whatever the number of services, and asks again only about those that have changed;
// instance.go makes workloads of what it hears, connect.go has the certificates for services
// of the mesh.
package consulcatalog

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/sirupsen/logrus"

	"fairway/config/dynamic"
	"fairway/config/labels"
	"fairway/providers"
)

// provider follows one namespace.
type provider struct {
	config    *Config
	name      string
	namespace string
	client    *api.Client
	token     func() string // of questions; empty: that of the client
	decoder   *labels.Decoder
	admits    func(tags []string) bool
	log       logrus.FieldLogger

	patience time.Duration // with an answer that nothing has to be waited for
	every    time.Duration // after which the agent is asked whether it is there
}

const (
	defaultPatience = 15 * time.Second
	defaultEvery    = 20 * time.Second
	firstRetry      = 250 * time.Millisecond
	lastRetry       = 15 * time.Second
)

// Run implements providers.Provider. While Consul cannot be asked the last known state stays.
func (p *provider) Run(ctx context.Context, publish providers.Publish) error {
	c := &catalog{provider: p, services: map[string]*service{}}
	pause := firstRetry
	var since time.Time // that Consul cannot be asked
	for {
		heard, err := c.follow(ctx, func() { publish(c.configuration(nil)) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if heard {
			pause, since = firstRetry, time.Time{}
		}
		if since.IsZero() {
			since = time.Now()
		}
		p.log.WithError(err).WithField("retry", pause).Warn("the Consul catalog cannot be followed; its last known state stays in force")
		publish(c.configuration(&dynamic.Problem{
			Severity: dynamic.Error, Provider: p.name, Source: p.config.address(), Blind: true,
			Reason: fmt.Sprintf("the catalog cannot be followed, its state of %s stays in force: %s", since.UTC().Format(time.RFC3339), reason(err)),
		}))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause/2 + rand.N(pause)): //nolint:gosec // so that not all instances ask at once
		}
		pause = min(2*pause, lastRetry)
	}
}

// reason is an error, with what can be done about it.
func reason(err error) string {
	text := err.Error()
	if strings.Contains(text, "Permission denied") || strings.Contains(text, "ACL not found") || strings.Contains(text, "lacks permission") {
		text += ` (the token has to have the rights service_prefix "" and node_prefix "" with policy "read")`
	}
	return text
}

// configuration is what all that is known comes to.
func (c *catalog) configuration(problem *dynamic.Problem) *dynamic.Configuration {
	var all []*labels.Workload
	for _, s := range c.services {
		all = append(all, s.workloads...)
	}
	slices.SortFunc(all, func(a, b *labels.Workload) int { return cmp.Compare(a.ID, b.ID) })
	cfg := c.decoder.Configuration(all)
	if c.mesh != nil {
		c.mesh.secure(cfg, c.proxies())
	}
	if problem != nil {
		cfg.Problems = append(slices.Clip(cfg.Problems), *problem)
	}
	return cfg
}

// proxies are the services of the mesh by the addresses of their proxies, as they are now: an address
// may be somebody else's later.
func (c *catalog) proxies() map[string]string {
	all := map[string]string{}
	for name, s := range c.services {
		if !s.meshed {
			continue
		}
		for _, w := range s.workloads {
			for _, port := range w.Ports {
				all[net.JoinHostPort(w.Address, strconv.Itoa(port.Number))] = name
			}
		}
	}
	return all
}
