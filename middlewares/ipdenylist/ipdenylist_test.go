package ipdenylist

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"fairway/internal/clientip"
	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

func TestIPDenyList_RefusesWhoIsListedOrUnknown(t *testing.T) {
	byHeader := &clientip.Strategy{Depth: 1}
	tests := map[string]struct {
		client   string
		strategy *clientip.Strategy
		status   int
		cause    string
	}{
		"not listed":       {"198.51.100.1", nil, 200, ""},
		"listed":           {"192.0.2.7", nil, 403, "ipDenyList: 192.0.2.7 is in sourceRange"},
		"listed as mapped": {"::ffff:192.0.2.7", nil, 403, "ipDenyList: 192.0.2.7 is in sourceRange"},
		"not to be found":  {"198.51.100.1", byHeader, 403, "ipDenyList: the address of the client cannot be found"},
	}
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h, err := (&Config{SourceRange: []string{"192.0.2.0/24"}, IPStrategy: tt.strategy}).New(t.Context(), middlewarestest.Env("test"), next)
			if err != nil {
				t.Fatal(err)
			}
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
