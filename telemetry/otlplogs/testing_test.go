package otlplogs

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	v1 "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"fairway/telemetry/otlp"
)

// collector receives logs as collectors do, by both protocols.
type collector struct {
	collogs.UnimplementedLogsServiceServer
	http, grpc string // endpoints
	answer     *collogs.ExportLogsServiceResponse

	mu       sync.Mutex
	calls    int
	away     bool // for a moment
	refuses  bool
	records  []*v1.LogRecord
	resource map[string]string
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{resource: map[string]string{}, answer: &collogs.ExportLogsServiceResponse{}}
	s := httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(s.Close)
	c.http = s.URL
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	collogs.RegisterLogsServiceServer(g, c)
	go func() { _ = g.Serve(l) }()
	t.Cleanup(g.Stop)
	c.grpc = l.Addr().String()
	return c
}

// ways are the configurations that lead to a collector.
func (c *collector) ways() map[string]*Config {
	return map[string]*Config{
		"HTTP": {ServiceName: "gate", HTTP: &otlp.HTTP{Endpoint: c.http}},
		"gRPC": {ServiceName: "gate", GRPC: &otlp.GRPC{Endpoint: c.grpc, Insecure: true}},
	}
}

func (c *collector) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	request := &collogs.ExportLogsServiceRequest{}
	if err != nil || proto.Unmarshal(body, request) != nil || r.URL.Path != "/v1/logs" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	answer, err := c.Export(r.Context(), request)
	switch status.Code(err) {
	case codes.OK:
		text, _ := proto.Marshal(answer)
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(text)
	case codes.Unavailable:
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		w.WriteHeader(http.StatusBadRequest)
	}
}

// Export implements the service of collectors.
func (c *collector) Export(_ context.Context, r *collogs.ExportLogsServiceRequest) (*collogs.ExportLogsServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	switch {
	case c.away:
		return nil, status.Error(codes.Unavailable, "restarting")
	case c.refuses:
		return nil, status.Error(codes.InvalidArgument, "no such tenant")
	}
	for _, resource := range r.ResourceLogs {
		for _, a := range resource.Resource.Attributes {
			c.resource[a.Key] = a.Value.GetStringValue()
		}
		for _, scope := range resource.ScopeLogs {
			c.records = append(c.records, scope.LogRecords...)
		}
	}
	return c.answer, nil
}

func (c *collector) set(away bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = away
}

// seen are the calls and the records that have come.
func (c *collector) seen() (calls, records int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls, len(c.records)
}

func await(t *testing.T, what string, met func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !met(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: did not come about", what)
		}
	}
}

func build(t *testing.T, c *Config) *Sender {
	t.Helper()
	s, err := c.New()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func attributesOf(r *v1.LogRecord) map[string]any {
	all := map[string]any{}
	for _, a := range r.Attributes {
		switch {
		case a.Value.GetStringValue() != "":
			all[a.Key] = a.Value.GetStringValue()
		case a.Value.GetBoolValue():
			all[a.Key] = true
		default:
			all[a.Key] = a.Value.GetIntValue()
		}
	}
	return all
}
