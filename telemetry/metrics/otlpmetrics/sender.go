package otlpmetrics

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"

	"fairway/telemetry/otlp"
)

// sender implements metrics.Sender.
type sender struct {
	exporter metric.Exporter
	resource *resource.Resource
}

// newSender makes exporters that try once: the next push is another try, with newer
// figures.
func newSender(c *otlp.Client, of *resource.Resource) (s *sender, err error) {
	s = &sender{resource: of}
	if c.GRPC != nil {
		s.exporter, err = otlpmetricgrpc.New(context.Background(),
			otlpmetricgrpc.WithEndpoint(c.GRPC.Endpoint), otlpmetricgrpc.WithHeaders(c.GRPC.Headers), otlpmetricgrpc.WithDialOption(c.GRPC.Dial...),
			otlpmetricgrpc.WithRetry(otlpmetricgrpc.RetryConfig{}),
		)
		if err != nil {
			return nil, fmt.Errorf("grpc: %w", err)
		}
		return s, nil
	}
	options := []otlpmetrichttp.Option{
		otlpmetrichttp.WithEndpointURL(c.HTTP.URL), otlpmetrichttp.WithHeaders(c.HTTP.Headers), otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{}),
	}
	if c.HTTP.TLS != nil {
		options = append(options, otlpmetrichttp.WithTLSClientConfig(c.HTTP.TLS))
	}
	if s.exporter, err = otlpmetrichttp.New(context.Background(), options...); err != nil {
		return nil, fmt.Errorf("http: %w", err)
	}
	return s, nil
}

// Send implements metrics.Sender.
func (s *sender) Send(ctx context.Context, families []*dto.MetricFamily) error {
	gathered := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })
	scopes, err := bridge.NewMetricProducer(bridge.WithGatherer(gathered)).Produce(ctx)
	if err != nil {
		return err
	}
	all := &parts{}
	for _, scope := range scopes {
		for _, m := range scope.Metrics {
			if h, ok := m.Data.(metricdata.Histogram[float64]); ok {
				identify(h.DataPoints)
			}
			all.add(m)
		}
	}
	for _, part := range all.list {
		scope := metricdata.ScopeMetrics{Scope: instrumentation.Scope{Name: "fairway"}, Metrics: part}
		if err := s.exporter.Export(ctx, &metricdata.ResourceMetrics{Resource: s.resource, ScopeMetrics: []metricdata.ScopeMetrics{scope}}); err != nil {
			return err // the next push has what is missing
		}
	}
	return nil
}

// identify gives exemplars the identifiers of their traces in binary. The bridge leaves them
// in the form of Prometheus, in hexadecimal, for which collectors refuse a push as a whole.
func identify(points []metricdata.HistogramDataPoint[float64]) {
	for _, p := range points {
		for i := range p.Exemplars {
			e := &p.Exemplars[i]
			e.TraceID, _ = hex.DecodeString(string(e.TraceID))
			e.SpanID, _ = hex.DecodeString(string(e.SpanID))
		}
	}
}

// Close implements metrics.Sender.
func (s *sender) Close() error { return s.exporter.Shutdown(context.Background()) }
