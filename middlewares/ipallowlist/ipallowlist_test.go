package ipallowlist

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

func TestIPAllowList_TakesThePeerFromTheRecord(t *testing.T) {
	tests := map[string]struct {
		client string
		status int
		cause  string
	}{
		"allowed":           {"192.0.2.7", 200, ""},
		"allowed as mapped": {"::ffff:192.0.2.7", 200, ""},
		"not allowed":       {"198.51.100.1", 403, "ipAllowList: 198.51.100.1 is not in sourceRange"},
	}
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	h, err := (&Config{SourceRange: []string{"192.0.2.0/24"}}).New(t.Context(), middlewarestest.Env("test"), next)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rec := &record.Record{ClientIP: netip.MustParseAddr(tt.client)}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
			if w.Code != tt.status || rec.Cause != tt.cause {
				t.Errorf("got %d, %q, want %d, %q", w.Code, rec.Cause, tt.status, tt.cause)
			}
		})
	}
}
