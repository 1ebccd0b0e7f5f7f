package stripprefix

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

func TestStripPrefix_LeavesTheCallersRequestAlone(t *testing.T) {
	var seen *http.Request
	next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r })
	h, err := (&Config{Prefixes: []string{"/api"}}).New(t.Context(), middlewarestest.Env("test"), next)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/api/a%2Fb?c=d", nil)
	h.ServeHTTP(httptest.NewRecorder(), r)
	if r.URL.Path != "/api/a/b" || r.RequestURI != "/api/a%2Fb?c=d" || len(r.Header) != 0 {
		t.Errorf("the request changed: %s, %s, %v", r.URL, r.RequestURI, r.Header)
	}
	if seen.URL.Path != "/a/b" || seen.URL.RawPath != "/a%2Fb" || seen.RequestURI != "/a%2Fb?c=d" {
		t.Errorf("got path %s, raw %s, uri %s", seen.URL.Path, seen.URL.RawPath, seen.RequestURI)
	}
}
