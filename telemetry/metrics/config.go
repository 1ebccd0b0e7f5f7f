// Package metrics counts what passes: by entry point, router and service, under Traefik's
// names of metrics and labels, so that dashboards made for them work. Prometheus fetches
// what is counted, or it is pushed.
//
// series.go finds the counters of an exchange without a search through label values, and
// without a lock; durations.go has the histograms, collect.go what is taken of them.
// state.go asks the rest of the gateway for its state then. sets.go has as many sets of
// counters as there are wishes, push.go sends one again and again; the rooms below know to
// whom.
package metrics

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"fairway/internal/headername"
)

// Config is metrics.prometheus: counters to be scraped at /metrics.
type Config struct {
	// Prefix of the names: fairway, or traefik for dashboards and rules that were made for
	// Traefik. Default: fairway.
	Prefix string `json:"prefix,omitempty"`
	// Buckets of the histograms of durations, in seconds. Default: 0.1, 0.3, 1.2, 5.
	Buckets []float64 `json:"buckets,omitempty"`
	// NativeHistograms has durations as native histograms as well, which scrapers that
	// understand them prefer: finer, and no buckets to choose. Default: true.
	NativeHistograms bool `json:"nativeHistograms"`
	// AddEntryPointsLabels counts by entry point. Default: true.
	AddEntryPointsLabels bool `json:"addEntryPointsLabels"`
	// AddRoutersLabels counts by router. Default: false.
	AddRoutersLabels bool `json:"addRoutersLabels,omitempty"`
	// AddServicesLabels counts by service. Default: true.
	AddServicesLabels bool `json:"addServicesLabels"`
	// HeaderLabels are further labels of the counters of requests, and the headers of the
	// request that they are taken from. Whoever sends requests chooses their values, and
	// each one is a series of its own, for each entry point, router or service, status and
	// method: 1000 are kept for all entry points, for all routers and for all services,
	// further values count as "other", and so do those longer than 128 bytes.
	HeaderLabels map[string]string `json:"headerLabels,omitempty"`
	// EntryPoint where /metrics is served. Default: traefik.
	EntryPoint string `json:"entryPoint,omitempty"`
	// ManualRouting serves it nowhere by itself: route to prometheus@internal. Default:
	// false.
	ManualRouting bool `json:"manualRouting,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (c *Config) SetDefaults() {
	c.Prefix, c.EntryPoint = "fairway", "traefik"
	c.Buckets = []float64{0.1, 0.3, 1.2, 5}
	c.NativeHistograms, c.AddEntryPointsLabels, c.AddServicesLabels = true, true, true
}

// Metrics are those of one gateway.
type Metrics struct {
	registry   *prometheus.Registry
	collectors []prometheus.Collector // of what is fairway's own
	config     *Config
	headers    []headerLabel

	entryPoints, routers, services *family // nil: not counted
	ways                           *ways
	retries                        *prometheus.CounterVec
	consumers                      *prometheus.CounterVec
	retried                        names
	kept                           atomic.Pointer[kept] // nil: nobody has told yet
	reloads                        prometheus.Counter
	reloaded                       prometheus.Gauge
	reloadTook                     prometheus.Gauge
}

type headerLabel struct{ label, header string }

// New makes the metrics. State is asked when somebody scrapes.
func (c *Config) New(state State) (*Metrics, error) {
	switch {
	case c.Prefix != "fairway" && c.Prefix != "traefik":
		return nil, fmt.Errorf("prefix: %q is neither fairway nor traefik", c.Prefix)
	case !Rising(c.Buckets):
		return nil, errors.New("buckets: they have to be numbers, each higher than the one before")
	}
	m := &Metrics{registry: prometheus.NewRegistry(), config: c, ways: newWays()}
	names := []string{}
	for label, header := range c.HeaderLabels {
		if !headername.Valid(header) {
			return nil, fmt.Errorf("headerLabels: %q is no name of a header", header)
		}
		m.headers = append(m.headers, headerLabel{label, http.CanonicalHeaderKey(header)})
		names = append(names, label)
	}
	slices.SortFunc(m.headers, func(a, b headerLabel) int { return slices.Compare([]string{a.label}, []string{b.label}) })
	slices.Sort(names)
	if c.AddEntryPointsLabels {
		m.entryPoints = m.newFamily("entrypoint", names, "entrypoint")
	}
	if c.AddRoutersLabels {
		m.routers = m.newFamily("router", names, "router", "service")
	}
	if c.AddServicesLabels {
		m.services = m.newFamily("service", names, "service")
	}
	m.retries = prometheus.NewCounterVec(prometheus.CounterOpts{Name: c.Prefix + "_service_retries_total", Help: "Requests that were sent again, by the middleware retry."}, []string{"service"})
	m.reloads = prometheus.NewCounter(prometheus.CounterOpts{Name: c.Prefix + "_config_reloads_total", Help: "Configurations that have come into force."})
	m.reloaded = prometheus.NewGauge(prometheus.GaugeOpts{Name: c.Prefix + "_config_last_reload_success", Help: "When the last one did, in seconds of Unix time."})
	m.reloadTook = prometheus.NewGauge(prometheus.GaugeOpts{Name: c.Prefix + "_config_last_reload_duration_seconds", Help: "How long it took to build and put in force."})
	m.consumers = prometheus.NewCounterVec(prometheus.CounterOpts{Name: c.Prefix + "_consumer_requests_total", Help: "Requests of a consumer, by the first digit of the status: 2xx, 4xx."}, []string{"consumer", "code"})
	m.collectors = []prometheus.Collector{m.retries, m.consumers, m.reloads, m.reloaded, m.reloadTook, newStateCollector(c.Prefix, state)}
	for _, f := range m.families() {
		if f.byHeaders != nil {
			m.collectors = append(m.collectors, f.byHeaders)
		}
	}
	ofProcess := []prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})}
	for _, collector := range slices.Concat(m.collectors, ofProcess) {
		if err := m.registry.Register(collector); err != nil {
			return nil, fmt.Errorf("register: %w", err)
		}
	}
	return m, nil
}

// Rising tells whether all are numbers, each higher than the one before.
func Rising(buckets []float64) bool {
	for i, b := range buckets {
		if math.IsNaN(b) || math.IsInf(b, 0) || i > 0 && b <= buckets[i-1] {
			return false
		}
	}
	return true
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m, promhttp.HandlerOpts{EnableOpenMetrics: true})
}
