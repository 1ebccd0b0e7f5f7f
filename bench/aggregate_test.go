package bench

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// pages has a page of five parts, one of which needs another, and the slowest of them on its own.
const pages = `
http:
  routers:
    slowest: {rule: "Path(` + "`/slow`" + `)", service: all}
    page: {rule: "Path(` + "`/page`" + `)", service: page}
  services:
    all: {loadBalancer: {servers: [{url: "%s"}]}}
    page:
      aggregate:
        parts:
          a: {service: all, path: /a}
          b: {service: all, path: /b}
          c: {service: all, path: /c}
          d: {service: all, path: /d, query: {of: "{parts.a.id}"}}
          slow: {service: all, path: /slow}
`

// BenchmarkAggregate tells how much longer a page of five parts takes than its slowest part, at the median, where the
// two are asked for in turn.
func BenchmarkAggregate(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			time.Sleep(20 * time.Millisecond) // as a service that is asked
		}
		_, _ = io.WriteString(w, `{"id": 7, "list": [1, 2, 3, 4, 5], "text": "some words of a service"}`)
	}))
	b.Cleanup(s.Close)
	base := "http://" + gateway(b, fmt.Sprintf(pages, s.URL))
	took := func(path string) time.Duration {
		began := time.Now()
		res, err := http.Get(base + path)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
			b.Fatalf("%s: got %d, %v", path, res.StatusCode, err)
		}
		return time.Since(began)
	}
	took("/page")
	took("/slow")
	var added []time.Duration
	for b.Loop() {
		slowest := took("/slow")
		added = append(added, took("/page")-slowest)
	}
	slices.Sort(added)
	b.ReportMetric(float64(added[len(added)/2].Microseconds())/1000, "ms-added")
}
