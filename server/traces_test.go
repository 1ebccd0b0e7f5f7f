package server

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	v1 "go.opentelemetry.io/proto/otlp/trace/v1"
	pb "google.golang.org/protobuf/proto"
)

func TestServer_TracesGoOnToServers(t *testing.T) {
	spans := make(chan *v1.Span, 100)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		request := &coltrace.ExportTraceServiceRequest{}
		if err := pb.Unmarshal(body, request); err != nil {
			t.Error(err)
		}
		for _, resource := range request.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				for _, s := range scope.Spans {
					spans <- s
				}
			}
		}
	}))
	t.Cleanup(collector.Close)
	const trace = "0af7651916cd43dd8448eb211c80319c"
	var seen atomic.Value
	url := backend(t, func(r *http.Request) { seen.Store(r.Header.Get("Traceparent")) })
	r := start(t, routeTo(url), "--tracing.otlp.http.endpoint="+collector.URL+"/v1/traces", "--tracing.samplerate=0")
	for parent, followed := range map[string]bool{"00-" + trace + "-b7ad6b7169203331-01": true, "00-" + trace + "-b7ad6b7169203331-00": false, "": false} {
		req, err := http.NewRequest(http.MethodGet, "http://"+r.Addresses()["web"]+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if parent != "" {
			req.Header.Set("Traceparent", parent)
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		got, _ := seen.Load().(string)
		if !followed && got != parent || followed && (got == parent || !strings.HasPrefix(got, "00-"+trace+"-")) {
			t.Errorf("%q: the server got %q", parent, got)
		}
	}
	r.stop() // sends the rest
	if len(spans) != 2 {
		t.Errorf("%d spans were sent, want that of the request and that of the attempt", len(spans))
	}
	for len(spans) > 0 {
		if s := <-spans; hex.EncodeToString(s.TraceId) != trace {
			t.Errorf("got a span of the trace %x", s.TraceId)
		}
	}
}
