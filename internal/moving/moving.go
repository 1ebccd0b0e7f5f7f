// Package moving knows what becomes of the options of Traefik: which of them are read here, which do better, and what to do
// instead of those that are not there. That an option is read is not claimed but tried.
package moving

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"

	"fairway/config"
	"fairway/config/dynamic"
	"fairway/internal/decode"
)

// The names of all options in the reference of Traefik, one in a line. NAME stands for a name that the operator chooses,
// [n] for an element of a list.
var (
	//go:embed reference/install.txt
	install string
	//go:embed reference/routing.txt
	routing string
)

// Install are the options of the install configuration, in order.
func Install() []string { return names(install) }

// Routing are the options of routing, in order.
func Routing() []string { return names(routing) }

// InsteadOf says what to do instead of an option that is not supported; empty: it is not one of those.
func InsteadOf(name string) string { return said(notSupported, name) }

func names(text string) (list []string) {
	for name := range strings.Lines(text) {
		if name = strings.TrimSpace(name); name != "" && name[0] != '#' {
			list = append(list, name)
		}
	}
	return list
}

// Status is what becomes of an option.
type Status string

// What becomes of options.
const (
	Same         Status = "same"
	Better       Status = "better"
	NotSupported Status = "not supported"
)

// OfInstall is what becomes of an option of the install configuration, and what is to be said of it.
func OfInstall(name string) (Status, string) { return of(name, readsInstall(name)) }

// OfRouting is what becomes of an option of routing.
func OfRouting(name string) (Status, string) { return of(name, readsRouting(name)) }

func of(name string, read bool) (Status, string) {
	if !read {
		return NotSupported, said(notSupported, name)
	}
	if note := BetterAt(name); note != "" {
		return Better, note
	}
	return Same, ""
}

// BetterAt says what is better about an option that is read; empty: it is the same.
func BetterAt(name string) string { return said(betterHere, name) }

// readsInstall tells whether an option of the install configuration is read.
func readsInstall(name string) bool {
	path := strings.NewReplacer("NAME", "name", "[n]", "[0]").Replace(name)
	return reads(func(value string) []decode.Fault {
		tree, faults := decode.Keys(map[string]string{path: value})
		return append(faults, tree.Into(&config.Configuration{}, nil)...)
	})
}

// readsRouting tells whether an option of routing is read from a file.
func readsRouting(name string) bool {
	return reads(func(value string) []decode.Fault {
		var v any = value
		steps := strings.Split(name, ".")
		for _, written := range slices.Backward(steps) {
			step, list := strings.CutSuffix(written, "[n]")
			if list {
				v = []any{v}
			}
			v = map[string]any{step: v}
		}
		text, err := json.Marshal(v)
		if err != nil {
			return nil
		}
		tree, err := decode.Document(text, ".json")
		if err != nil {
			return []decode.Fault{{Reason: err.Error()}}
		}
		return tree.Into(&dynamic.Configuration{}, nil)
	})
}

// reads tells whether some value is taken: an option exists, whatever its type.
func reads(with func(value string) []decode.Fault) bool {
	for _, value := range []string{"true", "1", "1s", "foobar"} {
		taken := true
		for _, f := range with(value) {
			taken = taken && f.Kind != decode.Unknown && f.Kind != decode.NotYet && f.Kind != decode.NotHere
		}
		if taken {
			return true
		}
	}
	return false
}

// pattern is the beginning of names with what is to be said of them.
type pattern struct{ begins, says string }

func said(list []pattern, name string) string {
	for _, p := range list {
		if dynamic.Listed([]string{strings.ToLower(strings.ReplaceAll(p.begins, "NAME", "*"))}, strings.ToLower(name)) {
			return p.says
		}
	}
	return ""
}

