package apikey

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"fairway/internal/record"
	"fairway/internal/secret"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

func TestAPIKey_MoreThanOneKeyIsRefused(t *testing.T) {
	const keyOfAnn = "ann=sha256:ca64daa8b294dc4835d29ca02a6a47427ebc6a225ea3ac2e15f8417fb6601db2" // key-of-ann
	c := &Config{Keys: []secret.String{keyOfAnn}, KeyFrom: []string{"query:key", "header:X-Key", "cookie:key"}, StripKey: true, Optional: true}
	var seen *http.Request
	h, err := c.New(t.Context(), middlewarestest.Env("keys"), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Clone(r.Context()) }))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		target string
		header http.Header
		status int
		user   string
	}{
		"one":                     {"/?key=key-of-ann&a=b", http.Header{}, 200, "ann"},
		"one, and empty places":   {"/?key=&a=b", http.Header{"X-Key": {"key-of-ann"}, "Cookie": {"key="}}, 200, "ann"},
		"none":                    {"/?a=b", http.Header{}, 200, ""},
		"empty places":            {"/?key=&a=b", http.Header{"X-Key": {""}}, 200, ""},
		"two places, both right":  {"/?key=key-of-ann", http.Header{"X-Key": {"key-of-ann"}}, 401, ""},
		"two places, one wrong":   {"/?key=key-of-ann", http.Header{"Cookie": {"key=x"}}, 401, ""},
		"twice at one place":      {"/?key=key-of-ann&key=key-of-ann", http.Header{}, 401, ""},
		"twice, with none at all": {"/?key=&key=", http.Header{}, 401, ""},
	} {
		seen = nil
		rec, w, r := &record.Record{}, httptest.NewRecorder(), httptest.NewRequest("GET", tt.target, nil)
		r.Header = tt.header
		h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
		if w.Code != tt.status || rec.User != tt.user || (seen != nil) != (tt.status == 200) {
			t.Errorf("%s: got %d for %q: %s", name, w.Code, rec.User, rec.Cause)
		}
		if seen != nil && (seen.URL.RawQuery != "a=b" || seen.Header["X-Key"] != nil || seen.Header["Cookie"] != nil) {
			t.Errorf("%s: the service sees %s %v", name, seen.URL, seen.Header)
		}
	}
}
