package requestid

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config {
		c := &Config{}
		c.SetDefaults()
		return c
	})
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestRequestID_KeepsOnlyWhatIsFitForALog(t *testing.T) {
	tests := map[string]struct {
		sent  []string
		trust bool
		keeps bool
	}{
		"none":           {nil, true, false},
		"empty":          {[]string{""}, true, false},
		"one":            {[]string{"abc-1"}, true, true},
		"longest":        {[]string{strings.Repeat("x", 128)}, true, true},
		"too long":       {[]string{strings.Repeat("x", 129)}, true, false},
		"with a blank":   {[]string{"a b"}, true, false},
		"with a control": {[]string{"a\tb"}, true, false},
		"beyond ASCII":   {[]string{"ä"}, true, false},
		"two":            {[]string{"a", "b"}, true, false},
		"not trusted":    {[]string{"abc-1"}, false, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var upstream []string
			next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				upstream = r.Header["X-Request-Id"]
				w.Header().Set("X-Request-Id", "of the service")
			})
			h, err := (&Config{TrustInbound: tt.trust}).New(t.Context(), middlewarestest.Env("test"), next)
			if err != nil {
				t.Fatal(err)
			}
			rec := &record.Record{}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header["X_request_id"] = []string{"forged"}
			if tt.sent != nil {
				r.Header["X-Request-Id"] = tt.sent
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
			id := rec.RequestID
			if len(upstream) != 1 || upstream[0] != id || w.Header().Get("X-Request-Id") != id {
				t.Errorf("the record has %q, the service got %q, the client %q", id, upstream, w.Header())
			}
			if tt.keeps && id != tt.sent[0] || !tt.keeps && !uuid.MatchString(id) {
				t.Errorf("got %q", id)
			}
			if len(r.Header["X-Request-Id"]) != len(tt.sent) {
				t.Error("the caller's request was changed")
			}
		})
	}
}

func TestNewID_IsAnotherEachTime(t *testing.T) {
	if a, b := newID(), newID(); a == b {
		t.Errorf("twice %s", a)
	}
}
