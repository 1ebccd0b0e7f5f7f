package config

import (
	"strings"

	"fairway/config/dynamic"
)

// traefikOption tells whether a key, in lower case, is an install option of
// Traefik's that fairway does not have yet.
func traefikOption(path string) bool { return dynamic.Listed(traefikOptions, path) }

// traefikOptions are prefixes of keys, a star standing for one name.
var traefikOptions = strings.Fields(`
accesslog
api.dashboardname api.disabledashboardad
certificatesresolvers
core
entrypoints.*.allowacmebypass
entrypoints.*.forwardedheaders.connection
entrypoints.*.forwardedheaders.notappendxforwardedfor
entrypoints.*.forwardedheaders.addxforwardedschemeheaders
entrypoints.*.http.encodedcharacters
entrypoints.*.http.encodequerysemicolons
entrypoints.*.http.maxheaderbytes
entrypoints.*.http.sanitizepath
entrypoints.*.http.underscoreheadersstrategy
entrypoints.*.http2 entrypoints.*.http3
entrypoints.*.observability
entrypoints.*.proxyprotocol
entrypoints.*.reuseport
entrypoints.*.transport.keepalivemaxrequests
entrypoints.*.transport.keepalivemaxtime
entrypoints.*.udp
experimental
global.notappendxforwardedfor
hostresolver
log.compress log.maxage log.maxbackups log.maxsize log.otlp
metrics
ocsp
providers.consul providers.consulcatalog providers.ecs providers.etcd
providers.http providers.knative
providers.kubernetescrd providers.kubernetesgateway providers.kubernetesingress providers.kubernetesingressnginx
providers.nomad providers.plugin providers.precedence providers.redis providers.rest
providers.swarm providers.zookeeper
serverstransport
spiffe
tcpserverstransport
tracing
`)
