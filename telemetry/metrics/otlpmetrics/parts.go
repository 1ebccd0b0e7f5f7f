package otlpmetrics

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// Collectors take messages of 4 MiB by gRPC, and refuse larger ones as a whole. So a push
// goes in parts; a metric with many series may be in several.

// mostBytes is how large a part gets, by the estimates below, which are rather high.
const mostBytes = 2 << 20

// parts are metrics for one message each.
type parts struct {
	list [][]metricdata.Metrics
	left int // bytes that still fit into the last one
}

func (p *parts) add(m metricdata.Metrics) {
	head := len(m.Name) + len(m.Description) + 32
	switch data := m.Data.(type) {
	case metricdata.Sum[float64]:
		cut(p, head, data.DataPoints, sizeOfNumber, func(some []metricdata.DataPoint[float64]) {
			data.DataPoints = some
			p.put(m, data)
		})
	case metricdata.Gauge[float64]:
		cut(p, head, data.DataPoints, sizeOfNumber, func(some []metricdata.DataPoint[float64]) {
			data.DataPoints = some
			p.put(m, data)
		})
	case metricdata.Histogram[float64]:
		cut(p, head, data.DataPoints, sizeOfHistogram, func(some []metricdata.HistogramDataPoint[float64]) {
			data.DataPoints = some
			p.put(m, data)
		})
	case metricdata.ExponentialHistogram[float64]:
		cut(p, head, data.DataPoints, sizeOfExponential, func(some []metricdata.ExponentialHistogramDataPoint[float64]) {
			data.DataPoints = some
			p.put(m, data)
		})
	default: // summaries of Go and of the process: one series each
		p.room(1 << 10)
		p.put(m, data)
	}
}

// cut hands on points in runs that fit, each to the part that is the last one then.
func cut[P any](p *parts, head int, points []P, size func(*P) int, put func([]P)) {
	from := 0
	p.room(head)
	for i := range points {
		if n := size(&points[i]); n > p.left && i > from {
			put(points[from:i])
			from, p.left = i, 0
			p.room(head + n)
			p.left -= n
		} else {
			p.left -= n
		}
	}
	put(points[from:])
}

// room takes bytes of the last part, or begins another.
func (p *parts) room(n int) {
	if n > p.left {
		p.list = append(p.list, nil)
		p.left = mostBytes
	}
	p.left -= n
}

func (p *parts) put(m metricdata.Metrics, data metricdata.Aggregation) {
	m.Data = data
	last := &p.list[len(p.list)-1]
	*last = append(*last, m)
}

// What a point takes in a message, beside its attributes: the two times, the value, what
// says which field is which.
const sizeOfPoint = 48

// sizeOfExemplar has the identifiers of the trace and the span, the value and the time.
const sizeOfExemplar = 64

func sizeOfAttributes(set attribute.Set) (n int) {
	for of := set.Iter(); of.Next(); {
		kv := of.Attribute()
		n += len(kv.Key) + len(kv.Value.AsString()) + 16
	}
	return n
}

func sizeOfNumber(p *metricdata.DataPoint[float64]) int {
	return sizeOfPoint + sizeOfAttributes(p.Attributes) + len(p.Exemplars)*sizeOfExemplar
}

func sizeOfHistogram(p *metricdata.HistogramDataPoint[float64]) int {
	return sizeOfPoint + sizeOfAttributes(p.Attributes) + len(p.Exemplars)*sizeOfExemplar + 8*(len(p.Bounds)+len(p.BucketCounts)+4)
}

func sizeOfExponential(p *metricdata.ExponentialHistogramDataPoint[float64]) int {
	const number = 10 // of a count, at most
	return sizeOfPoint + sizeOfAttributes(p.Attributes) + len(p.Exemplars)*sizeOfExemplar + number*(len(p.PositiveBucket.Counts)+len(p.NegativeBucket.Counts)+6)
}
