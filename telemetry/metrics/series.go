package metrics

import (
	"cmp"
	"crypto/tls"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	dto "github.com/prometheus/client_model/go"

	"fairway/telemetry"
)

// family are the metrics of entry points, of routers, or of services.
type family struct {
	requests, tls, durations, received, sent Metric

	own     []string // labels of the object: its name, and more
	buckets []float64
	native  bool
	objects sync.Map // objectKey -> *object

	// byHeaders counts requests in place of the cells, where labels are taken from headers.
	byHeaders *byHeaders
}

func (m *Metrics) newFamily(kind string, headers []string, own ...string) *family {
	name := m.config.Prefix + "_" + kind
	labels := append([]string{"code", "method", "protocol"}, own...)
	desc := func(suffix, help string, labels []string) Metric { return Metric{name + suffix, help, labels} }
	f := &family{
		requests:  desc("_requests_total", "Requests.", labels),
		tls:       desc("_requests_tls_total", "Requests by TLS.", append([]string{"tls_version", "tls_cipher"}, own...)),
		durations: desc("_request_duration_seconds", "From the head of a request to the end of its response.", labels),
		received:  desc("_requests_bytes_total", "Bytes of the bodies of requests.", labels),
		sent:      desc("_responses_bytes_total", "Bytes of the bodies of responses.", labels),
		own:       own, buckets: m.config.Buckets, native: m.config.NativeHistograms,
	}
	if len(headers) > 0 {
		f.byHeaders = newByHeaders(f.requests, own, headers)
	}
	return f
}

// objectKey is the name of an entry point, a router, or a service. That of a router has its
// service as well.
type objectKey struct{ name, service string }

func (k objectKey) labels() []string {
	if k.service == "" {
		return []string{k.name}
	}
	return []string{k.name, k.service}
}

// object is one entry point, router or service. Its cells are found by what differs from
// request to request, without a lock: a map is never changed, but replaced by another.
type object struct {
	key   objectKey
	gone  atomic.Bool // forgotten: what is counted here is told to nobody
	mu    sync.Mutex  // of who replaces a map
	cells atomic.Pointer[map[cellKey]*cell]
	tls   atomic.Pointer[map[tlsKey]*secure]
}

// cellKey is a status, with the indices of method and protocol.
type cellKey uint32

func keyOf(e *telemetry.Exchange) cellKey {
	return cellKey(uint32(e.Status)<<16 | uint32(methodIndex(e.Request.Method))<<8 | uint32(protocolIndex(e.Request)))
}

// cell counts the requests of one object with the same status, method and protocol.
type cell struct {
	received, sent atomic.Uint64
	durations
	labels []*dto.LabelPair
}

type tlsKey struct{ version, cipher uint16 }

// secure counts the requests of one object by one kind of TLS.
type secure struct {
	labels   []*dto.LabelPair
	requests atomic.Uint64
}

func (f *family) object(key objectKey) *object {
	if o, ok := f.objects.Load(key); ok {
		return o.(*object)
	}
	fresh := &object{key: key}
	fresh.cells.Store(&map[cellKey]*cell{})
	fresh.tls.Store(&map[tlsKey]*secure{})
	o, _ := f.objects.LoadOrStore(key, fresh)
	return o.(*object)
}

// found is the value of a key in a map that is replaced where it has none.
func found[K comparable, V any](mu *sync.Mutex, in *atomic.Pointer[map[K]*V], key K, fresh func() *V) *V {
	if v := (*in.Load())[key]; v != nil {
		return v
	}
	mu.Lock()
	defer mu.Unlock()
	if v := (*in.Load())[key]; v != nil {
		return v
	}
	more := maps.Clone(*in.Load())
	more[key] = fresh()
	in.Store(&more)
	return more[key]
}

// ordinaryLabels are the values of the labels of a cell, in the order of the descriptions.
func ordinaryLabels(key cellKey, object objectKey) []string {
	return append([]string{strconv.Itoa(int(key >> 16)), methods[key>>8&0xff], protocols[key&0xff]}, object.labels()...)
}

func (f *family) cell(o *object, key cellKey) *cell {
	return found(&o.mu, &o.cells, key, func() *cell {
		c := &cell{labels: pairs(append([]string{"code", "method", "protocol"}, f.own...), ordinaryLabels(key, o.key))}
		c.init(f.buckets, f.native)
		return c
	})
}

func (f *family) secure(o *object, key tlsKey) *secure {
	return found(&o.mu, &o.tls, key, func() *secure {
		values := append([]string{versionName(key.version), tls.CipherSuiteName(key.cipher)}, o.key.labels()...)
		return &secure{labels: pairs(append([]string{"tls_version", "tls_cipher"}, f.own...), values)}
	})
}

// pairs are labels in the order in which they are written.
func pairs(names, values []string) []*dto.LabelPair {
	all := make([]*dto.LabelPair, 0, len(names))
	for i, value := range values {
		all = append(all, &dto.LabelPair{Name: &names[i], Value: new(strings.ToValidUTF8(value, "\uFFFD"))})
	}
	slices.SortFunc(all, func(a, b *dto.LabelPair) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return all
}

// Observe implements telemetry.Observer.
func (m *Metrics) Observe(e *telemetry.Exchange) {
	rec := e.Record
	w, p := m.way(e), placeOf(e.Duration, m.config.Buckets, m.config.NativeHistograms)
	for i := range w.at {
		if at := &w.at[i]; at.cell != nil {
			m.count(at, e, p)
		}
	}
	if who := rec.Identity; who != nil && who.Consumer != nil {
		m.consumers.WithLabelValues(who.Consumer.Name, classes[min(max(e.Status/100, 1), 5)]).Inc()
	}
	if rec.Attempts > 1 && rec.Leaf != "" {
		m.retried.note(rec.Leaf)
		m.retries.WithLabelValues(rec.Leaf).Add(float64(rec.Attempts - 1))
	}
}

// classes of status codes.
var classes = [...]string{1: "1xx", 2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}

func (m *Metrics) count(at *stop, e *telemetry.Exchange, p place) {
	at.add(p)
	if e.Record.Trace != nil {
		at.point(p.bucket, e.Duration, traceOf(e.Record.Trace))
	}
	if e.Received > 0 {
		at.received.Add(uint64(e.Received))
	}
	if e.Written > 0 {
		at.sent.Add(uint64(e.Written))
	}
	if at.family.byHeaders != nil {
		at.family.byHeaders.count(keyOf(e), at.object.key, m.headerValues(e.Request.Header))
	}
	if state := e.Request.TLS; state != nil {
		at.family.secure(at.object, tlsKey{state.Version, state.CipherSuite}).requests.Add(1)
	}
}