var notSupported = []pattern{
	{"api.dashboardname", "the page has no name of its own"},
	{"api.disabledashboardad", "there is nothing that is advertised"},
	{"certificatesresolvers.NAME.tailscale", "use a resolver by ACME, or certificates in files that tailscaled renews (`tailscale cert`): files that change are read again"},
	{"core", "rules of v2 are read where `ruleSyntax` says so, router by router"},
	{"entrypoints.NAME.forwardedheaders.addxforwardedschemeheaders", "`X-Forwarded-Proto` says the same; `headers.customRequestHeaders` sets another one"},
	{"experimental.fastproxy", "not needed: the fast engine is the only one, without an option"},
	{"experimental.otlplogs", "not needed: `log.otlp` and `accessLog.otlp` work without it"},
	{"experimental.plugins", "plugins for Traefik's interpreter do not run here: middlewares [lua](middlewares/lua.md) and [wasm](middlewares/wasm.md) do, or [one of your own in Go](../../examples/plugin)"},
	{"experimental.localplugins", "plugins for Traefik's interpreter do not run here: middlewares [lua](middlewares/lua.md) and [wasm](middlewares/wasm.md) do, or [one of your own in Go](../../examples/plugin)"},
	{"experimental", "it is about what fairway does not have"},
	{"hostresolver", "CNAMEs are not flattened: name the hosts in the rule"},
	{"log.compress", "the file is opened again on SIGUSR1: logrotate turns and packs it"},
	{"log.maxage", "the file is opened again on SIGUSR1: logrotate turns and packs it"},
	{"log.maxbackups", "the file is opened again on SIGUSR1: logrotate turns and packs it"},
	{"log.maxsize", "the file is opened again on SIGUSR1: logrotate turns and packs it"},
	{"metrics.datadog", "use `metrics.otlp` or `metrics.statsd`, which the agent of Datadog takes"},
	{"metrics.influxdb2", "use `metrics.otlp`, by Telegraf or the collector"},
	{"ocsp", "an answer by OCSP is fetched for certificates that demand it, without an option"},
	{"providers.ecs", "not there"},
	{"providers.knative", "fairway is for containers without Kubernetes"},
	{"providers.kubernetescrd", "fairway is for containers without Kubernetes"},
	{"providers.kubernetesgateway", "fairway is for containers without Kubernetes"},
	{"providers.kubernetesingress", "fairway is for containers without Kubernetes"},
	{"providers.kubernetesingressnginx", "fairway is for containers without Kubernetes"},
	{"providers.nomad", "[not there](../decisions/0010-no-nomad.md): have Nomad register its services with Consul, and use `providers.consulCatalog`"},
	{"providers.plugin", "not there: files, or keys of Consul, Redis or etcd, can be written by anything"},
	{"providers.redis.sentinel", "keys are read of the master, which the sentinels name: replicas may be behind"},
	{"providers.rest", "not there: files are read again as soon as they change"},
	{"providers.zookeeper", "not there: use Consul, Redis or etcd"},
	{"serverstransport.peercertsans", "`peerCertURI`, or `serverName`"},
	{"serverstransport.spiffe", "use certificates in files, and `peerCertURI`"},
	{"spiffe", "use certificates in files, and `peerCertURI`"},
	{"tcpserverstransport.tls", "use certificates in files, and `peerCertURI`"},
	{"tracing.globalattributes", "`tracing.resourceAttributes`"},
	{"http.middlewares.NAME.plugin", "plugins for Traefik's interpreter do not run here: middlewares [lua](middlewares/lua.md) and [wasm](middlewares/wasm.md) do, or [one of your own in Go](../../examples/plugin)"},
	{"http.routers.NAME.parentrefs", "such a router is out of use, for what its parents demand may be what keeps strangers out: write the middlewares into it"},
	{"http.serverstransports.NAME.spiffe", "use certificates in files, and `peerCertURI`"},
	{"http.serverstransports.NAME.peercertsans", "`peerCertURI`, or `serverName`"},
	{"tcp.serverstransports.NAME.tls.spiffe", "use certificates in files, and `peerCertURI`"},
	{"tcp.serverstransports.NAME.tls.peercertsans", "`peerCertURI`, or `serverName`"},
}

var betterHere = []pattern{
	{"providers.docker.endpoint", "several engines may be given, also by ssh"},
	{"providers.file.directory", "a broken file keeps its last good content, the others go on"},
	{"entrypoints.NAME.transport.respondingtimeouts.readtimeout", "no limit for the body, which would break slow uploads; `minBodyRate` gives up who sends next to nothing"},
	{"http.services.NAME.loadbalancer.healthcheck", "a new server gets requests after its first good answer; `rise` and `fall`; kept over reloads"},
	{"http.services.NAME.loadbalancer.passivehealthcheck", "when most servers fail, all are used (`panicThreshold`)"},
	{"http.services.NAME.loadbalancer.sticky", "what is known of clients survives reloads"},
	{"http.middlewares.NAME.ratelimit", "buckets belong to the middleware, survive reloads, and may be shared by Redis, cluster and sentinels included"},
	{"http.middlewares.NAME.circuitbreaker", "a circuit belongs to the middleware and the service, and survives reloads"},
	{"http.middlewares.NAME.inflightreq", "counts go over all routers that use it; `queue` lets requests wait"},
	{"http.middlewares.NAME.retry", "with a budget, so that retries do not add to the load of servers in trouble"},
	{"http.middlewares.NAME.compress", "streamed; `no-transform` is honoured"},
	{"http.middlewares.NAME.forwardauth", "with a short cache of decisions and a timeout, as options of its own"},
	{"tcp.services.NAME.loadbalancer.terminationdelay", "in milliseconds, and cuts off nothing that flows"},
	{"tcp.services.NAME.loadbalancer.servers", "a server that cannot be reached costs no connection: the next one is tried"},
	{"tcp.serverstransports.NAME.terminationdelay", "cuts off nothing that flows"},
	{"tls.options.NAME.clientauth", "each router decides which clients it lets in; lists of revoked certificates (`crlFiles`)"},
}
