package traces

import (
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
	"fairway/telemetry/otlp"
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
	for name, to := range map[string]func(*collector) *otlp.Collector{
		"HTTP": func(c *collector) *otlp.Collector {
			return &otlp.Collector{HTTP: &otlp.HTTP{Endpoint: c.http, Headers: map[string]string{"X-Token": "secret"}}}
		},
		"gRPC": func(c *collector) *otlp.Collector {
			return &otlp.Collector{GRPC: &otlp.GRPC{Endpoint: c.grpc, Insecure: true}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCollector(t)
			tr := build(t, func(cfg *Config) {
				cfg.OTLP, cfg.SampleRate = to(c), 0 // the sender of the trace decides
				cfg.ResourceAttributes = map[string]string{"region": "north"}
				cfg.CapturedRequestHeaders, cfg.CapturedResponseHeaders, cfg.SafeQueryParams = []string{"x-one"}, []string{"x-two"}, []string{"page"}
			})
			r := httptest.NewRequest("GET", "/shop?page=2&token=secret;key=x&flag", nil)
			r.Header.Set("Traceparent", parent)
			r.Header.Set("X-One", "1")
			r.Header.Set("User-Agent", "curl")
			r.Header.Set("X-Forwarded-For", "203.0.113.9, 10.0.0.7") // of somebody who is trusted
			r.Host, r.RemoteAddr = "A.test:8443", "10.0.0.1:1234"
			rec := &record.Record{Start: time.Now(), EntryPoint: "web", Host: "a.test", Router: "shop@docker", Service: "s@docker", Leaf: "s@docker", Peer: "10.0.0.1"}
			tr.Begin(r, rec)
			server := r.Header.Get("Traceparent")
			done := rec.Trace.Attempt(r, "http://10.0.0.2:8080")
			client := r.Header.Get("Traceparent")
			done(503, "", nil)
			rec.Trace.Attempt(r, "http://10.0.0.3")(0, "connection_refused", errors.New("refused"))
			rec.Cause, rec.Class, rec.Rule = "refused", "connection_refused", "PathPrefix(`/shop`)"
			tr.Observe(&telemetry.Exchange{Record: rec, Request: r, Duration: time.Second, Status: 502, Written: 11, Response: fields{"X-Two": "2"}})
			closed(t, tr)

			of := c.request()
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
				"http.request.method": "GET", "url.path": "/shop", "url.query": "page=2&token=REDACTED;key=REDACTED&flag", "http.response.status_code": int64(502),
				"server.address": "a.test", "client.address": "203.0.113.9", "network.peer.address": "10.0.0.1", "network.peer.port": int64(1234), "network.protocol.version": "1.1",
				"user_agent.original": "curl", "server.port": int64(8443), "fairway.router.name": "shop@docker", "http.route": "PathPrefix(`/shop`)", "error.type": "connection_refused", "error.message": "refused", "http.response.body.size": int64(11),
			} {
				if got[key] != want {
					t.Errorf("%s: got %v, want %v", key, got[key], want)
				}
			}
			if rec.Trace.TraceID() != [16]byte(of.TraceId) || rec.Trace.SpanID() != [8]byte(of.SpanId) {
				t.Errorf("the record has %x and %x", rec.Trace.TraceID(), rec.Trace.SpanID())
			}
			if len(c.spans) != 3 || c.resource["service.name"] != "fairway" || c.resource["region"] != "north" {
				t.Errorf("got %d spans of %v", len(c.spans), c.resource)
			}
			if name == "HTTP" && c.headers[0] != "secret" {
				t.Errorf("got headers %q", c.headers)
			}
			attempts := c.all(v1.Span_SPAN_KIND_CLIENT)
			for i, want := range []map[string]any{
				{"server.address": "10.0.0.2", "server.port": int64(8080), "http.response.status_code": int64(503), "error.type": "503", "url.full": "http://10.0.0.2:8080/shop?page=2&token=REDACTED;key=REDACTED&flag"},
				{"server.address": "10.0.0.3", "server.port": int64(80), "error.type": "connection_refused", "http.request.resend_count": int64(1)},
			} {
				if string(attempts[i].ParentSpanId) != string(of.SpanId) || attempts[i].Status.GetCode() != v1.Status_STATUS_CODE_ERROR {
					t.Errorf("got %+v", attempts[i])
				}
				got := attributesOf(attempts[i])
				for key, want := range want {
					if got[key] != want {
						t.Errorf("attempt %d: %s: got %v, want %v", i+1, key, got[key], want)
					}
				}
			}
			if got := attributesOf(attempts[0])["http.request.resend_count"]; got != nil {
				t.Errorf("the first attempt is the %v-th again", got)
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
		"all":                  {1, nil, true},
		"none":                 {0, nil, false},
		"the sender does":      {0, map[string]string{"Traceparent": parent}, true},
		"the sender does not":  {1, map[string]string{"Traceparent": parent[:53] + "00"}, false},
		"another flag":         {0, map[string]string{"Traceparent": parent[:53] + "03"}, true},
		"garbage":              {0, map[string]string{"Traceparent": "x"}, false},
		"b3 does":              {0, map[string]string{"B3": traceID + "-b7ad6b7169203331-1"}, true},
		"b3 does not":          {1, map[string]string{"B3": "0"}, false},
		"b3 debug":             {0, map[string]string{"B3": traceID + "-b7ad6b7169203331-d"}, true},
		"b3 in several":        {0, map[string]string{"X-B3-Sampled": "1"}, true},
		"b3 in several, not":   {1, map[string]string{"X-B3-Sampled": "0"}, false},
		"b3 in several, debug": {0, map[string]string{"X-B3-Flags": "1"}, true},
		"b3 without a trace":   {0, map[string]string{"B3": "1"}, true},
		"b3 leaves it to us":   {1, map[string]string{"B3": traceID + "-b7ad6b7169203331"}, true},
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

func TestTracer_OthersThanThoseThatAreSpokenDecideNothing(t *testing.T) {
	t.Setenv("OTEL_PROPAGATORS", "b3")
	tr := build(t, func(*Config) {})
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Traceparent", parent[:53]+"00")
	rec := &record.Record{}
	if tr.Begin(r, rec); rec.Trace == nil || r.Header.Get("Traceparent") != parent[:53]+"00" || r.Header.Get("B3") == "" {
		t.Errorf("followed %v, with %v", rec.Trace != nil, r.Header)
	}
}

func TestTracer_WhoIsNotFollowedCostsNothing(t *testing.T) {
	t.Setenv("OTEL_PROPAGATORS", "tracecontext,b3")
	for name, tt := range map[string]struct {
		rate         float64
		field, value string
	}{
		"by W3C": {1, "Traceparent", parent[:53] + "00"}, "by B3": {1, "B3", traceID + "-b7ad6b7169203331-0"}, "by B3 in several": {1, "X-B3-Sampled", "0"},
	} {
		tr := build(t, func(c *Config) { c.SampleRate = tt.rate })
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set(tt.field, tt.value)
		rec := &record.Record{}
		if n := testing.AllocsPerRun(100, func() { tr.Begin(r, rec) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if got := r.Header.Get(tt.field); got != tt.value || len(r.Header) != 1 || rec.Trace != nil {
			t.Errorf("%s: the request is changed: %v", name, r.Header)
		}
	}
}

func TestTracer_ToTellOfItCostsNothingEither(t *testing.T) {
	t.Setenv("OTEL_PROPAGATORS", "tracecontext,b3")
	tr := build(t, func(c *Config) { c.SampleRate = 0 })
	r, rec := httptest.NewRequest("GET", "/", nil), &record.Record{}
	if n := testing.AllocsPerRun(1000, func() {
		*rec = record.Record{}
		tr.Begin(r, rec)
		rec.Untell(r.Header)
	}); n != 0 || len(r.Header) != 0 || rec.Trace != nil {
		t.Errorf("%v allocations, the request has %v", n, r.Header)
	}
}

func BenchmarkBegin_NotSampled(b *testing.B) {
	c := &Config{}
	c.SetDefaults()
	c.SampleRate = 0
	tr, err := c.New(logrus.New())
	if err != nil {
		b.Fatal(err)
	}
	r, rec := httptest.NewRequest("GET", "/", nil), &record.Record{}
	b.ReportAllocs()
	for b.Loop() {
		*rec = record.Record{}
		tr.Begin(r, rec)
		rec.Untell(r.Header)
	}
}

func TestTracer_InternalsAndTheSilentAreNotTold(t *testing.T) {
	c := newCollector(t)
	tr := build(t, func(cfg *Config) { cfg.OTLP = &otlp.Collector{HTTP: &otlp.HTTP{Endpoint: c.http}} })
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
		"sampleRate: 2 is not from 0 to 1":               func(c *Config) { c.SampleRate = 2 },
		`otlp.http.endpoint: "collector:4318" is no URL`: func(c *Config) { c.OTLP = &otlp.Collector{HTTP: &otlp.HTTP{Endpoint: "collector:4318"}} },
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
