package traces

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	v1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// collector receives spans as collectors do, by both protocols.
type collector struct {
	coltrace.UnimplementedTraceServiceServer
	http, grpc string // endpoints

	mu       sync.Mutex
	spans    []*v1.Span
	resource map[string]string
	headers  []string // X-Token of the requests
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{resource: map[string]string{}}
	s := httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(s.Close)
	c.http = s.URL + "/v1/traces"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	coltrace.RegisterTraceServiceServer(g, c)
	go func() { _ = g.Serve(l) }()
	t.Cleanup(g.Stop)
	c.grpc = l.Addr().String()
	return c
}

func (c *collector) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	request := &coltrace.ExportTraceServiceRequest{}
	if err != nil || proto.Unmarshal(body, request) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	c.headers = append(c.headers, r.Header.Get("X-Token"))
	c.mu.Unlock()
	_, _ = c.Export(r.Context(), request)
}

// Export implements the service of collectors.
func (c *collector) Export(_ context.Context, r *coltrace.ExportTraceServiceRequest) (*coltrace.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range r.ResourceSpans {
		for _, a := range resource.Resource.Attributes {
			c.resource[a.Key] = a.Value.GetStringValue()
		}
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
	return &coltrace.ExportTraceServiceResponse{}, nil
}

// request is the span of a request, the first one.
func (c *collector) request() *v1.Span {
	if all := c.all(v1.Span_SPAN_KIND_SERVER); len(all) > 0 {
		return all[0]
	}
	return nil
}

// all are the spans of a kind, in the order in which they have ended.
func (c *collector) all(kind v1.Span_SpanKind) (list []*v1.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.Kind == kind {
			list = append(list, s)
		}
	}
	return list
}

// named is the only span of a name.
func (c *collector) named(t *testing.T, name string) (found *v1.Span) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.Name == name && found != nil {
			t.Fatalf("there are several spans %q", name)
		}
		if s.Name == name {
			found = s
		}
	}
	if found == nil {
		t.Fatalf("there is no span %q", name)
	}
	return found
}

func attributesOf(s *v1.Span) map[string]any {
	all := map[string]any{}
	for _, a := range s.Attributes {
		if text := a.Value.GetStringValue(); text != "" {
			all[a.Key] = text
		} else {
			all[a.Key] = a.Value.GetIntValue()
		}
	}
	return all
}

func closed(t *testing.T, tr *Tracer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := tr.Close(ctx); err != nil {
		t.Error(err)
	}
}
