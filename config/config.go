// Package config has the install configuration: what is decided when fairway is
// started, and stays until it is started again. It comes from a file, the
// environment and flags, all three in the same words.
package config

import (
	"github.com/traefik/paerser/types"

	"fairway/config/dynamic"
	"fairway/providers/consulcatalog"
	"fairway/providers/docker"
	"fairway/providers/file"
	"fairway/providers/httpendpoint"
	"fairway/providers/kv"
	"fairway/providers/swarm"
	"fairway/proxy"
	"fairway/proxy/tcp"
	"fairway/telemetry/accesslog"
	"fairway/telemetry/metrics"
	"fairway/telemetry/metrics/otlpmetrics"
	"fairway/telemetry/metrics/statsd"
	"fairway/telemetry/otlplogs"
	"fairway/telemetry/traces"
	"fairway/tls/acme"
)

// Configuration is the install configuration.
type Configuration struct {
	// EntryPoints are the addresses where fairway listens, by name. Default: web
	// on :80 and websecure on :443, each if it can be bound.
	EntryPoints map[string]*EntryPoint `json:"entryPoints,omitempty"`
	// Providers know what to route to. Default: the Docker engine of this machine,
	// if it answers and nothing else is configured.
	Providers *Providers `json:"providers,omitempty"`
	// CertificatesResolvers get certificates for routers that name them, by name.
	CertificatesResolvers map[string]*CertificatesResolver `json:"certificatesResolvers,omitempty"`
	// ServersTransport says how servers are talked to, where services do not name another
	// way.
	ServersTransport *proxy.ServersTransport `json:"serversTransport,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// TCPServersTransport says how servers of TCP are reached, where services do not name another way.
	TCPServersTransport *tcp.ServersTransport `json:"tcpServersTransport,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// ErrorPages is the name of an errors middleware, with its provider, as in
	// pages@docker. Its pages are for the errors of all routers, and for requests that no
	// router matches. A middleware of a router's own comes first; what fairway serves
	// itself, as the API, has no pages. Default: none.
	ErrorPages string `json:"errorPages,omitempty"`
	// API shows what is routed where.
	API *API `json:"api,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// Ping answers health checks at /ping and /ready.
	Ping *Ping `json:"ping,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// AccessLog has a line for each request.
	AccessLog *accesslog.Config `json:"accessLog,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// Metrics count what passes.
	Metrics *Metrics `json:"metrics,omitempty"`
	// Tracing follows requests for OpenTelemetry.
	Tracing *traces.Config `json:"tracing,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// Log is what fairway tells about itself.
	Log *Log `json:"log,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// Global has options that concern the whole program.
	Global *Global `json:"global,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// CertificatesResolver gets certificates.
type CertificatesResolver struct {
	// ACME gets them from an authority by ACME (RFC 8555), as Let's Encrypt.
	ACME *acme.Config `json:"acme,omitempty"`
}

// Providers know what to route to.
type Providers struct {
	// ProvidersThrottleDuration is how long changes are collected after one has
	// gone through. Default: 100ms.
	ProvidersThrottleDuration types.Duration `json:"providersThrottleDuration,omitempty"`
	// Precedence are names of providers in the order in which their routers go when
	// priorities are equal, as in docker,file. Those that are left out follow in the
	// order of the default; of one provider, the names of the routers decide. Default:
	// swarm, docker, file, redis, consul, consulcatalog, etcd, http.
	Precedence dynamic.Precedence `json:"precedence,omitempty"`
	// Docker routes to containers by their labels.
	Docker *docker.Config `json:"docker,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// Swarm routes to the services of a Docker Swarm by their labels.
	Swarm *swarm.Config `json:"swarm,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// Consul reads routes from the keys and values of Consul.
	Consul *kv.Consul `json:"consul,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// ConsulCatalog routes to the services of a Consul catalog by their tags.
	ConsulCatalog *consulcatalog.Config `json:"consulCatalog,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// Etcd reads routes from the keys and values of etcd.
	Etcd *kv.Etcd `json:"etcd,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// Redis reads routes from the keys and values of Redis.
	Redis *kv.Redis `json:"redis,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// File reads routes from files.
	File *file.Config `json:"file,omitempty"`
	// HTTP fetches routes from a server, again and again.
	HTTP *httpendpoint.Config `json:"http,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (p *Providers) SetDefaults() { p.ProvidersThrottleDuration = types.Duration(second / 10) }

// None tells whether no provider is turned on.
func (p *Providers) None() bool {
	return p.Docker == nil && p.Swarm == nil && p.Consul == nil && p.ConsulCatalog == nil && p.Redis == nil && p.Etcd == nil && p.File == nil && p.HTTP == nil
}

// API shows what is routed where. It only reads, and has no login of its own.
type API struct {
	// Insecure serves the API without protection at the entry point traefik, by
	// default on :8080. Default: false; route to the service api@internal instead.
	Insecure bool `json:"insecure,omitempty"`
	// Dashboard serves the page as well. Default: true.
	Dashboard bool `json:"dashboard"`
	// Debug serves /debug/pprof and /debug/vars as well. Default: false.
	Debug bool `json:"debug,omitempty"`
	// LiveRequests shows the last requests as they are answered, with client and user; of
	// queries only the names are shown. Default: true.
	LiveRequests bool `json:"liveRequests"`
	// BasePath is put in front of all paths of the API. Default: /.
	BasePath string `json:"basePath,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (a *API) SetDefaults() { a.Dashboard, a.LiveRequests, a.BasePath = true, true, "/" }

// Ping answers health checks: at /ping with 200 OK, and at /ready as soon as fairway knows
// what to route to.
type Ping struct {
	// EntryPoint where both are served. At another one than traefik, routers that match
	// /ready come first. Default: traefik.
	EntryPoint string `json:"entryPoint,omitempty"`
	// ManualRouting serves them nowhere by themselves: route to ping@internal and
	// ready@internal. Default: false.
	ManualRouting bool `json:"manualRouting,omitempty"`
	// TerminatingStatusCode is the answer of /ping while fairway stops. That of /ready is
	// 503. Default: 503.
	TerminatingStatusCode int `json:"terminatingStatusCode,omitempty"`
}

// Ready is what /ready answers when it does so with 200.
const Ready = "ready"

// SetDefaults implements the defaults documented at the fields.
func (p *Ping) SetDefaults() { p.EntryPoint, p.TerminatingStatusCode = InternalEntryPoint, 503 }

// Metrics count what passes.
type Metrics struct {
	// Prometheus serves the metrics at /metrics, to be scraped.
	Prometheus *metrics.Config `json:"prometheus,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// OTLP sends the metrics to a collector of OpenTelemetry.
	OTLP *otlpmetrics.Config `json:"otlp,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// StatsD sends the metrics to StatsD, by UDP.
	StatsD *statsd.Config `json:"statsD,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// AddInternals counts requests to fairway's own services as well: the API, /ping,
	// /metrics. Default: false.
	AddInternals bool `json:"addInternals,omitempty"`
}

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
	// OTLP sends what is logged to a collector of OpenTelemetry as well.
	OTLP *otlplogs.Config `json:"otlp,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// SetDefaults implements the defaults documented at the fields.
func (l *Log) SetDefaults() { l.Level, l.Format = "INFO", "common" }

// Global has options that concern the whole program. Two are Traefik's and change
// nothing: fairway never asks for new versions, and never sends anything about its use.
type Global struct {
	// CheckNewVersion changes nothing.
	CheckNewVersion bool `json:"checkNewVersion,omitempty"`
	// SendAnonymousUsage changes nothing.
	SendAnonymousUsage bool `json:"sendAnonymousUsage,omitempty"`
	// NotAppendXForwardedFor is forwardedHeaders.notAppendXForwardedFor of every
	// entry point. Default: false.
	NotAppendXForwardedFor bool `json:"notAppendXForwardedFor,omitempty"`
}
