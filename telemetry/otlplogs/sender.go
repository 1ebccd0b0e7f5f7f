package otlplogs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"fairway/telemetry/otlp"
)

// Record is one thing that is logged.
type Record struct {
	Time       time.Time
	Severity   log.Severity
	Text       string // of the severity
	Body       string
	Attributes []attribute.KeyValue
	Trace      trace.SpanContext // that it belongs to, if any
}

// MostRecords are sent at once.
const MostRecords = 512

// longestSend is how long a collector may take for what is sent at once.
const longestSend = 4 * time.Second

// Sender sends records. One goroutine uses it.
type Sender struct {
	exporter sdklog.Exporter
	logger   log.Logger
	made     []sdklog.Record // by the provider, of those that are being sent
}

// New makes the sender, whose exporter tries once. Errors name the option at fault.
func (c *Config) New() (*Sender, error) {
	client, err := (&otlp.Collector{HTTP: c.HTTP, GRPC: c.GRPC}).Client("/v1/logs")
	if err != nil {
		return nil, err
	}
	s := &Sender{}
	if s.exporter, err = newExporter(client); err != nil {
		return nil, err
	}
	s.logger = sdklog.NewLoggerProvider(
		sdklog.WithResource(otlp.Resource(c.ServiceName, c.ResourceAttributes)), sdklog.WithProcessor(keeping{s}),
		sdklog.WithAttributeCountLimit(-1), // who logs has bounds of its own
	).Logger("fairway")
	return s, nil
}

func newExporter(c *otlp.Client) (sdklog.Exporter, error) {
	if c.GRPC != nil {
		e, err := otlploggrpc.New(context.Background(),
			otlploggrpc.WithEndpoint(c.GRPC.Endpoint), otlploggrpc.WithHeaders(c.GRPC.Headers), otlploggrpc.WithDialOption(c.GRPC.Dial...),
			otlploggrpc.WithRetry(otlploggrpc.RetryConfig{}),
		)
		if err != nil {
			return nil, fmt.Errorf("grpc: %w", err)
		}
		return e, nil
	}
	options := []otlploghttp.Option{
		otlploghttp.WithEndpointURL(c.HTTP.URL), otlploghttp.WithHeaders(c.HTTP.Headers), otlploghttp.WithRetry(otlploghttp.RetryConfig{}),
	}
	if c.HTTP.TLS != nil {
		options = append(options, otlploghttp.WithTLSClientConfig(c.HTTP.TLS))
	}
	e, err := otlploghttp.New(context.Background(), options...)
	if err != nil {
		return nil, fmt.Errorf("http: %w", err)
	}
	return e, nil
}

// ErrRefused is for records that the collector has seen, and does not take.
var ErrRefused = errors.New("the collector refuses it")

// Send sends records. What a collector takes in part is not worth another try: it would get
// the rest twice.
func (s *Sender) Send(records []Record) error {
	ctx, cancel := context.WithTimeout(context.Background(), longestSend)
	defer cancel()
	s.made = s.made[:0]
	for i := range records {
		s.make(&records[i])
	}
	err := s.exporter.Export(ctx, s.made)
	clear(s.made)
	switch {
	case err == nil || strings.Contains(err.Error(), "partial success"): // its type is private to each exporter
		return nil
	case refused(err):
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

// refused tells an answer of a collector from trouble on the way to it, or from one that has
// too much to do (OTLP, "Failures").
func refused(err error) bool {
	if s, ok := status.FromError(err); ok {
		switch s.Code() {
		case codes.OK, codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss, codes.ResourceExhausted:
			return false
		}
		return true
	}
	return strings.Contains(err.Error(), "failed to send logs") // a status of HTTP, but those that ask for another try
}

// make has the provider make a record: nobody else can.
func (s *Sender) make(r *Record) {
	var of log.Record
	of.SetTimestamp(r.Time)
	of.SetObservedTimestamp(time.Now())
	of.SetSeverity(r.Severity)
	of.SetSeverityText(r.Text)
	of.SetBody(attribute.StringValue(r.Body))
	of.AddAttributes(r.Attributes...)
	s.logger.Emit(trace.ContextWithSpanContext(context.Background(), r.Trace), of)
}

// Close implements io.Closer.
func (s *Sender) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), longestSend)
	defer cancel()
	return s.exporter.Shutdown(ctx)
}

// keeping is a processor that keeps records for Send.
type keeping struct{ s *Sender }

// Enabled implements sdklog.Processor.
func (keeping) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

// OnEmit implements sdklog.Processor.
func (k keeping) OnEmit(_ context.Context, r *sdklog.Record) error {
	k.s.made = append(k.s.made, r.Clone())
	return nil
}

// Shutdown implements sdklog.Processor.
func (keeping) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdklog.Processor.
func (keeping) ForceFlush(context.Context) error { return nil }
