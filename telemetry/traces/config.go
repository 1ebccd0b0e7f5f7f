// Package traces follows requests for OpenTelemetry: a span for each request that is
// sampled, and one for each attempt to have it answered by a server, whose own spans
// hang on that.
//
// Whether a request is sampled is decided before anything is made: a request that is not
// costs a look into its headers.
package traces

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/sirupsen/logrus"
	"go.opentelemetry.io/contrib/propagators/b3"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc/credentials"

	"fairway/internal/nearest"
)

// Config is the install option tracing.
type Config struct {
	// ServiceName is what fairway calls itself. Default: fairway.
	ServiceName string `json:"serviceName,omitempty"`
	// ResourceAttributes are further attributes of fairway itself.
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
	OTLP *OTLP `json:"otlp,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// OTLP is a collector, that is spoken to by HTTP or by gRPC.
type OTLP struct {
	// HTTP sends spans by HTTP.
	HTTP *HTTP `json:"http,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// GRPC sends spans by gRPC.
	GRPC *GRPC `json:"grpc,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// HTTP is a collector by HTTP.
type HTTP struct {
	// Endpoint is its URL. Default: http://localhost:4318/v1/traces.
	Endpoint string `json:"endpoint,omitempty"`
	// Headers are sent with each request.
	Headers map[string]string `json:"headers,omitempty"`
	// TLS is for endpoints by https.
	TLS *TLS `json:"tls,omitempty"`
}

// GRPC is a collector by gRPC.
type GRPC struct {
	// Endpoint is its host and port. Default: localhost:4317.
	Endpoint string `json:"endpoint,omitempty"`
	// Insecure speaks without TLS. Default: false.
	Insecure bool `json:"insecure,omitempty"`
	// Headers are sent with each call.
	Headers map[string]string `json:"headers,omitempty"`
	// TLS is how TLS is spoken.
	TLS *TLS `json:"tls,omitempty"`
}

// TLS is how a collector is spoken to by TLS.
type TLS struct {
	// CA is a file with the authorities that its certificate may come from. Default:
	// those of the system.
	CA string `json:"ca,omitempty"`
	// Cert is a file with a certificate to show.
	Cert string `json:"cert,omitempty"`
	// Key is the file with its key.
	Key string `json:"key,omitempty"`
	// InsecureSkipVerify takes every certificate for good. Default: false.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
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
	client, err := c.OTLP.client()
	if err != nil {
		return nil, fmt.Errorf("otlp.%w", err)
	}
	attributes := []attribute.KeyValue{attribute.String("service.name", c.ServiceName)}
	for name, value := range c.ResourceAttributes {
		attributes = append(attributes, attribute.String(name, value))
	}
	to, err := otlptrace.New(context.Background(), client) // connects when there is something to send
	if err != nil {
		return nil, fmt.Errorf("otlp: %w", err)
	}
	t.exporter = &exporter{SpanExporter: to, log: log}
	batches := sdktrace.NewBatchSpanProcessor(t.exporter, sdktrace.WithMaxQueueSize(queueLength))
	t.provider = sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.AlwaysSample()), // see Begin
		sdktrace.WithResource(resource.NewSchemaless(attributes...)),
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
		case "b3multi":
			all, t.b3 = append(all, b3.New(b3.WithInjectEncoding(b3.B3MultipleHeader))), true
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
	t.propagator = propagation.NewCompositeTextMapPropagator(all...)
	return nil
}

func (o *OTLP) client() (otlptrace.Client, error) {
	switch {
	case o != nil && o.GRPC != nil && o.HTTP != nil:
		return nil, errors.New("grpc and http cannot be given together")
	case o != nil && o.GRPC != nil:
		return o.GRPC.client()
	case o != nil && o.HTTP != nil:
		return o.HTTP.client()
	}
	return (&HTTP{}).client()
}

func (h *HTTP) client() (otlptrace.Client, error) {
	endpoint := h.Endpoint
	if endpoint == "" {
		endpoint = "http://localhost:4318/v1/traces"
	}
	if !strings.HasPrefix(endpoint, "http://") && !strings.HasPrefix(endpoint, "https://") {
		return nil, fmt.Errorf("http.endpoint: %q is no URL", endpoint)
	}
	options := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(endpoint), otlptracehttp.WithHeaders(h.Headers)}
	if h.TLS != nil {
		config, err := h.TLS.config()
		if err != nil {
			return nil, fmt.Errorf("http.tls.%w", err)
		}
		options = append(options, otlptracehttp.WithTLSClientConfig(config))
	}
	return otlptracehttp.NewClient(options...), nil
}

func (g *GRPC) client() (otlptrace.Client, error) {
	endpoint := g.Endpoint
	if endpoint == "" {
		endpoint = "localhost:4317"
	}
	options := []otlptracegrpc.Option{otlptracegrpc.WithEndpoint(endpoint), otlptracegrpc.WithHeaders(g.Headers)}
	switch {
	case g.Insecure:
		options = append(options, otlptracegrpc.WithInsecure())
	case g.TLS != nil:
		config, err := g.TLS.config()
		if err != nil {
			return nil, fmt.Errorf("grpc.tls.%w", err)
		}
		options = append(options, otlptracegrpc.WithTLSCredentials(credentials.NewTLS(config)))
	}
	return otlptracegrpc.NewClient(options...), nil
}

func (t *TLS) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: t.InsecureSkipVerify} //nolint:gosec // as the operator asks
	if t.CA != "" {
		text, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ca: there is no certificate in %s", t.CA)
		}
	}
	if t.Cert != "" || t.Key != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("cert: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// Close sends what is left, as long as ctx allows.
func (t *Tracer) Close(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// WantsHeaders tells whether fields of responses are needed.
func (t *Tracer) WantsHeaders() bool { return len(t.response) > 0 }
