package metrics

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"fairway/telemetry"
)

// manyRouters have all been asked for something.
func manyRouters(tb testing.TB, n int) *Metrics {
	m := build(tb, State{}, func(c *Config) { c.AddRoutersLabels = true })
	for i := range n {
		for range 10 {
			m.Observe(exchange(200, func(e *telemetry.Exchange) {
				e.Record.Router, e.Record.Service = fmt.Sprint("r", i, "@docker"), fmt.Sprint("s", i, "@docker")
				e.Record.Leaf = e.Record.Service
				e.Duration = time.Duration(i) * time.Microsecond
			}))
		}
	}
	return m
}

// nowhere is a response that nobody keeps.
type nowhere struct{ header http.Header }

func (w nowhere) Header() http.Header             { return w.header }
func (nowhere) WriteHeader(int)                   {}
func (nowhere) Write(p []byte) (int, error)       { return len(p), nil }
func (nowhere) WriteString(s string) (int, error) { return len(s), nil }

var _ io.StringWriter = nowhere{}

// BenchmarkScrape is what Prometheus costs with 10,000 routers and services.
func BenchmarkScrape(b *testing.B) {
	before := heap()
	m := manyRouters(b, 10_000)
	held := heap() - before
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	b.ReportAllocs()
	for b.Loop() {
		m.Handler().ServeHTTP(nowhere{http.Header{}}, r)
	}
	b.ReportMetric(float64(held)/10_000, "B/router")
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
