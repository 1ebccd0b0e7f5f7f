package config

import (
	"math"
	"time"

	"fairway/providers/docker"
)

const second = time.Second

// InternalEntryPoint is the name of the entry point of the API and of /ping. It
// is Traefik's: labels and monitors name it.
const InternalEntryPoint = "traefik"

// RedirectPriority is the default priority of redirections of entry points.
const RedirectPriority = math.MaxInt - 1

// Default returns the configuration with every option at its default.
func Default() *Configuration {
	c := &Configuration{Providers: &Providers{}, API: &API{}, Ping: &Ping{}, Log: &Log{}, Global: &Global{}}
	c.Providers.SetDefaults()
	c.Log.SetDefaults()
	c.API.SetDefaults()
	c.Ping.SetDefaults()
	return c
}

// complete adds what follows from the options given. Entry points that nobody
// asked for are implied: they are left out when they cannot be bound.
func (c *Configuration) complete() (implied []string) {
	if c.Providers == nil {
		c.Providers = &Providers{}
		c.Providers.SetDefaults()
	}
	if c.Log == nil {
		c.Log = &Log{}
		c.Log.SetDefaults()
	}
	if len(c.EntryPoints) == 0 {
		c.EntryPoints = map[string]*EntryPoint{"web": newEntryPoint(":80"), "websecure": newEntryPoint(":443")}
		implied = []string{"web", "websecure"}
	}
	if c.EntryPoints[InternalEntryPoint] == nil && c.needsInternal() {
		c.EntryPoints[InternalEntryPoint] = newEntryPoint(":8080")
	}
	for _, e := range c.EntryPoints {
		e.fill()
		if c.Global != nil && c.Global.NotAppendXForwardedFor {
			e.ForwardedHeaders.NotAppendXForwardedFor = true
		}
	}
	return implied
}

func (c *Configuration) needsInternal() bool {
	return c.API != nil && c.API.Insecure ||
		c.Ping != nil && !c.Ping.ManualRouting && c.Ping.EntryPoint == InternalEntryPoint ||
		c.scraped() && c.Metrics.Prometheus.EntryPoint == InternalEntryPoint
}

// scraped tells whether /metrics is served at an entry point.
func (c *Configuration) scraped() bool {
	return c.Metrics != nil && c.Metrics.Prometheus != nil && !c.Metrics.Prometheus.ManualRouting
}

func newEntryPoint(address string) *EntryPoint {
	e := &EntryPoint{Address: address}
	e.SetDefaults()
	return e
}

// fill replaces what a file left out of nested sections by their defaults.
func (e *EntryPoint) fill() {
	if e.ForwardedHeaders == nil {
		e.ForwardedHeaders = &ForwardedHeaders{}
	}
	if e.Transport == nil {
		e.Transport = &Transport{}
	}
	if e.Transport.LifeCycle == nil {
		e.Transport.LifeCycle = &LifeCycle{}
		e.Transport.LifeCycle.SetDefaults()
	}
	if e.Transport.RespondingTimeouts == nil {
		e.Transport.RespondingTimeouts = &RespondingTimeouts{}
		e.Transport.RespondingTimeouts.SetDefaults()
	}
	if e.HTTP == nil {
		e.HTTP = &EntryPointHTTP{}
		e.HTTP.SetDefaults()
	}
	if e.UDP == nil {
		e.UDP = &UDP{}
		e.UDP.SetDefaults()
	}
	if e.HTTP2 == nil {
		e.HTTP2 = &HTTP2{}
		e.HTTP2.SetDefaults()
	}
}

// AddDocker turns the Docker provider on with its defaults.
func (c *Configuration) AddDocker() {
	c.Providers.Docker = &docker.Config{}
	c.Providers.Docker.SetDefaults()
}
