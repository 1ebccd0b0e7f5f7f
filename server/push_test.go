package server

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	pb "google.golang.org/protobuf/proto"

	"fairway/config"
)

// totals has the totals of a push, by metric, over all labels; nil: it was cut off.
func totals(t *testing.T, r *http.Request) map[string]float64 {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil
	}
	request := &colmetrics.ExportMetricsServiceRequest{}
	if err := pb.Unmarshal(body, request); err != nil {
		t.Errorf("%s is no push: %v", r.URL, err)
	}
	all := map[string]float64{}
	for _, resource := range request.ResourceMetrics {
		for _, scope := range resource.ScopeMetrics {
			for _, m := range scope.Metrics {
				for _, p := range m.GetSum().GetDataPoints() {
					all[m.Name] += p.GetAsDouble()
				}
			}
		}
	}
	return all
}

// What nobody fetches is pushed by OTLP and StatsD, at the latest when fairway stops.
func TestServer_MetricsArePushed(t *testing.T) {
	pushed := make(chan map[string]float64, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { pushed <- totals(t, r) }))
	t.Cleanup(collector.Close)
	statsD, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = statsD.Close() })
	r := start(t, routeTo(backend(t, func(*http.Request) {})), "--metrics.otlp.pushinterval=1h", "--metrics.otlp.http.endpoint="+collector.URL,
		"--metrics.statsd.pushinterval=1h", "--metrics.statsd.addrouterslabels", "--metrics.statsd.address="+statsD.LocalAddr().String())
	if n := len(r.metrics.sets.All()); n != 2 {
		t.Errorf("%d sets, want one of each: StatsD asks for routers as well", n)
	}
	if r.Addresses()["traefik"] != "" {
		t.Error("nobody asked for /metrics, but its entry point is open")
	}
	for range 3 {
		r.get(t, "any.test", "/")
	}
	r.stop()
	all := <-pushed
	if all["fairway_entrypoint_requests_total"] != 3 || all["fairway_service_requests_total"] != 3 || all["fairway_config_reloads_total"] == 0 || len(pushed) != 0 {
		t.Errorf("got %v, and %d more", all, len(pushed))
	}
	packet := make([]byte, 64<<10)
	if err := statsD.SetReadDeadline(time.Now().Add(longest)); err != nil {
		t.Fatal(err)
	}
	n, _, err := statsD.ReadFrom(packet)
	if got := "\n" + string(packet[:n]) + "\n"; err != nil || !strings.Contains(got, "\nfairway.router.request.total:3|c\n") || !strings.Contains(got, "\nfairway.service.server.up:1|g\n") {
		t.Errorf("got %v, %s", err, got)
	}
}

func TestServer_ADeadCollectorHoldsNothingUp(t *testing.T) {
	var dead atomic.Bool
	dead.Store(true)
	release := make(chan struct{})
	pushed := make(chan map[string]float64, 1000)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if dead.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		pushed <- totals(t, r)
		<-release // it hangs
	}))
	t.Cleanup(collector.Close)
	r := start(t, routeTo(backend(t, func(*http.Request) {})), "--entrypoints.traefik.address=127.0.0.1:0", "--metrics.prometheus",
		"--metrics.otlp.pushinterval=1ms", "--metrics.otlp.http.endpoint="+collector.URL+"/v1/metrics")
	failures := func() string {
		_, rest, _ := strings.Cut(scrapeOf(t, r), "\nfairway_metrics_failed_pushes_total{to=\"otlp\"} ")
		n, _, _ := strings.Cut(rest, "\n")
		return n
	}
	await(t, "failed pushes", func() bool { return len(failures()) > 1 }) // ten and more
	if res, _ := r.get(t, "any.test", "/"); res.StatusCode != http.StatusOK {
		t.Errorf("got %d", res.StatusCode)
	}
	dead.Store(false)
	if all := <-pushed; all["fairway_metrics_failed_pushes_total"] < 10 {
		t.Errorf("it is back: got %v", all)
	}
	if res, _ := r.get(t, "any.test", "/"); res.StatusCode != http.StatusOK {
		t.Errorf("while it hangs: got %d", res.StatusCode)
	}
	if n := strings.Count(r.log.String(), "metrics cannot be sent"); n != 1 {
		t.Errorf("the log tells of it %d times", n)
	}
	close(release)
	r.stop()
}

func TestServer_MistakesOfPushingNameTheOption(t *testing.T) {
	for option, want := range map[string]string{
		"--metrics.prometheus.prefix=x":                "option metrics.prometheus.prefix: ",
		"--metrics.otlp.prefix=x":                      "option metrics.otlp.prefix: ",
		"--metrics.otlp.pushinterval=0s":               "option metrics.otlp.pushInterval: ",
		"--metrics.otlp.http.endpoint=collector:4318":  "option metrics.otlp.http.endpoint: ",
		"--metrics.otlp.grpc.tls.ca=/nowhere":          "option metrics.otlp.grpc.tls.ca: ",
		"--metrics.statsd.address=localhost":           "option metrics.statsD.address: ",
		"--accesslog.otlp.grpc.endpoint=http://c:4317": "option accessLog.otlp.grpc.endpoint: ",
		"--metrics.statsd.prefix=a b":                  "option metrics.statsD.prefix: ",
	} {
		loaded, err := config.Load([]string{"--entrypoints.web.address=127.0.0.1:0", option}, nil)
		if err != nil {
			t.Fatal(err)
		}
		log, _ := newLog()
		if _, err := New(Options{Config: loaded, Log: log}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// Records of the access log have the span of their request.
func TestServer_AccessLogByOTLP(t *testing.T) {
	records := make(chan *logs.LogRecord, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		request := &collogs.ExportLogsServiceRequest{}
		if r.URL.Path != "/v1/logs" {
			return // spans
		}
		if err != nil || pb.Unmarshal(body, request) != nil {
			t.Errorf("%s: no logs", r.URL)
		}
		for _, resource := range request.ResourceLogs {
			for _, scope := range resource.ScopeLogs {
				for _, record := range scope.LogRecords {
					records <- record
				}
			}
		}
	}))
	t.Cleanup(collector.Close)
	r := start(t, routeTo(backend(t, func(*http.Request) {})), "--accesslog.otlp.http.endpoint="+collector.URL, "--tracing.otlp.http.endpoint="+collector.URL)
	r.get(t, "any.test", "/path")
	r.stop()
	if len(records) != 1 {
		t.Fatalf("%d records", len(records))
	}
	if got := <-records; len(got.TraceId) != 16 || len(got.SpanId) != 8 || got.Body.GetStringValue() != "GET any.test /path 200" {
		t.Errorf("got %v", got)
	}
}
