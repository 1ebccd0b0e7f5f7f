package answer

import (
	"net/http/httptest"
	"testing"

	"fairway/internal/record"
)

func TestText_TellsTheClassOfAFailure(t *testing.T) {
	for _, tt := range []struct {
		status int
		rec    record.Record
		kind   string
		want   string
	}{
		{404, record.Record{Classes: true}, "", "fairway; error=destination_not_found"},
		{400, record.Record{Classes: true}, "", "fairway; error=http_request_error"},
		{403, record.Record{Classes: true}, "", "fairway; error=http_request_denied"},
		{429, record.Record{Classes: true}, "", "fairway; error=http_request_denied"},
		{508, record.Record{Classes: true}, "", "fairway; error=proxy_loop_detected"},
		{500, record.Record{Classes: true}, "", "fairway; error=proxy_internal_error"},
		{503, record.Record{Classes: true}, "", "fairway; error=destination_unavailable"},
		{504, record.Record{Classes: true}, "", "fairway; error=http_response_timeout"},
		{502, record.Record{Classes: true, Outcome: record.Outcome{Class: "dns_error"}}, "", "fairway; error=dns_error"},
		{502, record.Record{Classes: true, Outcome: record.Outcome{Class: "dns_error"}}, "application/grpc", "fairway; error=dns_error"},
		{502, record.Record{}, "", ""},
		{301, record.Record{Classes: true}, "", ""},
		{499, record.Record{Classes: true}, "", ""},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Content-Type", tt.kind)
		w := httptest.NewRecorder()
		Text(w, r.WithContext(record.With(r.Context(), &tt.rec)), tt.status, "the cause", "text")
		if got := w.Header().Get("Proxy-Status"); got != tt.want {
			t.Errorf("%d: got %q, want %q", tt.status, got, tt.want)
		}
	}
}
