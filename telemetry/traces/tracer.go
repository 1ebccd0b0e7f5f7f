package traces

import (
	"net/http"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"fairway/internal/record"
	"fairway/telemetry"
)

// Tracer follows requests.
type Tracer struct {
	rate              float64
	internals         bool
	w3c, b3           bool     // traces come in these forms
	request, response []string // headers that become attributes
	safe              []string
	propagator        propagation.TextMapPropagator
	telling           []string // headers that tell of a trace
	flags             []string // of B3, that tell of a request that is not followed
	parents           sync.Pool
	untell            func(http.Header) // takes back what tellUnsampled says
	exporter          *exporter
	provider          *sdktrace.TracerProvider
	tracer            trace.Tracer
}

// Begin follows a request, if it is one to be followed: the record gets its span, and the
// headers of the request tell of it from then on. They tell as well that one is not.
func (t *Tracer) Begin(r *http.Request, rec *record.Record) {
	if t.sampled(r.Header) {
		rec.Trace = t.begin(r, rec)
		return
	}
	t.tellUnsampled(r, rec)
}

// Observe implements telemetry.Observer: the span of a request ends.
func (t *Tracer) Observe(e *telemetry.Exchange) {
	x, ok := e.Record.Trace.(*exchange)
	if !ok {
		return
	}
	if !t.internals && strings.HasSuffix(e.Record.Service, "@internal") || e.Record.Silent.Traces {
		return // it never ends, and is not sent
	}
	x.end(e)
}
