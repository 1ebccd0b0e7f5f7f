package traces

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"fairway/internal/record"
	"fairway/telemetry"
)

// Tracer follows requests.
type Tracer struct {
	rate              float64
	internals, b3     bool
	request, response []string // headers that become attributes
	safe              []string
	propagator        propagation.TextMapPropagator
	exporter          *counting
	provider          *sdktrace.TracerProvider
	tracer            trace.Tracer
}

// Begin follows a request, if it is one to be followed: the record gets its span, and the
// headers of the request tell of it from then on.
func (t *Tracer) Begin(r *http.Request, rec *record.Record) {
	if !t.sampled(r.Header) {
		return
	}
	ctx := t.propagator.Extract(context.Background(), propagation.HeaderCarrier(r.Header))
	ctx, span := t.tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(rec.Start))
	t.propagator.Inject(ctx, propagation.HeaderCarrier(r.Header))
	rec.Trace = &exchange{tracer: t, ctx: ctx, span: span}
}

// sampled decides: as the sender of a trace does, else by lot. It allocates nothing.
func (t *Tracer) sampled(h http.Header) bool {
	if parent := h["Traceparent"]; len(parent) == 1 && len(parent[0]) >= 55 {
		return hexDigit(parent[0][54])&1 == 1 // the flag "sampled" (W3C Trace Context, section 3.2.2.5)
	}
	if t.b3 {
		if sampled, known := sampledByB3(h); known {
			return sampled
		}
	}
	return t.rate >= 1 || t.rate > 0 && rand.Float64() < t.rate //nolint:gosec // a lot, not a secret
}

func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 0
}

// sampledByB3 reads what a sender with B3 has decided.
func sampledByB3(h http.Header) (sampled, known bool) {
	if single := h["B3"]; len(single) == 1 {
		if single[0] == "0" {
			return false, true
		}
		_, rest, _ := strings.Cut(single[0], "-")
		_, state, _ := strings.Cut(rest, "-")
		if state != "" {
			return state[0] == '1' || state[0] == 'd', true
		}
	}
	if flag := h["X-B3-Sampled"]; len(flag) == 1 {
		return flag[0] == "1" || flag[0] == "true", true
	}
	return false, false
}

// exchange is the span of one request.
type exchange struct {
	tracer *Tracer
	ctx    context.Context //nolint:containedctx // of the span, not of the request
	span   trace.Span
}

// TraceID implements record.Trace.
func (x *exchange) TraceID() [16]byte { return x.span.SpanContext().TraceID() }

// SpanID implements record.Trace.
func (x *exchange) SpanID() [8]byte { return x.span.SpanContext().SpanID() }

// Attempt implements record.Trace.
func (x *exchange) Attempt(r *http.Request, server string) func(status int, err error) {
	ctx, span := x.tracer.tracer.Start(x.ctx, r.Method, trace.WithSpanKind(trace.SpanKindClient))
	x.tracer.propagator.Inject(ctx, propagation.HeaderCarrier(r.Header))
	span.SetAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("url.full", server+r.URL.Path),
		attribute.String("server.address", host(server)),
	)
	return func(status int, err error) {
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		} else {
			span.SetAttributes(attribute.Int("http.response.status_code", status))
			if status >= http.StatusBadRequest { // semantic conventions: an error, for who has sent the request
				span.SetStatus(codes.Error, "")
			}
		}
		span.End()
	}
}

func host(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// Observe implements telemetry.Observer: the span of a request ends.
func (t *Tracer) Observe(e *telemetry.Exchange) {
	x, ok := e.Record.Trace.(*exchange)
	if !ok {
		return
	}
	rec, r := e.Record, e.Request
	if !t.internals && strings.HasSuffix(rec.Service, "@internal") || rec.Silent.Traces {
		return // it never ends, and is not sent
	}
	if rec.Router != "" {
		x.span.SetName(r.Method + " " + rec.Router)
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	attributes := []attribute.KeyValue{
		attribute.String("http.request.method", r.Method), attribute.String("url.scheme", scheme), attribute.String("url.path", r.URL.Path),
		attribute.String("server.address", rec.Host), attribute.String("client.address", rec.Peer),
		attribute.String("network.protocol.version", strings.TrimPrefix(r.Proto, "HTTP/")),
		attribute.Int("http.response.status_code", e.Status), attribute.Int64("http.request.body.size", e.Received), attribute.Int64("http.response.body.size", e.Written),
		attribute.String("fairway.entry_point", rec.EntryPoint), attribute.String("fairway.router", rec.Router), attribute.String("fairway.service", rec.Service),
	}
	if r.URL.RawQuery != "" {
		attributes = append(attributes, attribute.String("url.query", t.query(r.URL.RawQuery)))
	}
	if agent := r.Header["User-Agent"]; len(agent) > 0 {
		attributes = append(attributes, attribute.String("user_agent.original", agent[0]))
	}
	for _, name := range t.request {
		if values := r.Header[name]; len(values) > 0 {
			attributes = append(attributes, attribute.StringSlice("http.request.header."+strings.ToLower(name), values))
		}
	}
	for _, name := range t.response {
		if value := e.Response.Get(name); value != "" {
			attributes = append(attributes, attribute.StringSlice("http.response.header."+strings.ToLower(name), []string{value}))
		}
	}
	if rec.Cause != "" {
		attributes = append(attributes, attribute.String("error.message", rec.Cause))
	}
	x.span.SetAttributes(attributes...)
	if e.Status >= http.StatusInternalServerError {
		x.span.SetStatus(codes.Error, rec.Cause)
	}
	x.span.End(trace.WithTimestamp(rec.Start.Add(e.Duration)))
}

// query shows the names of parameters, and the values of those that are safe.
func (t *Tracer) query(raw string) string {
	parts := strings.Split(raw, "&")
	for i, part := range parts {
		if name, _, has := strings.Cut(part, "="); has && !slices.Contains(t.safe, name) {
			parts[i] = name + "=REDACTED"
		}
	}
	return strings.Join(parts, "&")
}

// counting is an exporter that knows what was lost, and says it once a minute at most.
type counting struct {
	sdktrace.SpanExporter
	log  logrus.FieldLogger
	lost atomic.Uint64
	told atomic.Int64
}

// ExportSpans implements sdktrace.SpanExporter. Who is traced does not wait for it.
func (c *counting) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := c.SpanExporter.ExportSpans(ctx, spans)
	if err == nil {
		return nil
	}
	c.lost.Add(uint64(len(spans)))
	if now, told := time.Now().Unix(), c.told.Load(); now-told >= 60 && c.told.CompareAndSwap(told, now) {
		c.log.WithError(err).WithField("lost", c.lost.Load()).Warn("spans cannot be sent to the collector")
	}
	return nil // said already
}

// Lost are the spans that could not be sent.
func (t *Tracer) Lost() uint64 { return t.exporter.lost.Load() }
