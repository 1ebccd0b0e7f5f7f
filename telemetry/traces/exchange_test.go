package traces

import (
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "go.opentelemetry.io/proto/otlp/trace/v1"

	"fairway/internal/record"
	"fairway/telemetry"
	"fairway/telemetry/otlp"
)

// followed is a request at a tracer that sends to a new collector.
func followed(t *testing.T, header ...string) (*collector, *Tracer, *http.Request, *record.Record) {
	t.Helper()
	c := newCollector(t)
	tr := build(t, func(cfg *Config) { cfg.OTLP = &otlp.Collector{HTTP: &otlp.HTTP{Endpoint: c.http}} })
	r := httptest.NewRequest("GET", "/", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := &record.Record{Start: time.Now(), Rule: "Host(`a`)"}
	tr.Begin(r, rec)
	return c, tr, r, rec
}

func (c *collector) ended(t *testing.T, tr *Tracer, r *http.Request, rec *record.Record, status int) {
	t.Helper()
	tr.Observe(&telemetry.Exchange{Record: rec, Request: r, Status: status, Response: fields{}})
	closed(t, tr)
}

func TestEnter_PartsHangOnThoseAroundThem(t *testing.T) {
	c, tr, r, rec := followed(t)
	inRouter, leaveRouter := rec.Trace.Enter(r, &record.Part{Kind: "router", Name: "shop@docker"})
	inAuth, leaveAuth := rec.Trace.Enter(inRouter, &record.Part{Kind: "middleware", Name: "auth@file", Type: "forwardAuth"})
	asked := httptest.NewRequest("GET", "https://auth.test/verify", nil).WithContext(inAuth.Context())
	rec.Trace.Ask(asked)(200, "", nil)
	inService, leaveService := rec.Trace.Enter(inAuth, &record.Part{Kind: "service", Name: "shop@docker", Type: "loadBalancer"})
	rec.Trace.Attempt(inService, "h2c://10.0.0.2:80")(200, "", nil)
	leaveService(200, false)
	leaveAuth(200, false)
	_, leavePage := rec.Trace.Enter(inRouter, &record.Part{Kind: "service", Name: "pages@file"}) // not in what was left
	leavePage(0, false)
	leaveRouter(200, false)
	c.ended(t, tr, r, rec, 200)

	of, router, auth, service := c.request(), c.named(t, "router shop@docker"), c.named(t, "middleware auth@file"), c.named(t, "service shop@docker")
	clients := c.all(v1.Span_SPAN_KIND_CLIENT)
	for _, pair := range [][2]*v1.Span{{router, of}, {auth, router}, {clients[0], auth}, {service, auth}, {clients[1], service}, {c.named(t, "service pages@file"), router}} {
		if string(pair[0].ParentSpanId) != string(pair[1].SpanId) {
			t.Errorf("%s does not hang on %s", pair[0].Name, pair[1].Name)
		}
	}
	for _, tt := range []struct {
		span *v1.Span
		want map[string]any
	}{
		{router, map[string]any{"fairway.router.name": "shop@docker", "http.route": "Host(`a`)", "http.response.status_code": int64(200)}},
		{auth, map[string]any{"fairway.middleware.name": "auth@file", "fairway.middleware.type": "forwardAuth", "http.response.status_code": int64(200)}},
		{service, map[string]any{"fairway.service.name": "shop@docker", "fairway.service.type": "loadBalancer", "http.response.status_code": int64(200)}},
		{clients[0], map[string]any{"http.request.method": "GET", "url.full": "https://auth.test/verify", "server.address": "auth.test", "server.port": int64(443), "http.response.status_code": int64(200)}},
		{clients[1], map[string]any{"http.request.method": "GET", "url.full": "http://10.0.0.2:80/", "server.address": "10.0.0.2", "server.port": int64(80), "http.response.status_code": int64(200)}},
	} {
		if diff := cmp.Diff(tt.want, attributesOf(tt.span)); diff != "" {
			t.Errorf("%s: %s", tt.span.Name, diff)
		}
	}
	if got := asked.Header.Get("Traceparent"); got != "00-"+hex.EncodeToString(of.TraceId)+"-"+hex.EncodeToString(clients[0].SpanId)+"-01" {
		t.Errorf("the authentication server is told %s", got)
	}
}

func TestEnter_WhoAnswersIsToldWithTheCause(t *testing.T) {
	c, tr, r, rec := followed(t)
	in, leaveOuter := rec.Trace.Enter(r, &record.Part{Kind: "middleware", Name: "outer"})
	_, leaveAuth := rec.Trace.Enter(in, &record.Part{Kind: "middleware", Name: "auth"})
	rec.Fail("no such user")
	leaveAuth(401, false)
	leaveOuter(401, false)
	c.ended(t, tr, r, rec, 401)
	auth, outer := attributesOf(c.named(t, "middleware auth")), attributesOf(c.named(t, "middleware outer"))
	if auth["error.message"] != "no such user" || auth["http.response.status_code"] != int64(401) || outer["error.message"] != nil || outer["http.response.status_code"] != int64(401) {
		t.Errorf("got %v in %v", auth, outer)
	}
	if got := c.named(t, "middleware auth").Status.GetCode(); got != v1.Status_STATUS_CODE_UNSET {
		t.Errorf("a refusal is no error of the gateway: got %v", got)
	}
}

func TestEnter_WhatBreaksOff(t *testing.T) {
	c, tr, r, rec := followed(t)
	_, leave := rec.Trace.Enter(r, &record.Part{Kind: "service", Name: "s"})
	rec.Trace.Attempt(r, "http://s")(200, "", nil)
	rec.Fail("the server closed the connection")
	rec.Server = "http://s"
	leave(200, true)
	c.ended(t, tr, r, rec, 200)
	for _, span := range []*v1.Span{c.named(t, "service s"), c.request()} {
		if got := attributesOf(span); span.Status.GetCode() != v1.Status_STATUS_CODE_ERROR || got["error.type"] != "_OTHER" || got["error.message"] != "the server closed the connection" {
			t.Errorf("%s: got %v, %v", span.Name, span.Status, got)
		}
	}
}

func TestEnter_ClientsThatGoAwayAreNoErrors(t *testing.T) {
	c, tr, r, rec := followed(t)
	_, leave := rec.Trace.Enter(r, &record.Part{Kind: "service", Name: "s"})
	rec.Fail("the client went away during the response")
	leave(499, true)
	c.ended(t, tr, r, rec, 499)
	for _, span := range []*v1.Span{c.named(t, "service s"), c.request()} {
		if got := span.Status.GetCode(); got != v1.Status_STATUS_CODE_UNSET || attributesOf(span)["error.message"] == nil {
			t.Errorf("%s: got %v, %v", span.Name, got, attributesOf(span))
		}
	}
}

func TestForget_HeadersBecomeWhatTheyWere(t *testing.T) {
	for name, header := range map[string][]string{
		"no trace": {"X-Other", "1"},
		"a trace":  {"Traceparent", parent, "Tracestate", "a=1", "Baggage", "k=v"},
	} {
		c, tr, r, rec := followed(t, header...)
		before := httptest.NewRequest("GET", "/", nil).Header
		for i := 0; i < len(header); i += 2 {
			before.Set(header[i], header[i+1])
		}
		rec.Trace.Attempt(r, "http://s")
		rec.Trace.Forget(r)
		if diff := cmp.Diff(before, r.Header); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		rec.Trace = nil
		if c.ended(t, tr, r, rec, 200); len(c.spans) != 0 {
			t.Errorf("%s: %d spans were sent", name, len(c.spans))
		}
	}
}

func TestBegin_AStateWithoutATraceIsDropped(t *testing.T) {
	_, _, r, rec := followed(t, "Traceparent", "00-"+traceID+"-0000000000000000-01", "Tracestate", "a=1")
	if r.Header.Get("Tracestate") != "" || rec.Trace == nil || hex.EncodeToString(id(rec)) == traceID {
		t.Errorf("got %v", r.Header)
	}
}

func id(rec *record.Record) []byte {
	id := rec.Trace.TraceID()
	return id[:]
}

func TestBegin_B3(t *testing.T) {
	const span = "b7ad6b7169203331"
	for name, tt := range map[string]struct {
		form  string
		came  map[string]string
		state string
	}{
		"in one":             {"b3", map[string]string{"B3": traceID + "-" + span + "-1-05e3ac9a4f6e3b90"}, "1"},
		"in one, debug":      {"b3", map[string]string{"B3": traceID + "-" + span + "-d"}, "d"},
		"in one, left to us": {"b3", map[string]string{"B3": traceID + "-" + span}, "1"},
		"in several":         {"b3multi", map[string]string{"X-B3-Traceid": traceID, "X-B3-Spanid": span, "X-B3-Sampled": "1", "X-B3-Parentspanid": "05e3ac9a4f6e3b90"}, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_PROPAGATORS", tt.form)
			tr := build(t, func(*Config) {})
			r := httptest.NewRequest("GET", "/", nil)
			for key, value := range tt.came {
				r.Header.Set(key, value)
			}
			rec := &record.Record{}
			tr.Begin(r, rec)
			own := rec.Trace.SpanID()
			want := http.Header{"B3": {traceID + "-" + hex.EncodeToString(own[:]) + "-" + tt.state}}
			if tt.form == "b3multi" {
				want = http.Header{"X-B3-Traceid": {traceID}, "X-B3-Spanid": {hex.EncodeToString(own[:])}, "X-B3-Sampled": {tt.state}}
			}
			if diff := cmp.Diff(want, r.Header); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTracer_MethodsThatNoStandardHas(t *testing.T) {
	c, tr, _, _ := followed(t)
	r := httptest.NewRequest("BREW", "/pot", nil)
	rec := &record.Record{Start: time.Now(), Router: "r"}
	tr.Begin(r, rec)
	c.ended(t, tr, r, rec, 418)
	if got := attributesOf(c.named(t, "HTTP r")); got["http.request.method"] != "_OTHER" || got["http.request.method_original"] != "BREW" {
		t.Errorf("got %v", got)
	}
}
