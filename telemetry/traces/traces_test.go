package traces

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	v1 "go.opentelemetry.io/proto/otlp/trace/v1"

	"fairway/internal/record"
	"fairway/telemetry"
)

const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	parent  = "00-" + traceID + "-b7ad6b7169203331-01"
)

func build(t testing.TB, change func(*Config)) *Tracer {
	t.Helper()
	c := &Config{}
	c.SetDefaults()
	change(c)
	tr, err := c.New(logrus.New())
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

type fields map[string]string

func (f fields) Get(name string) string { return f[name] }

func (f fields) Each(visit func(name, value string)) {
	for name, value := range f {
		visit(name, value)
	}
}

func TestTracer_FollowsARequestToTheCollector(t *testing.T) {
	for name, to := range map[string]func(*collector) *OTLP{
		"HTTP": func(c *collector) *OTLP {
			return &OTLP{HTTP: &HTTP{Endpoint: c.http, Headers: map[string]string{"X-Token": "secret"}}}
		},
		"gRPC": func(c *collector) *OTLP { return &OTLP{GRPC: &GRPC{Endpoint: c.grpc, Insecure: true}} },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCollector(t)
			tr := build(t, func(cfg *Config) {
				cfg.OTLP, cfg.SampleRate = to(c), 0 // the sender of the trace decides
				cfg.ResourceAttributes = map[string]string{"region": "north"}
				cfg.CapturedRequestHeaders, cfg.CapturedResponseHeaders, cfg.SafeQueryParams = []string{"x-one"}, []string{"x-two"}, []string{"page"}
			})
			r := httptest.NewRequest("GET", "/shop?page=2&token=secret&flag", nil)
			r.Header.Set("Traceparent", parent)
			r.Header.Set("X-One", "1")
			rec := &record.Record{Start: time.Now(), EntryPoint: "web", Host: "a.test", Router: "shop@docker", Service: "s@docker", Peer: "10.0.0.1"}
			tr.Begin(r, rec)
			server := r.Header.Get("Traceparent")
			done := rec.Trace.Attempt(r, "http://10.0.0.2:80")
			client := r.Header.Get("Traceparent")
			done(503, nil)
			rec.Trace.Attempt(r, "http://10.0.0.3:80")(0, errors.New("refused"))
			rec.Cause = "refused"
			tr.Observe(&telemetry.Exchange{Record: rec, Request: r, Duration: time.Second, Status: 502, Written: 11, Response: fields{"X-Two": "2"}})
			closed(t, tr)

			of := c.byKind(v1.Span_SPAN_KIND_SERVER)
			if of == nil || hex.EncodeToString(of.TraceId) != traceID || hex.EncodeToString(of.ParentSpanId) != "b7ad6b7169203331" || of.Name != "GET shop@docker" || of.Status.GetCode() != v1.Status_STATUS_CODE_ERROR {
				t.Fatalf("got %+v", of)
			}
			if !strings.HasPrefix(server, "00-"+traceID+"-"+hex.EncodeToString(of.SpanId)) || client == server || !strings.HasPrefix(client, "00-"+traceID) {
				t.Errorf("the request says %s, that to the server %s", server, client)
			}
			if took := of.EndTimeUnixNano - of.StartTimeUnixNano; took != uint64(time.Second) {
				t.Errorf("it took %d", took)
			}
			got := attributesOf(of)
			for key, want := range map[string]any{
				"http.request.method": "GET", "url.path": "/shop", "url.query": "page=2&token=REDACTED&flag", "http.response.status_code": int64(502),
				"server.address": "a.test", "client.address": "10.0.0.1", "fairway.router": "shop@docker", "error.message": "refused", "http.response.body.size": int64(11),
			} {
				if got[key] != want {
					t.Errorf("%s: got %v, want %v", key, got[key], want)
				}
			}
			if len(c.spans) != 3 || c.resource["service.name"] != "fairway" || c.resource["region"] != "north" {
				t.Errorf("got %d spans of %v", len(c.spans), c.resource)
			}
			if name == "HTTP" && c.headers[0] != "secret" {
				t.Errorf("got headers %q", c.headers)
			}
			attempt := c.byKind(v1.Span_SPAN_KIND_CLIENT)
			if string(attempt.ParentSpanId) != string(of.SpanId) || attributesOf(attempt)["server.address"] != "10.0.0.2" || attributesOf(attempt)["http.response.status_code"] != int64(503) {
				t.Errorf("got %+v", attempt)
			}
		})
	}
}

