package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fairway/internal/record"
)

// State is the rest of the gateway, as far as metrics tell of it. Each function may be nil
// and is called when somebody scrapes.
type State struct {
	// Connections are those that are open, by entry point and protocol.
	Connections func() map[[2]string]int
	// Servers tells which servers are up, by service and URL.
	Servers func(tell func(service, url string, up bool))
	// Certificates tells when certificates run out.
	Certificates func(tell func(name, serial, sans string, until time.Time))
	// Problems are how many there are, by severity.
	Problems func() map[string]int
	// Objects are how many there are, by kind: router, service, middleware.
	Objects func() map[string]int
	// Decisions tells how many requests middlewares that limit have let pass and refused, by
	// kind and name.
	Decisions func(tell func(kind, middleware string, passed, refused uint64))
	// Missed tells how many decisions such middlewares made without what they depend on.
	Missed func(tell func(kind, middleware string, n uint64))
	// Scripts tells how often scripts and plugins of middlewares have failed, by kind and name.
	Scripts func(tell func(kind, middleware string, failed uint64))
	// Circuits tells in which state circuit breakers are, by middleware and service.
	Circuits func(tell func(middleware, service, state string))
	// Violations tells how many bodies the middleware validate has looked at, and how many were not
	// as their schema says, by middleware and direction.
	Violations func(tell func(middleware, direction string, checked, violated uint64))
	// Caches tells how caches have answered requests, and what they have, by middleware.
	Caches func(tell func(middleware string, c Cache))
	// Providers tells how often providers have published something new, when they last did,
	// and whether they run.
	Providers func(tell func(name string, updates uint64, last time.Time, up bool))
	// Refused tells of what entry points have refused before it was a request, by status.
	Refused func(tell func(entryPoint string, status int, n uint64))
	// LogDropped are the lines of the access log that were lost.
	LogDropped func() uint64
	// OwnLogDropped are the lines of the program's own log that were lost.
	OwnLogDropped func() uint64
	// FailedPushes are pushes of metrics that have failed, by where to.
	FailedPushes func() map[string]uint64
	// Lost is what could not be sent to a collector, by kind: spans, log.
	Lost func() map[string]uint64
}

// Cache is a middleware that stores responses.
type Cache interface {
	EachAnswer(tell func(status string, n uint64))
	Stored() (entries int, bytes int64)
}

// stateCollector asks for the state.
type stateCollector struct {
	state State

	connections, servers, certificates, problems, objects  *prometheus.Desc
	decisions, missed, circuits, updates, updated, running *prometheus.Desc
	scripts                                                *prometheus.Desc
	checked, violated                                      *prometheus.Desc
	cacheRequests, cacheEntries, cacheBytes                *prometheus.Desc
	refused                                                *prometheus.Desc
	logDropped, ownLogDropped, failedPushes, lost          *prometheus.Desc
}

