package metrics

import (
	"crypto/tls"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"fairway/telemetry"
)

// family are the metrics of entry points, of routers, or of services.
type family struct {
	requests, tls  *prometheus.CounterVec
	durations      *prometheus.HistogramVec
	received, sent *prometheus.CounterVec

	own     []string // labels of the object: its name, and more
	headers int      // labels that are taken from the request
	objects sync.Map // name -> *object

	mu   sync.Mutex
	seen map[string]bool // combinations of values of headers
}

func (m *Metrics) newFamily(kind string, headers []string, own ...string) *family {
	name := m.config.Prefix + "_" + kind
	labels := append([]string{"code", "method", "protocol"}, own...)
	counter := func(suffix, help string, labels []string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name + suffix, Help: help}, labels)
	}
	duration := prometheus.HistogramOpts{Name: name + "_request_duration_seconds", Help: "From the head of a request to the end of its response.", Buckets: m.config.Buckets}
	if m.config.NativeHistograms {
		duration.NativeHistogramBucketFactor = 1.1
		duration.NativeHistogramMaxBucketNumber = 160
		duration.NativeHistogramMinResetDuration = time.Hour
	}
	return &family{
		requests:  counter("_requests_total", "Requests.", append(slices.Clip(labels), headers...)),
		tls:       counter("_requests_tls_total", "Requests by TLS.", append([]string{"tls_version", "tls_cipher"}, own...)),
		durations: prometheus.NewHistogramVec(duration, labels),
		received:  counter("_requests_bytes_total", "Bytes of the bodies of requests.", labels),
		sent:      counter("_responses_bytes_total", "Bytes of the bodies of responses.", labels),
		own:       own,
		headers:   len(headers),
		seen:      map[string]bool{},
	}
}

// object is one entry point, router or service. Its counters are found by what differs
// from request to request.
type object struct {
	mu    sync.RWMutex
	cells map[cellKey]*cell
	tls   map[tlsKey]prometheus.Counter
}

type cellKey struct {
	status           int
	method, protocol string
}

type tlsKey struct{ version, cipher uint16 }

type cell struct {
	requests, received, sent prometheus.Counter
	duration                 prometheus.Observer
}

// object finds one by its labels, of which the first is its name.
func (f *family) object(labels ...string) *object {
	key := labels[0]
	if o, ok := f.objects.Load(key); ok {
		return o.(*object)
	}
	o, _ := f.objects.LoadOrStore(key, &object{cells: map[cellKey]*cell{}, tls: map[tlsKey]prometheus.Counter{}})
	return o.(*object)
}

func (o *object) cell(f *family, key cellKey, labels []string) *cell {
	o.mu.RLock()
	c := o.cells[key]
	o.mu.RUnlock()
	if c != nil {
		return c
	}
	values := append([]string{strconv.Itoa(key.status), key.method, key.protocol}, labels...)
	c = &cell{
		duration: f.durations.WithLabelValues(values...), received: f.received.WithLabelValues(values...), sent: f.sent.WithLabelValues(values...),
	}
	if f.headers == 0 {
		c.requests = f.requests.WithLabelValues(values...)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cells[key] = c
	return c
}

func (o *object) secure(f *family, key tlsKey, labels []string) prometheus.Counter {
	o.mu.RLock()
	c := o.tls[key]
	o.mu.RUnlock()
	if c != nil {
		return c
	}
	c = f.tls.WithLabelValues(append([]string{versionName(key.version), tls.CipherSuiteName(key.cipher)}, labels...)...)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tls[key] = c
	return c
}

// versionName is as Traefik has it.
func versionName(v uint16) string {
	switch v {
	case tls.VersionTLS10:
		return "1.0"
	case tls.VersionTLS11:
		return "1.1"
	case tls.VersionTLS12:
		return "1.2"
	case tls.VersionTLS13:
		return "1.3"
	}
	return "unknown"
}

// methods that have a series of their own. Clients may send any word as a method.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return "EXTENSION_METHOD"
}

