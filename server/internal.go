package server

import (
	"context"
	"math"
	"net"
	"strings"

	"fairway/config"
	"fairway/config/dynamic"
	"fairway/middlewares/redirectscheme"
	"fairway/providers"
)

// static is a provider whose configuration does not change.
type static struct{ cfg *dynamic.Configuration }

// Run implements providers.Provider.
func (s static) Run(ctx context.Context, publish providers.Publish) error {
	publish(s.cfg)
	<-ctx.Done()
	return ctx.Err()
}

// internalRoutes are the routes that follow from the install configuration: the
// API, /ping and /ready, and redirections of entry points.
func internalRoutes(c *config.Configuration) static {
	h := &dynamic.HTTP{Routers: map[string]*dynamic.Router{}, Middlewares: map[string]*dynamic.Middleware{}}
	route := func(name, entryPoint, rule, service string, priority int) {
		h.Routers[name] = &dynamic.Router{EntryPoints: []string{entryPoint}, Rule: rule, Service: service + "@internal", Priority: priority}
	}
	if c.API != nil && c.API.Insecure {
		base := strings.TrimSuffix("/"+strings.Trim(c.API.BasePath, "/"), "/")
		route("api", config.InternalEntryPoint, "PathPrefix(`"+base+"/api`)", "api", math.MaxInt-1)
		if c.API.Dashboard {
			route("dashboard", config.InternalEntryPoint, "PathPrefix(`/`)", "dashboard", math.MaxInt-3)
		}
		if c.API.Debug {
			route("debug", config.InternalEntryPoint, "PathPrefix(`/debug`)", "debug", math.MaxInt-1)
		}
	}
	if c.Metrics != nil && c.Metrics.Prometheus != nil && !c.Metrics.Prometheus.ManualRouting {
		route("prometheus", c.Metrics.Prometheus.EntryPoint, "Path(`/metrics`)", "prometheus", math.MaxInt)
	}
	if c.Ping != nil && !c.Ping.ManualRouting {
		route("ping", c.Ping.EntryPoint, "Path(`/ping`)", "ping", math.MaxInt)
		route("ready", c.Ping.EntryPoint, "Path(`/ready`)", "ready", readyPriority(c, c.Ping.EntryPoint))
	}
	for name, e := range c.EntryPoints {
		if e.HTTP.Redirections != nil && e.HTTP.Redirections.EntryPoint != nil && !e.Datagrams() {
			redirect(h, c, name, e.HTTP.Redirections.EntryPoint)
		}
	}
	return static{&dynamic.Configuration{HTTP: h}}
}

// redirect adds the router that sends all requests of an entry point elsewhere.
func redirect(h *dynamic.HTTP, c *config.Configuration, from string, r *config.RedirectEntryPoint) {
	port := strings.TrimPrefix(r.To, ":")
	if target := c.EntryPoints[r.To]; target != nil {
		address, _ := target.ListenAddress()
		_, port, _ = net.SplitHostPort(address)
	}
	name := from + "-to-" + strings.TrimPrefix(r.To, ":")
	h.Middlewares["redirect-"+name] = &dynamic.Middleware{RedirectScheme: &redirectscheme.Config{Scheme: r.Scheme, Port: port, Permanent: r.Permanent}}
	h.Routers[name] = &dynamic.Router{
		EntryPoints: []string{from}, Rule: "PathPrefix(`/`)", Priority: r.Priority,
		Middlewares: []string{"redirect-" + name}, Service: "noop@internal",
	}
}
