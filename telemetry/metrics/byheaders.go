package metrics

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// mostHeaderSeries is how many series of a family have values of headers.
	mostHeaderSeries = 1000
	// longestHeaderValue is how many bytes of a header a label may have.
	longestHeaderValue = 128
	otherValue         = "other"
)

// byHeaders counts the requests of a family, where labels are taken from headers. Whoever
// sends requests chooses these, so that it is the number of series that is bounded: when
// there are too many, further values count as "other".
type byHeaders struct {
	*prometheus.CounterVec
	own []string // labels of the object

	mu   sync.Mutex
	seen map[objectKey]map[string]prometheus.Counter // those with values of their own, by all further labels
	size int                                         // of all in seen
}

func newByHeaders(of Metric, own, headers []string) *byHeaders {
	return &byHeaders{
		CounterVec: prometheus.NewCounterVec(prometheus.CounterOpts{Name: of.Name, Help: of.Help}, append(slices.Clip(of.Labels), headers...)),
		own:        own, seen: map[objectKey]map[string]prometheus.Counter{},
	}
}

func (b *byHeaders) count(key cellKey, object objectKey, values []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	of := strings.Join(append([]string{strconv.Itoa(int(key))}, values...), "\x00")
	c := b.seen[object][of]
	if c == nil {
		c = b.fresh(key, object, of, values)
	}
	c.Inc()
}

// fresh makes a series, or finds the one of other values. It keeps nothing of the request:
// a value is a part of the whole head.
func (b *byHeaders) fresh(key cellKey, object objectKey, of string, values []string) prometheus.Counter {
	if b.size >= mostHeaderSeries {
		for i := range values {
			values[i] = otherValue
		}
		return b.WithLabelValues(append(ordinaryLabels(key, object), values...)...)
	}
	for i := range values {
		values[i] = strings.Clone(values[i])
	}
	if b.seen[object] == nil {
		b.seen[object] = map[string]prometheus.Counter{}
	}
	c := b.WithLabelValues(append(ordinaryLabels(key, object), values...)...)
	b.seen[object][of] = c
	b.size++
	return c
}

// forget makes room for others.
func (b *byHeaders) forget(object objectKey) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.size -= len(b.seen[object])
	delete(b.seen, object)
	labels := prometheus.Labels{}
	for i, value := range object.labels() {
		labels[b.own[i]] = value
	}
	b.DeletePartialMatch(labels)
}

// headerValues are the labels that are taken from a request.
func (m *Metrics) headerValues(h http.Header) []string {
	values := make([]string, len(m.headers))
	for i, label := range m.headers {
		sent := h[label.header]
		switch {
		case len(sent) == 0 || !utf8.ValidString(sent[0]):
		case len(sent[0]) > longestHeaderValue:
			values[i] = otherValue
		default:
			values[i] = sent[0]
		}
	}
	return values
}
