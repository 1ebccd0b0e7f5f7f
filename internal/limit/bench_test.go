package limit

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"fairway/internal/record"
	"fairway/internal/redistest"
)

// BenchmarkHandler is what a limit adds to a request.
func BenchmarkHandler(b *testing.B) {
	for name, r := range map[string]*Rule{"bucket": Bucket(1<<40, time.Second, 1<<20), "window": Sliding(1<<40, time.Second), "calendar": Calendar(1<<40, Month, time.UTC)} {
		b.Run(name, func(b *testing.B) {
			h := &Handler{What: "bench", Rule: r, Source: func(*http.Request) Source { return Source{1} }, Table: NewTable(MostSources), Next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
			req := httptest.NewRequest(http.MethodGet, "/", nil)
			req = req.WithContext(record.With(req.Context(), &record.Record{}))
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, req)
			}
		})
	}
}

// BenchmarkRedis is what a decision of a Redis on the same machine takes.
func BenchmarkRedis(b *testing.B) {
	s := redistest.New(b)
	for name, r := range map[string]*Rule{"bucket": Bucket(1<<30, time.Second, 1<<20), "window": Sliding(1<<40, time.Second)} {
		b.Run(name, func(b *testing.B) {
			st := storeAt(b, s.Address)
			for b.Loop() {
				if d, err := st.take(b.Context(), Source{1}, r, 1, false); err != nil || !d.OK {
					b.Fatal(d, err)
				}
			}
		})
	}
}