func TestTracer_WhoDecides(t *testing.T) {
	t.Setenv("OTEL_PROPAGATORS", "tracecontext, b3,b3multi")
	for name, tt := range map[string]struct {
		rate    float64
		headers map[string]string
		want    bool
	}{
		"all":                 {1, nil, true},
		"none":                {0, nil, false},
		"the sender does":     {0, map[string]string{"Traceparent": parent}, true},
		"the sender does not": {1, map[string]string{"Traceparent": parent[:53] + "00"}, false},
		"another flag":        {0, map[string]string{"Traceparent": parent[:53] + "03"}, true},
		"garbage":             {0, map[string]string{"Traceparent": "x"}, false},
		"b3 does":             {0, map[string]string{"B3": traceID + "-b7ad6b7169203331-1"}, true},
		"b3 does not":         {1, map[string]string{"B3": "0"}, false},
		"b3 debug":            {0, map[string]string{"B3": traceID + "-b7ad6b7169203331-d"}, true},
		"b3 in several":       {0, map[string]string{"X-B3-Sampled": "1"}, true},
		"b3 in several, not":  {1, map[string]string{"X-B3-Sampled": "0"}, false},
	} {
		tr := build(t, func(c *Config) { c.SampleRate = tt.rate })
		r := httptest.NewRequest("GET", "/", nil)
		for key, value := range tt.headers {
			r.Header.Set(key, value)
		}
		rec := &record.Record{}
		tr.Begin(r, rec)
		if (rec.Trace != nil) != tt.want {
			t.Errorf("%s: followed %v", name, rec.Trace != nil)
		}
	}
}

func TestTracer_WhoIsNotFollowedCostsNothing(t *testing.T) {
	tr := build(t, func(c *Config) { c.SampleRate = 0.5 })
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Traceparent", parent[:53]+"00")
	rec := &record.Record{}
	if n := testing.AllocsPerRun(100, func() { tr.Begin(r, rec) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if got := r.Header.Get("Traceparent"); got != parent[:53]+"00" {
		t.Errorf("the trace of the sender is changed: %s", got)
	}
}

func TestTracer_ADeadCollector(t *testing.T) {
	var said bytes.Buffer
	log := logrus.New()
	log.SetOutput(&said)
	c := &Config{}
	c.SetDefaults()
	s := httptest.NewServer(nil)
	s.Close()
	c.OTLP = &OTLP{HTTP: &HTTP{Endpoint: s.URL + "/v1/traces"}}
	tr, err := c.New(log)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	rec := &record.Record{Start: time.Now()}
	tr.Begin(r, rec)
	tr.Observe(&telemetry.Exchange{Record: rec, Request: r, Status: 200, Response: fields{}})
	closed(t, tr)
	if tr.Lost() != 1 || !strings.Contains(said.String(), "spans cannot be sent to the collector") {
		t.Errorf("lost %d, the log has %q", tr.Lost(), &said)
	}
}

func TestTracer_InternalsAndTheSilentAreNotTold(t *testing.T) {
	c := newCollector(t)
	tr := build(t, func(cfg *Config) { cfg.OTLP = &OTLP{HTTP: &HTTP{Endpoint: c.http}} })
	for _, rec := range []*record.Record{{Service: "api@internal"}, {Silent: record.Silent{Traces: true}}, {}} {
		r := httptest.NewRequest("GET", "/", nil)
		tr.Begin(r, rec)
		tr.Observe(&telemetry.Exchange{Record: rec, Request: r, Status: 200, Response: fields{}})
	}
	closed(t, tr)
	if len(c.spans) != 1 {
		t.Errorf("%d spans", len(c.spans))
	}
}

func TestNew_Mistakes(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"sampleRate: 2 is not from 0 to 1":                func(c *Config) { c.SampleRate = 2 },
		"otlp.grpc and http cannot be given together":     func(c *Config) { c.OTLP = &OTLP{HTTP: &HTTP{}, GRPC: &GRPC{}} },
		`otlp.http.endpoint: "collector:4318" is no URL`:  func(c *Config) { c.OTLP = &OTLP{HTTP: &HTTP{Endpoint: "collector:4318"}} },
		"otlp.grpc.tls.ca: open /nowhere: no such file":   func(c *Config) { c.OTLP = &OTLP{GRPC: &GRPC{TLS: &TLS{CA: "/nowhere"}}} },
		"otlp.http.tls.cert: open /nowhere: no such file": func(c *Config) { c.OTLP = &OTLP{HTTP: &HTTP{TLS: &TLS{Cert: "/nowhere"}}} },
	} {
		c := &Config{}
		c.SetDefaults()
		change(c)
		if _, err := c.New(logrus.New()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	t.Setenv("OTEL_PROPAGATORS", "tracecontxt")
	c := &Config{}
	if _, err := c.New(logrus.New()); err == nil || !strings.Contains(err.Error(), `did you mean "tracecontext"?`) {
		t.Errorf("got %v", err)
	}
}
