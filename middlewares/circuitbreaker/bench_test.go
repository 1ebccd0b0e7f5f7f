package circuitbreaker

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"fairway/internal/record"
	"fairway/middlewares/middlewarestest"
)

// engine is a writer that knows its status, as that of the engine.
type engine struct {
	http.ResponseWriter
	header http.Header
}

func (w *engine) Header() http.Header { return w.header }
func (w *engine) Status() int         { return http.StatusOK }

// BenchmarkClosed is what a request costs that passes.
func BenchmarkClosed(b *testing.B) {
	for name, expression := range map[string]string{
		"errors":  "NetworkErrorRatio() > 0.5 && RequestThreshold() >= 20",
		"status":  "ResponseCodeRatio(500, 600, 0, 600) > 0.5",
		"latency": "LatencyAtQuantileMS(50.0) > 1000",
	} {
		c := &Config{Expression: expression}
		c.SetDefaults()
		h, err := c.New(b.Context(), middlewarestest.Env("bench"), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			w, r := exchangeForBench(b)
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
		b.Run(name+" in parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				w, r := exchangeForBench(b)
				for pb.Next() {
					h.ServeHTTP(w, r)
				}
			})
		})
	}
}

func exchangeForBench(b *testing.B) (http.ResponseWriter, *http.Request) {
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", nil)
	r = r.WithContext(record.With(r.Context(), &record.Record{Service: "web@docker"}))
	return &engine{header: http.Header{}}, r
}

// TestClosed_DoesNotAllocate leaves the slots out, of which there is one a second.
func TestClosed_DoesNotAllocate(t *testing.T) {
	f := newFixture(t)
	f.next = func(http.ResponseWriter, *http.Request) {}
	h := f.build("LatencyAtQuantileMS(50.0) > 1000 || ResponseCodeRatio(500, 600, 0, 600) > 0.5")
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r = r.WithContext(record.With(r.Context(), &record.Record{Service: "web@docker"}))
	w := &engine{header: http.Header{}}
	if n := testing.AllocsPerRun(1000, func() { h.ServeHTTP(w, r) }); n >= 1 {
		t.Errorf("%v allocations a request", n)
	}
}
