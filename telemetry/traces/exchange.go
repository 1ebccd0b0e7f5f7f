package traces

import (
	"context"
	"maps"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"fairway/internal/answer"
	"fairway/internal/record"
	"fairway/telemetry"
)

// exchange is the span of one request, and what hangs on it. As the record, it belongs to
// the goroutine that serves the request.
type exchange struct {
	tracer *Tracer
	rec    *record.Record
	ctx    context.Context //nolint:containedctx // of the span, not of the request
	span   trace.Span
	came   http.Header // the headers that tell of a trace, as they came
	begun  int         // spans below that of the request
	sent   int         // attempts to have it answered
}

func (t *Tracer) begin(r *http.Request, rec *record.Record) *exchange {
	x := &exchange{tracer: t, rec: rec, came: http.Header{}}
	ctx := sampledContext(t.propagator.Extract(context.Background(), carrierOf(r.Header)))
	x.ctx, x.span = t.tracer.Start(ctx, methodName(r), trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(rec.Start))
	for _, name := range t.telling {
		if values, told := r.Header[name]; told {
			x.came[name] = values
			delete(r.Header, name) // a state without a trace, or the sender of another one
		}
	}
	t.propagator.Inject(x.ctx, propagation.HeaderCarrier(r.Header))
	return x
}

// sampledContext is ctx without a sender that leaves it to us whether a trace is sampled:
// it is, and who comes next is to be told so.
func sampledContext(ctx context.Context) context.Context {
	sender := trace.SpanContextFromContext(ctx)
	if !sender.IsValid() || sender.IsSampled() {
		return ctx
	}
	fresh := baggage.ContextWithBaggage(context.Background(), baggage.FromContext(ctx))
	return trace.ContextWithRemoteSpanContext(fresh, sender.WithTraceFlags(sender.TraceFlags().WithSampled(true)))
}

// TraceID implements record.Trace.
func (x *exchange) TraceID() [16]byte { return x.span.SpanContext().TraceID() }

// SpanID implements record.Trace.
func (x *exchange) SpanID() [8]byte { return x.span.SpanContext().SpanID() }

// Forget implements record.Trace. The span never ends, and so is not sent.
func (x *exchange) Forget(r *http.Request) {
	for _, name := range x.tracer.telling {
		delete(r.Header, name)
	}
	maps.Copy(r.Header, x.came)
}

// insideKey is for the innermost part that serves a request, in the context of that.
type insideKey struct{}

// start begins with a span below that of the part that serves r.
func (x *exchange) start(r *http.Request, name string, kind trace.SpanKind, attributes ...attribute.KeyValue) (context.Context, trace.Span) {
	x.begun++
	parent := x.ctx
	if part, ok := r.Context().Value(insideKey{}).(trace.Span); ok {
		parent = trace.ContextWithSpan(x.ctx, part)
	}
	return x.tracer.tracer.Start(parent, name, trace.WithSpanKind(kind), trace.WithAttributes(attributes...))
}

// Enter implements record.Trace.
func (x *exchange) Enter(r *http.Request, p *record.Part) (inside *http.Request, leave func(status int, broken bool)) {
	_, span := x.start(r, p.Kind+" "+p.Name, trace.SpanKindInternal, x.ofPart(p)...)
	begun := x.begun
	return r.WithContext(context.WithValue(r.Context(), insideKey{}, span)), func(status int, broken bool) {
		if status != 0 {
			span.SetAttributes(attribute.Int("http.response.status_code", status))
		}
		cause := ""
		if begun == x.begun || broken { // nobody further inside has had the request, or has ended it well
			cause = x.rec.Cause
		}
		if cause != "" {
			span.SetAttributes(str("error.message", cause))
		}
		if broken && status != answer.StatusClientClosedRequest || status >= http.StatusInternalServerError {
			span.SetAttributes(str("error.type", x.errorType(status)))
			span.SetStatus(codes.Error, own(cause))
		}
		span.End()
	}
}

// errorType is the class of what went wrong, if the record has it, else the status.
func (x *exchange) errorType(status int) string {
	switch {
	case x.rec.Class != "":
		return x.rec.Class
	case status >= http.StatusBadRequest:
		return strconv.Itoa(status)
	}
	return otherError
}

// otherError is an error.type where there is no better one (semantic conventions).
const otherError = "_OTHER"

// Attempt implements record.Trace.
func (x *exchange) Attempt(r *http.Request, server string) record.Done {
	attributes := x.ofAttempt(r, server)
	if !x.rec.Paged { // else it is for the page of an error
		if x.sent > 0 {
			attributes = append(attributes, attribute.Int("http.request.resend_count", x.sent))
		}
		x.sent++
	}
	return x.ask(r, attributes)
}

// Ask implements record.Trace.
func (x *exchange) Ask(r *http.Request) record.Done {
	return x.ask(r, x.ofAttempt(r, r.URL.Scheme+"://"+r.URL.Host))
}

func (x *exchange) ask(r *http.Request, attributes []attribute.KeyValue) record.Done {
	ctx, span := x.start(r, methodName(r), trace.SpanKindClient, attributes...)
	x.tracer.propagator.Inject(ctx, propagation.HeaderCarrier(r.Header))
	return func(status int, class string, err error) {
		if status != 0 {
			span.SetAttributes(attribute.Int("http.response.status_code", status))
		}
		if err == nil && status >= http.StatusBadRequest { // semantic conventions: an error, for who has sent the request
			class = strconv.Itoa(status)
			span.SetStatus(codes.Error, "")
		}
		if err != nil {
			if class == "" {
				class = otherError
			}
			span.SetStatus(codes.Error, own(err.Error()))
		}
		if class != "" {
			span.SetAttributes(str("error.type", class))
		}
		span.End()
	}
}

// end ends the span of the request.
func (x *exchange) end(e *telemetry.Exchange) {
	if e.Record.Router != "" {
		x.span.SetName(methodName(e.Request) + " " + e.Record.Router)
	}
	x.span.SetAttributes(x.ofRequest(e)...)
	if failed(e) {
		x.span.SetAttributes(str("error.type", x.errorType(e.Status)))
		x.span.SetStatus(codes.Error, own(e.Record.Cause))
	}
	x.span.End(trace.WithTimestamp(e.Record.Start.Add(e.Duration)))
}

// failed tells a request that the server side is to blame for: its answer says so, or
// broke off.
func failed(e *telemetry.Exchange) bool {
	rec := e.Record
	return e.Status >= http.StatusInternalServerError || e.Status < http.StatusBadRequest && rec.Cause != "" && rec.Server != "" && !rec.Paged
}