func newStateCollector(prefix string, state State) *stateCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prefix+"_"+name, help, labels, nil)
	}
	return &stateCollector{
		state:         state,
		connections:   desc("open_connections", "Connections of clients that are open.", "entrypoint", "protocol"),
		servers:       desc("service_server_up", "Whether a server gets requests: 1, or 0.", "service", "url"),
		certificates:  desc("tls_certs_not_after", "When a certificate runs out, in seconds of Unix time.", "cn", "serial", "sans"),
		problems:      desc("config_problems", "Problems that are there now, as /api/problems has them.", "severity"),
		objects:       desc("config_objects", "Routers, services and middlewares of the configuration in force.", "kind"),
		decisions:     desc("limit_decisions_total", "Requests that middlewares with a limit have let pass, and refused.", "kind", "middleware", "decision"),
		missed:        desc("limit_missed_total", "Decisions about limits that were made while the Redis with the counts was away.", "kind", "middleware"),
		scripts:       desc("script_errors_total", "How often scripts and plugins have failed.", "kind", "middleware"),
		circuits:      desc("circuit_breaker_state", "1 for the state that a circuit is in: closed, open or recovering; 0 for the others.", "middleware", "service", "state"),
		checked:       desc("validation_checked_total", "Bodies that the middleware validate has looked at.", "middleware", "direction"),
		violated:      desc("validation_violations_total", "Those of them that were not as their schema says, also where that is only reported.", "middleware", "direction"),
		cacheRequests: desc("cache_requests_total", "Requests by how the middleware cache has answered them: hit, stale, revalidated, coalesced, miss or bypass.", "middleware", "status"),
		cacheEntries:  desc("cache_entries", "Responses that are stored.", "middleware"),
		cacheBytes:    desc("cache_bytes", "Bytes that they take, about.", "middleware"),
		updates:       desc("provider_updates_total", "How often a provider has told something new.", "provider"),
		updated:       desc("provider_last_update_seconds", "When it last did, in seconds of Unix time; 0: never.", "provider"),
		running:       desc("provider_up", "Whether a provider sees what there is: 1, or 0 while it waits to be started again, or tries again by itself.", "provider"),
		refused:       desc("entrypoint_refused_total", "Requests that an entry point has refused before they were any, by HTTP/1: against the rules, too long, or too slow. They count in no other metric.", "entrypoint", "status"),
		logDropped:    desc("accesslog_dropped_lines_total", "Lines of the access log that were lost, because the disk was full or slow, or the collector away."),
		ownLogDropped: desc("log_dropped_lines_total", "Lines of the log of fairway itself that were lost, because the disk was full or slow, or nobody read them."),
		failedPushes:  desc("metrics_failed_pushes_total", "Pushes of metrics that have failed. By OTLP the next one has what they had; by StatsD it is lost.", "to"),
		lost:          desc("telemetry_lost_total", "What could not be sent to a collector: spans, and records of the log.", "kind"),
	}
}

// Describe implements prometheus.Collector.
func (c *stateCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.connections, c.servers, c.certificates, c.problems, c.objects, c.decisions, c.missed, c.scripts, c.circuits, c.checked, c.violated, c.cacheRequests, c.cacheEntries, c.cacheBytes, c.updates, c.updated, c.running, c.refused, c.logDropped, c.ownLogDropped, c.failedPushes, c.lost} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *stateCollector) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	if c.state.Connections != nil {
		for key, n := range c.state.Connections() {
			gauge(c.connections, float64(n), key[0], key[1])
		}
	}
	if c.state.Servers != nil {
		c.eachServer(gauge)
	}
	if c.state.Certificates != nil {
		seen := map[string]bool{}
		c.state.Certificates(func(name, serial, sans string, until time.Time) {
			if key := name + "\x00" + serial + "\x00" + sans; !seen[key] {
				seen[key] = true
				gauge(c.certificates, float64(until.Unix()), name, serial, sans)
			}
		})
	}
	if c.state.Problems != nil {
		for severity, n := range c.state.Problems() {
			gauge(c.problems, float64(n), severity)
		}
	}
	if c.state.Objects != nil {
		for kind, n := range c.state.Objects() {
			gauge(c.objects, float64(n), kind)
		}
	}
	if c.state.Refused != nil {
		c.state.Refused(func(entryPoint string, status int, n uint64) {
			to <- prometheus.MustNewConstMetric(c.refused, prometheus.CounterValue, float64(n), entryPoint, strconv.Itoa(status))
		})
	}
	c.collectMiddlewares(to)
	c.collectProviders(to)
	c.collectLosses(func(d *prometheus.Desc, n uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	})
}

// collectLosses tells what became of the telemetry itself.
func (c *stateCollector) collectLosses(counter func(d *prometheus.Desc, n uint64, labels ...string)) {
	if c.state.LogDropped != nil {
		counter(c.logDropped, c.state.LogDropped())
	}
	if c.state.OwnLogDropped != nil {
		counter(c.ownLogDropped, c.state.OwnLogDropped())
	}
	if c.state.FailedPushes != nil {
		for destination, n := range c.state.FailedPushes() {
			counter(c.failedPushes, n, destination)
		}
	}
	if c.state.Lost != nil {
		for kind, n := range c.state.Lost() {
			counter(c.lost, n, kind)
		}
	}
}

