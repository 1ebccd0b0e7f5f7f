package otlpmetrics

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	v1 "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"fairway/internal/record"
	"fairway/telemetry"
	"fairway/telemetry/metrics"
	"fairway/telemetry/otlp"
)

// collector receives metrics as collectors do, by either protocol.
type collector struct {
	colmetrics.UnimplementedMetricsServiceServer
	address string

	mu       sync.Mutex
	pushes   int
	metrics  map[string]*v1.Metric // of the last push
	resource map[string]string
	token    string         // X-Token of the last push
	points   map[string]int // series that have come, by metric, over all pushes
	largest  int            // bytes of the largest push
}

// protocol is one of the two ways to a collector.
type protocol struct {
	serve func(*collector, net.Listener) (stop func())
	to    func(*Config, string)
}

func protocols() map[string]protocol {
	headers := map[string]string{"x-token": "secret"}
	return map[string]protocol{
		"HTTP": {
			func(c *collector, l net.Listener) func() {
				s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(c.serve), ReadHeaderTimeout: time.Minute}}
				s.Start()
				return s.Close
			},
			func(cfg *Config, address string) {
				cfg.HTTP = &otlp.HTTP{Endpoint: "http://" + address, Headers: headers}
			},
		},
		"gRPC": {
			func(c *collector, l net.Listener) func() {
				s := grpc.NewServer()
				colmetrics.RegisterMetricsServiceServer(s, c)
				go func() { _ = s.Serve(l) }()
				return s.Stop
			},
			func(cfg *Config, address string) {
				cfg.GRPC = &otlp.GRPC{Endpoint: address, Insecure: true, Headers: headers}
			},
		},
	}
}

// listen waits for an address that others may have for a moment: whoever connects gets any.
func listen(t *testing.T, address string) (l net.Listener) {
	t.Helper()
	await(t, "listening at "+address, func() bool {
		var err error
		l, err = net.Listen("tcp", address)
		return err == nil
	})
	return l
}

// newCollector starts one at an address.
func newCollector(t *testing.T, p protocol, l net.Listener) *collector {
	t.Helper()
	c := &collector{address: l.Addr().String(), points: map[string]int{}}
	t.Cleanup(p.serve(c, l))
	return c
}

func (c *collector) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	request := &colmetrics.ExportMetricsServiceRequest{}
	if err != nil || proto.Unmarshal(body, request) != nil || r.URL.Path != "/v1/metrics" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_, _ = c.Export(metadata.NewIncomingContext(r.Context(), metadata.Pairs("x-token", r.Header.Get("X-Token"))), request)
}

// Export implements the service of collectors.
func (c *collector) Export(ctx context.Context, r *colmetrics.ExportMetricsServiceRequest) (*colmetrics.ExportMetricsServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pushes++
	c.largest = max(c.largest, proto.Size(r))
	c.metrics, c.resource = map[string]*v1.Metric{}, map[string]string{}
	if token := metadata.ValueFromIncomingContext(ctx, "x-token"); len(token) == 1 {
		c.token = token[0]
	}
	for _, resource := range r.ResourceMetrics {
		for _, a := range resource.Resource.Attributes {
			c.resource[a.Key] = a.Value.GetStringValue()
		}
		for _, scope := range resource.ScopeMetrics {
			for _, m := range scope.Metrics {
				c.metrics[m.Name] = m
				c.points[m.Name] += len(m.GetSum().GetDataPoints()) + len(m.GetHistogram().GetDataPoints()) + len(m.GetExponentialHistogram().GetDataPoints())
			}
		}
	}
	return &colmetrics.ExportMetricsServiceResponse{}, nil
}

// got waits for a push.
func (c *collector) got(t *testing.T) {
	t.Helper()
	await(t, "a push", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.pushes > 0
	})
}

func await(t *testing.T, what string, met func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !met(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: did not come about", what)
		}
	}
}

func configured(change func(*Config)) *Config {
	c := &Config{}
	c.SetDefaults()
	change(c)
	return c
}

// build makes a pusher, and the set that it pushes.
func build(t *testing.T, c *Config, log logrus.FieldLogger) (*metrics.Pusher, *metrics.Metrics) {
	t.Helper()
	sets := &metrics.Sets{}
	p, err := c.New(sets, log)
	if err != nil {
		t.Fatal(err)
	}
	return p, sets.All()[0]
}

// pushOnce sends what was counted, as at the end.
func pushOnce(t *testing.T, p *metrics.Pusher) {
	t.Helper()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	p.Run(ended)
	if p.Failed() > 0 {
		t.Error("the push failed")
	}
}

func request(took time.Duration) *telemetry.Exchange {
	return &telemetry.Exchange{
		Record:  &record.Record{EntryPoint: "web", Router: "shop@docker", Service: "shop-svc@docker", Leaf: "shop-svc@docker"},
		Request: httptest.NewRequest(http.MethodGet, "/", nil), Duration: took, Status: 200, Received: 3, Written: 5,
	}
}

// followed is a request that is traced.
type followed struct{ record.Trace }

func (followed) TraceID() [16]byte { return [16]byte{0: 1, 1: 2, 2: 3, 15: 9} }
func (followed) SpanID() [8]byte   { return [8]byte{9} }