// protocolLabel is as Traefik has it.
func protocolLabel(r *http.Request) string {
	if upgrade := r.Header["Upgrade"]; len(upgrade) == 1 && upgrade[0] == "websocket" {
		return "websocket"
	}
	if accept := r.Header["Accept"]; len(accept) == 1 && accept[0] == "text/event-stream" {
		return "sse"
	}
	return "http"
}

// Observe implements telemetry.Observer.
func (m *Metrics) Observe(e *telemetry.Exchange) {
	key := cellKey{e.Status, methodLabel(e.Request.Method), protocolLabel(e.Request)}
	rec := e.Record
	if m.entryPoints != nil {
		m.count(m.entryPoints, e, key, rec.EntryPoint)
	}
	if m.routers != nil && rec.Router != "" {
		m.count(m.routers, e, key, rec.Router, rec.Service)
	}
	if m.services != nil && rec.Service != "" {
		m.count(m.services, e, key, rec.Service)
	}
	if rec.Attempts > 1 {
		m.retried.note(rec.Service)
		m.retries.WithLabelValues(rec.Service).Add(float64(rec.Attempts - 1))
	}
}

func (m *Metrics) count(f *family, e *telemetry.Exchange, key cellKey, labels ...string) {
	o := f.object(labels...)
	c := o.cell(f, key, labels)
	if c.requests != nil {
		c.requests.Inc()
	} else {
		values := append([]string{strconv.Itoa(key.status), key.method, key.protocol}, labels...)
		f.requests.WithLabelValues(append(values, m.headerValues(f, e.Request.Header)...)...).Inc()
	}
	c.duration.Observe(e.Duration.Seconds())
	c.received.Add(float64(e.Received))
	c.sent.Add(float64(e.Written))
	if e.Request.TLS != nil {
		o.secure(f, tlsKey{e.Request.TLS.Version, e.Request.TLS.CipherSuite}, labels).Inc()
	}
}

// mostHeaderValues bounds the combinations of values of headers that have a series.
const mostHeaderValues = 1000

// headerValues are the labels that are taken from a request.
func (m *Metrics) headerValues(f *family, h http.Header) []string {
	values := make([]string, len(m.headers))
	for i, label := range m.headers {
		if sent := h[label.header]; len(sent) > 0 && utf8.ValidString(sent[0]) {
			values[i] = sent[0]
		}
	}
	key := strings.Join(values, "\x00")
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.seen[key] {
		if len(f.seen) >= mostHeaderValues {
			for i := range values {
				values[i] = "other"
			}
			return values
		}
		f.seen[key] = true
	}
	return values
}

// Keep forgets the series of routers and services that are not there any more.
func (m *Metrics) Keep(routers, services func(name string) bool) {
	m.routers.keep(routers)
	m.services.keep(services)
	for _, name := range m.retried.gone(services) {
		m.retries.DeleteLabelValues(name)
	}
}

// names are those that something has been counted for.
type names struct{ seen sync.Map }

func (n *names) note(name string) {
	if _, known := n.seen.Load(name); !known {
		n.seen.Store(name, true)
	}
}

// gone forgets and returns those that are not there any more.
func (n *names) gone(has func(name string) bool) (list []string) {
	n.seen.Range(func(key, _ any) bool {
		if name := key.(string); !has(name) {
			n.seen.Delete(name)
			list = append(list, name)
		}
		return true
	})
	return list
}

func (f *family) keep(has func(name string) bool) {
	if f == nil {
		return
	}
	f.objects.Range(func(key, _ any) bool {
		if name := key.(string); !has(name) {
			f.objects.Delete(name)
			gone := prometheus.Labels{f.own[0]: name}
			for _, vec := range []interface{ DeletePartialMatch(prometheus.Labels) int }{f.requests, f.tls, f.durations, f.received, f.sent} {
				vec.DeletePartialMatch(gone)
			}
		}
		return true
	})
}

// Reloaded counts a configuration that has come into force.
func (m *Metrics) Reloaded(at time.Time, took time.Duration) {
	m.reloads.Inc()
	m.reloaded.Set(float64(at.Unix()))
	m.reloadTook.Set(took.Seconds())
}
