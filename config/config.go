// Package config has the install configuration: what is decided when fairway is
// started, and stays until it is started again. It comes from a file, the
// environment and flags, all three in the same words.
package config

import (
	"github.com/traefik/paerser/types"

	"fairway/config/dynamic"
	"fairway/providers/docker"
	"fairway/providers/file"
)

// Configuration is the install configuration.
type Configuration struct {
	// EntryPoints are the addresses where fairway listens, by name. Default: web
	// on :80 and websecure on :443, each if it can be bound.
	EntryPoints map[string]*EntryPoint `json:"entryPoints,omitempty"`
	// Providers know what to route to. Default: the Docker engine of this machine,
	// if it answers and nothing else is configured.
	Providers *Providers `json:"providers,omitempty"`
	// API shows what is routed where.
	API *API `json:"api,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// Ping answers health checks at /ping.
	Ping *Ping `json:"ping,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// Log is what fairway tells about itself.
	Log *Log `json:"log,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// Global has options of Traefik's that change nothing here.
	Global *Global `json:"global,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// EntryPoint is one address where requests come in.
type EntryPoint struct {
	// Address to listen on: [host]:port, with /tcp at the end if you like.
	Address string `json:"address,omitempty"`
	// AsDefault makes this one of the entry points of routers that name none. When
	// no entry point says so, all are, but for the one of the API. Default: false.
	AsDefault bool `json:"asDefault,omitempty"`
	// Engine serves HTTP/1.1: fairway (the default), or std for that of Go's standard
	// library, which costs several times as much.
	Engine string `json:"engine,omitempty"`
	// ForwardedHeaders tells whose X-Forwarded headers are believed.
	ForwardedHeaders *ForwardedHeaders `json:"forwardedHeaders,omitempty"`
	// Transport has the time limits of connections.
	Transport *Transport `json:"transport,omitempty"`
	// HTTP has defaults for the routers of this entry point.
	HTTP *EntryPointHTTP `json:"http,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (e *EntryPoint) SetDefaults() {
	e.ForwardedHeaders = &ForwardedHeaders{}
	e.Transport = &Transport{}
	e.Transport.SetDefaults()
	e.HTTP = &EntryPointHTTP{}
}

// ForwardedHeaders tells whose X-Forwarded headers are believed. Those of all
// others are removed, and set anew.
type ForwardedHeaders struct {
	// Insecure believes everybody. Default: false.
	Insecure bool `json:"insecure,omitempty"`
	// TrustedIPs are the addresses and networks (CIDR) of the proxies that are
	// believed.
	TrustedIPs []string `json:"trustedIPs,omitempty"`
}

// Transport has the time limits of connections.
type Transport struct {
	// LifeCycle says how requests end when fairway stops.
	LifeCycle *LifeCycle `json:"lifeCycle,omitempty"`
	// RespondingTimeouts bound how long clients may take.
	RespondingTimeouts *RespondingTimeouts `json:"respondingTimeouts,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (t *Transport) SetDefaults() {
	t.LifeCycle = &LifeCycle{}
	t.LifeCycle.SetDefaults()
	t.RespondingTimeouts = &RespondingTimeouts{}
	t.RespondingTimeouts.SetDefaults()
}

// LifeCycle says how requests end when fairway stops.
type LifeCycle struct {
	// RequestAcceptGraceTimeout is how long requests are still accepted after the
	// order to stop, for load balancers in front to notice. Default: 0s.
	RequestAcceptGraceTimeout types.Duration `json:"requestAcceptGraceTimeout,omitempty"`
	// GraceTimeOut is how long requests under way may take to end. Default: 10s.
	GraceTimeOut types.Duration `json:"graceTimeOut,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (l *LifeCycle) SetDefaults() { l.GraceTimeOut = types.Duration(10 * second) }

// RespondingTimeouts bound how long clients may take.
type RespondingTimeouts struct {
	// ReadHeaderTimeout is the longest time for the head of a request. Default: 10s.
	ReadHeaderTimeout types.Duration `json:"readHeaderTimeout,omitempty"`
	// ReadTimeout is the longest time for a whole request with its body.
	// Default: 0s, no limit, so that slow uploads arrive.
	ReadTimeout types.Duration `json:"readTimeout,omitempty"`
	// WriteTimeout is the longest time from the head of a request to the end of
	// the response. Default: 0s, no limit.
	WriteTimeout types.Duration `json:"writeTimeout,omitempty"`
	// IdleTimeout is how long a connection is kept for the next request.
	// Default: 180s.
	IdleTimeout types.Duration `json:"idleTimeout,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (t *RespondingTimeouts) SetDefaults() {
	t.ReadHeaderTimeout = types.Duration(10 * second)
	t.IdleTimeout = types.Duration(180 * second)
}

// EntryPointHTTP has defaults for the routers of an entry point.
type EntryPointHTTP struct {
	// Redirections send all requests of the entry point elsewhere.
	Redirections *Redirections `json:"redirections,omitempty"`
	// Middlewares are put in front of those of every router. Names need their
	// provider, as in auth@file.
	Middlewares []string `json:"middlewares,omitempty"`
	// TLS makes every router of the entry point one that answers TLS.
	TLS *dynamic.RouterTLS `json:"tls,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// Redirections send all requests of an entry point elsewhere.
type Redirections struct {
	// EntryPoint to send requests to.
	EntryPoint *RedirectEntryPoint `json:"entryPoint,omitempty"`
}

// RedirectEntryPoint says where all requests of an entry point are sent.
type RedirectEntryPoint struct {
	// To is the name of the other entry point, or its port written :443.
	To string `json:"to,omitempty"`
	// Scheme of the new address. Default: https.
	Scheme string `json:"scheme,omitempty"`
	// Permanent answers that the address has changed for ever. Default: true.
	Permanent bool `json:"permanent"`
	// Priority of the router that redirects. Default: above all routers that do
	// not ask for the very highest.
	Priority int `json:"priority,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (r *RedirectEntryPoint) SetDefaults() {
	r.Scheme, r.Permanent, r.Priority = "https", true, RedirectPriority
}

// Providers know what to route to.
type Providers struct {
	// ProvidersThrottleDuration is how long changes are collected after one has
	// gone through. Default: 100ms.
	ProvidersThrottleDuration types.Duration `json:"providersThrottleDuration,omitempty"`
	// Docker routes to containers by their labels.
	Docker *docker.Config `json:"docker,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// File reads routes from files.
	File *file.Config `json:"file,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (p *Providers) SetDefaults() { p.ProvidersThrottleDuration = types.Duration(second / 10) }

// API shows what is routed where. It only reads, and has no login of its own.
type API struct {
	// Insecure serves the API without protection at the entry point traefik, by
	// default on :8080. Default: false; route to the service api@internal instead.
	Insecure bool `json:"insecure,omitempty"`
	// Dashboard serves the page as well. Default: true.
	Dashboard bool `json:"dashboard"`
	// Debug serves /debug/pprof and /debug/vars as well. Default: false.
	Debug bool `json:"debug,omitempty"`
	// BasePath is put in front of all paths of the API. Default: /.
	BasePath string `json:"basePath,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (a *API) SetDefaults() { a.Dashboard, a.BasePath = true, "/" }

// Ping answers health checks at /ping with 200 OK.
type Ping struct {
	// EntryPoint where it is served. Default: traefik.
	EntryPoint string `json:"entryPoint,omitempty"`
	// ManualRouting serves it nowhere by itself: route to ping@internal. Default:
	// false.
	ManualRouting bool `json:"manualRouting,omitempty"`
	// TerminatingStatusCode is the answer while fairway stops. Default: 503.
	TerminatingStatusCode int `json:"terminatingStatusCode,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (p *Ping) SetDefaults() { p.EntryPoint, p.TerminatingStatusCode = InternalEntryPoint, 503 }

// Log is what fairway tells about itself, apart from requests.
type Log struct {
	// Level below which nothing is written: TRACE, DEBUG, INFO, WARN, ERROR, FATAL
	// or PANIC. Default: INFO.
	Level string `json:"level,omitempty"`
	// Format of the lines: common (text) or json. Default: common.
	Format string `json:"format,omitempty"`
	// FilePath to write to. Default: the standard error output.
	FilePath string `json:"filePath,omitempty"`
	// NoColor leaves colours out, also on a terminal. Default: false.
	NoColor bool `json:"noColor,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (l *Log) SetDefaults() { l.Level, l.Format = "INFO", "common" }

// Global has options of Traefik's that are accepted and change nothing: fairway
// never asks for new versions and never sends anything about its use.
type Global struct {
	// CheckNewVersion changes nothing.
	CheckNewVersion bool `json:"checkNewVersion,omitempty"`
	// SendAnonymousUsage changes nothing.
	SendAnonymousUsage bool `json:"sendAnonymousUsage,omitempty"`
}
