package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
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
	// LogDropped are the lines of the access log that were lost.
	LogDropped func() uint64
}

// stateCollector asks for the state.
type stateCollector struct {
	state                                                             State
	connections, servers, certificates, problems, objects, logDropped *prometheus.Desc
}

func newStateCollector(prefix string, state State) *stateCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prefix+"_"+name, help, labels, nil)
	}
	return &stateCollector{
		state:        state,
		connections:  desc("open_connections", "Connections of clients that are open.", "entrypoint", "protocol"),
		servers:      desc("service_server_up", "Whether a server gets requests: 1, or 0.", "service", "url"),
		certificates: desc("tls_certs_not_after", "When a certificate runs out, in seconds of Unix time.", "cn", "serial", "sans"),
		problems:     desc("config_problems", "Problems that are there now, as /api/problems has them.", "severity"),
		objects:      desc("config_objects", "Routers, services and middlewares of the configuration in force.", "kind"),
		logDropped:   desc("accesslog_dropped_lines_total", "Lines of the access log that were lost, because the disk was full or slow."),
	}
}

// Describe implements prometheus.Collector.
func (c *stateCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.connections, c.servers, c.certificates, c.problems, c.objects, c.logDropped} {
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
	if c.state.LogDropped != nil {
		to <- prometheus.MustNewConstMetric(c.logDropped, prometheus.CounterValue, float64(c.state.LogDropped()))
	}
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
