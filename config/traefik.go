package config

import (
	"reflect"
	"slices"
	"strings"

	"fairway/config/dynamic"
)

// RootOption tells whether a name, in any case, is an install option at the root:
// one of fairway's, or of Traefik's in any version.
func RootOption(name string) bool {
	name = strings.ToLower(name)
	return slices.Contains(rootOptions(), name) || slices.Contains(removedRoots, name)
}

// rootOptions are the names at the root, in lower case.
func rootOptions() []string {
	var names []string
	for f := range reflect.TypeFor[Configuration]().Fields() {
		names = append(names, strings.ToLower(f.Name))
	}
	for _, pattern := range traefikOptions {
		name, _, _ := strings.Cut(pattern, ".")
		names = append(names, name)
	}
	return names
}

// traefikOption tells whether a key, in lower case, is an install option of
// Traefik's that fairway does not have yet.
func traefikOption(path string) bool { return dynamic.Listed(traefikOptions, path) }

// traefikOptions are prefixes of keys, a star standing for one name.
var traefikOptions = strings.Fields(`
api.dashboardname api.disabledashboardad
certificatesresolvers.*.tailscale
core
entrypoints.*.forwardedheaders.addxforwardedschemeheaders
experimental
hostresolver
log.compress log.maxage log.maxbackups log.maxsize
metrics.datadog metrics.influxdb2
ocsp
providers.ecs
providers.knative
providers.kubernetescrd providers.kubernetesgateway providers.kubernetesingress providers.kubernetesingressnginx
providers.nomad providers.plugin providers.rest
providers.redis.sentinel.latencystrategy providers.redis.sentinel.randomstrategy
providers.redis.sentinel.replicastrategy providers.redis.sentinel.usedisconnectedreplicas
providers.zookeeper
serverstransport.peercertsans serverstransport.spiffe
spiffe
tcpserverstransport.tls.spiffe tcpserverstransport.tls.peercertsans
tracing.globalattributes
`)

var removedRoots = []string{"pilot"}

// hints are what to do instead, for options that Traefik had and gave up, and for
// routing that was put into the install configuration. Patterns are like those of
// traefikOptions.
var hints = []struct{ pattern, hint string }{
	{"http", "is routing: it belongs into a file of the file provider, see providers.file.filename"},
	{"tcp", "is routing: it belongs into a file of the file provider, see providers.file.filename"},
	{"udp", "is routing: it belongs into a file of the file provider, see providers.file.filename"},
	{"tls", "is routing: it belongs into a file of the file provider, see providers.file.filename"},
	{"pilot", "was removed in Traefik v3, with the service behind it: leave it out"},
	{"experimental.http3", "was removed in Traefik v3: HTTP/3 is an option of the entry point there, entryPoints.NAME.http3"},
	{"experimental.otlplogs", "is not needed here: log.otlp and accessLog.otlp work without it"},
	{"experimental.kubernetesgateway", "was removed in Traefik v3: providers.kubernetesGateway is enough there"},
	{"experimental.hub", "was removed in Traefik v3: leave it out"},
	{"providers.docker.swarmmode", "was removed in Traefik v3: Swarm is a provider of its own there and here: turn providers.swarm on instead"},
	{"providers.docker.swarmmoderefreshseconds", "was removed in Traefik v3: Swarm is a provider of its own there and here: turn providers.swarm on instead"},
	{"providers.docker.tls.caoptional", "was removed in Traefik v3: leave it out"},
	{"providers.marathon", "was removed in Traefik v3, and fairway does not have it"},
	{"providers.rancher", "was removed in Traefik v3, and fairway does not have it"},
	{"metrics.influxdb", "was removed in Traefik v3: metrics.influxDB2 and metrics.otlp took its place there"},
	{"tracing.jaeger", "was removed in Traefik v3: traces go by OpenTelemetry there, tracing.otlp"},
	{"tracing.zipkin", "was removed in Traefik v3: traces go by OpenTelemetry there, tracing.otlp"},
	{"tracing.datadog", "was removed in Traefik v3: traces go by OpenTelemetry there, tracing.otlp"},
	{"tracing.instana", "was removed in Traefik v3: traces go by OpenTelemetry there, tracing.otlp"},
	{"tracing.haystack", "was removed in Traefik v3: traces go by OpenTelemetry there, tracing.otlp"},
	{"tracing.elastic", "was removed in Traefik v3: traces go by OpenTelemetry there, tracing.otlp"},
	{"defaultentrypoints", "is an option of Traefik v1: mark entry points with entryPoints.NAME.asDefault"},
	{"loglevel", "is an option of Traefik v1: write log.level"},
	{"acme", "is an option of Traefik v1: certificates are a matter of certificatesResolvers since"},
}

// hintFor returns the hint about a key, and the part of it that the hint is about.
func hintFor(path string) (part, hint string) {
	lower := strings.ToLower(path)
	for _, h := range hints {
		if dynamic.Listed([]string{h.pattern}, lower) {
			end := 0
			for range strings.Count(h.pattern, ".") + 1 {
				if next := strings.IndexByte(path[end:], '.'); next >= 0 {
					end += next + 1
				} else {
					end = len(path) + 1
				}
			}
			return path[:end-1], h.hint
		}
	}
	return "", ""
}
