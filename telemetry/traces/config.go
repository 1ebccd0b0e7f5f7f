// Package traces follows requests for OpenTelemetry: a span for each request that is
// sampled, and one for each attempt to have it answered by a server, whose own spans
// hang on that.
//
// Whether a request is sampled is decided before anything is made: a request that is not
// costs a look into its headers.
package traces

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/sirupsen/logrus"
	"go.opentelemetry.io/contrib/propagators/b3"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"fairway/internal/nearest"
	"fairway/telemetry/otlp"
)

// Config is the install option tracing.
type Config struct {
	// ServiceName is what fairway calls itself. Default: fairway.
	ServiceName string `json:"serviceName,omitempty"`
	// ResourceAttributes are further attributes of fairway itself. host.name and
	// service.instance.id are the name of the machine if they are not given.
	ResourceAttributes map[string]string `json:"resourceAttributes,omitempty"`
	// SampleRate is the part of the requests that are followed, from 0 to 1, of those that
	// come without a trace. One that comes with a trace is followed if its sender does so.
	// Default: 1.
	SampleRate float64 `json:"sampleRate"`
	// CapturedRequestHeaders are headers of requests that become attributes.
	CapturedRequestHeaders []string `json:"capturedRequestHeaders,omitempty"`
	// CapturedResponseHeaders are headers of responses that become attributes.
	CapturedResponseHeaders []string `json:"capturedResponseHeaders,omitempty"`
	// SafeQueryParams are parameters of queries whose values are shown. Others are written
	// REDACTED.
	SafeQueryParams []string `json:"safeQueryParams,omitempty"`
	// AddInternals follows requests to fairway's own services as well. Default: false.
	AddInternals bool `json:"addInternals,omitempty"`
	// OTLP is where spans are sent: to a collector by the OpenTelemetry protocol. Default:
	// by HTTP to localhost:4318.
	OTLP *otlp.Collector `json:"otlp,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// SetDefaults implements the defaults documented at the fields.
func (c *Config) SetDefaults() { c.ServiceName, c.SampleRate = "fairway", 1 }

// New makes the tracer. Nothing is sent before the first span ends.
func (c *Config) New(log logrus.FieldLogger) (*Tracer, error) {
	if c.SampleRate < 0 || c.SampleRate > 1 {
		return nil, fmt.Errorf("sampleRate: %v is not from 0 to 1", c.SampleRate)
	}
	t := &Tracer{rate: c.SampleRate, internals: c.AddInternals, request: canonical(c.CapturedRequestHeaders), response: canonical(c.CapturedResponseHeaders), safe: c.SafeQueryParams}
	var err error
	if err = t.propagate(os.Getenv("OTEL_PROPAGATORS")); err != nil {
		return nil, err
	}
	client, err := newClient(c.OTLP)
	if err != nil {
		return nil, fmt.Errorf("otlp.%w", err)
	}
	to, err := otlptrace.New(context.Background(), client) // connects when there is something to send
	if err != nil {
		return nil, fmt.Errorf("otlp: %w", err)
	}
	t.exporter = &exporter{SpanExporter: to, log: log}
	batches := sdktrace.NewBatchSpanProcessor(t.exporter, sdktrace.WithMaxQueueSize(queueLength))
	t.provider = sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.AlwaysSample()), // see Begin
		sdktrace.WithResource(otlp.Resource(c.ServiceName, c.ResourceAttributes)),
		sdktrace.WithSpanProcessor(&queue{batches, t.exporter}),
	)
	t.tracer = t.provider.Tracer("fairway")
	return t, nil
}

func canonical(names []string) (all []string) {
	for _, name := range names {
		all = append(all, http.CanonicalHeaderKey(name))
	}
	return all
}

// propagate chooses how traces come and are passed on, by the names that the variable
// OTEL_PROPAGATORS has.
func (t *Tracer) propagate(names string) error {
	if names == "" {
		names = "tracecontext,baggage"
	}
	var all []propagation.TextMapPropagator
	for name := range strings.SplitSeq(names, ",") {
		switch name = strings.TrimSpace(name); name {
		case "tracecontext":
			all, t.w3c = append(all, propagation.TraceContext{}), true
		case "baggage":
			all = append(all, propagation.Baggage{})
		case "b3":
			all, t.b3 = append(all, b3.New(b3.WithInjectEncoding(b3.B3SingleHeader))), true
			t.flags = append(t.flags, "B3")
		case "b3multi":
			all, t.b3 = append(all, b3.New(b3.WithInjectEncoding(b3.B3MultipleHeader))), true
			t.flags = append(t.flags, "X-B3-Sampled")
		case "none":
		default:
			known := []string{"tracecontext", "baggage", "b3", "b3multi", "none"}
			err := fmt.Errorf("the variable OTEL_PROPAGATORS: there is no %q, only %s", name, strings.Join(known, ", "))
			if near := nearest.Name(name, known); near != "" {
				err = fmt.Errorf("%w; did you mean %q?", err, near)
			}
			return err
		}
	}
	if t.w3c {
		t.telling = append(t.telling, headersOfW3C[:]...)
	}
	if t.b3 {
		t.telling = append(t.telling, headersOfB3[:]...)
	}
	t.untell = func(h http.Header) {
		for _, name := range t.telling {
			delete(h, name)
		}
	}
	t.propagator = propagation.NewCompositeTextMapPropagator(all...)
	return nil
}

func newClient(collector *otlp.Collector) (otlptrace.Client, error) {
	c, err := collector.Client("/v1/traces")
	if err != nil {
		return nil, err
	}
	if c.GRPC != nil {
		return otlptracegrpc.NewClient(
			otlptracegrpc.WithEndpoint(c.GRPC.Endpoint), otlptracegrpc.WithHeaders(c.GRPC.Headers), otlptracegrpc.WithDialOption(c.GRPC.Dial...),
		), nil
	}
	options := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(c.HTTP.URL), otlptracehttp.WithHeaders(c.HTTP.Headers)}
	if c.HTTP.TLS != nil {
		options = append(options, otlptracehttp.WithTLSClientConfig(c.HTTP.TLS))
	}
	return otlptracehttp.NewClient(options...), nil
}

// Close sends what is left, as long as ctx allows.
func (t *Tracer) Close(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// WantsHeaders tells whether fields of responses are needed.
func (t *Tracer) WantsHeaders() bool { return len(t.response) > 0 }