// collectMiddlewares tells of those that keep something.
func (c *stateCollector) collectMiddlewares(to chan<- prometheus.Metric) {
	if c.state.Decisions != nil {
		c.state.Decisions(func(kind, middleware string, passed, refused uint64) {
			to <- prometheus.MustNewConstMetric(c.decisions, prometheus.CounterValue, float64(passed), kind, middleware, string(record.Passed))
			to <- prometheus.MustNewConstMetric(c.decisions, prometheus.CounterValue, float64(refused), kind, middleware, string(record.Refused))
		})
	}
	if c.state.Violations != nil {
		c.state.Violations(func(middleware, direction string, checked, violated uint64) {
			to <- prometheus.MustNewConstMetric(c.checked, prometheus.CounterValue, float64(checked), middleware, direction)
			to <- prometheus.MustNewConstMetric(c.violated, prometheus.CounterValue, float64(violated), middleware, direction)
		})
	}
	if c.state.Caches != nil {
		c.state.Caches(func(middleware string, kept Cache) {
			kept.EachAnswer(func(status string, n uint64) {
				to <- prometheus.MustNewConstMetric(c.cacheRequests, prometheus.CounterValue, float64(n), middleware, status)
			})
			entries, bytes := kept.Stored()
			to <- prometheus.MustNewConstMetric(c.cacheEntries, prometheus.GaugeValue, float64(entries), middleware)
			to <- prometheus.MustNewConstMetric(c.cacheBytes, prometheus.GaugeValue, float64(bytes), middleware)
		})
	}
	if c.state.Missed != nil {
		c.state.Missed(func(kind, middleware string, n uint64) {
			to <- prometheus.MustNewConstMetric(c.missed, prometheus.CounterValue, float64(n), kind, middleware)
		})
	}
	if c.state.Scripts != nil {
		c.state.Scripts(func(kind, middleware string, failed uint64) {
			to <- prometheus.MustNewConstMetric(c.scripts, prometheus.CounterValue, float64(failed), kind, middleware)
		})
	}
	if c.state.Circuits != nil {
		c.state.Circuits(func(middleware, service, now string) {
			for _, state := range []string{"closed", "open", "recovering"} {
				value := 0.0
				if state == now {
					value = 1
				}
				to <- prometheus.MustNewConstMetric(c.circuits, prometheus.GaugeValue, value, middleware, service, state)
			}
		})
	}
}

func (c *stateCollector) collectProviders(to chan<- prometheus.Metric) {
	if c.state.Providers == nil {
		return
	}
	c.state.Providers(func(name string, updates uint64, last time.Time, up bool) {
		at, running := 0.0, 0.0
		if !last.IsZero() {
			at = float64(last.UnixMilli()) / 1000
		}
		if up {
			running = 1
		}
		to <- prometheus.MustNewConstMetric(c.updates, prometheus.CounterValue, float64(updates), name)
		to <- prometheus.MustNewConstMetric(c.updated, prometheus.GaugeValue, at, name)
		to <- prometheus.MustNewConstMetric(c.running, prometheus.GaugeValue, running, name)
	})
}

// eachServer tells of each server once: a service may have one URL several times.
func (c *stateCollector) eachServer(gauge func(*prometheus.Desc, float64, ...string)) {
	up := map[[2]string]bool{}
	c.state.Servers(func(service, url string, isUp bool) {
		key := [2]string{service, url}
		up[key] = up[key] || isUp
	})
	for key, isUp := range up {
		value := 0.0
		if isUp {
			value = 1
		}
		gauge(c.servers, value, key[0], key[1])
	}
}
