package metrics

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/proto"

	"fairway/internal/record"
	"fairway/telemetry"
)

// official is the histogram of Prometheus' own library, with the same buckets.
func official(buckets []float64, all []time.Duration) *dto.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "h", Buckets: buckets, NativeHistogramBucketFactor: 1.1, NativeHistogramZeroThreshold: zeroDuration})
	for _, d := range all {
		h.Observe(d.Seconds())
	}
	var m dto.Metric
	if err := h.Write(&m); err != nil {
		panic(err)
	}
	return m.GetHistogram()
}

// randomly are durations of all magnitudes, the same ones for a seed each time.
func randomly(seed uint64, n int) []time.Duration {
	lot := rand.New(rand.NewPCG(seed, 0))
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = time.Duration(1) << lot.IntN(52)
		all[i] += time.Duration(lot.Int64N(int64(all[i])))
	}
	return all
}

func TestDurations_AreThoseOfTheOfficialHistogram(t *testing.T) {
	buckets := []float64{0.005, 0.1, 1}
	cases := map[string][]time.Duration{
		"none": nil, "one": {time.Millisecond}, "zero": {0, time.Nanosecond}, "on bounds": {time.Second / 2, time.Second, 2 * time.Second, 5 * time.Millisecond, 100 * time.Millisecond},
		"far apart": {time.Microsecond, time.Hour},
		// The buckets end at 1, 1.09, 1.19, 1.30, 1.41, ...
		"one empty between": {time.Second, 1150 * time.Millisecond}, "two empty between": {time.Second, 1250 * time.Millisecond}, "three empty between": {time.Second, 1350 * time.Millisecond},
	}
	for seed := range uint64(100) {
		cases[fmt.Sprint("few, seed ", seed)] = randomly(seed, 200)
		cases[fmt.Sprint("many, seed ", seed)] = randomly(seed, 5000)
	}
	for name, all := range cases {
		d := &durations{}
		d.init(buckets, true)
		for _, took := range all {
			d.add(placeOf(took, buckets, true))
		}
		got, want := &dto.Histogram{}, official(buckets, all)
		d.write(got)
		if diff := got.GetSampleSum() - want.GetSampleSum(); diff > 1e-6*float64(len(all)) || diff < -1e-6*float64(len(all)) {
			t.Errorf("%s: the sum is %v, want %v", name, got.GetSampleSum(), want.GetSampleSum())
		}
		got.SampleSum, got.CreatedTimestamp = want.SampleSum, want.CreatedTimestamp
		if !proto.Equal(got, want) {
			t.Fatalf("%s: got\n%v\nwant\n%v", name, got, want)
		}
	}
}

func TestDurations_ThatAreBeyondAllBuckets(t *testing.T) {
	d := &durations{}
	d.init([]float64{1}, true)
	d.add(placeOf(100*365*24*time.Hour, []float64{1}, true))
	got := &dto.Histogram{}
	d.write(got)
	if got.GetSampleCount() != 1 || len(got.GetPositiveDelta()) != 1 {
		t.Errorf("got %v", got)
	}
}

// followed is a request that is traced.
type followed struct{ record.Trace }

func (followed) TraceID() [16]byte { return [16]byte{1, 2, 3} }
func (followed) SpanID() [8]byte   { return [8]byte{9} }

// TestMetrics_AreReadByEveryScraper reads a scrape in each format that scrapers ask for.
func TestMetrics_AreReadByEveryScraper(t *testing.T) {
	m := build(t, everything(), func(c *Config) { c.AddRoutersLabels = true })
	m.Observe(exchange(200, func(e *telemetry.Exchange) { e.Record.Trace = followed{} }))
	for accept, want := range map[string]string{
		"text/plain": "text/plain; version=0.0.4", "application/openmetrics-text; version=1.0.0": "application/openmetrics-text; version=1.0.0",
		"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited": "application/vnd.google.protobuf",
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Header.Set("Accept", accept)
		m.Handler().ServeHTTP(w, r)
		if got := w.Header().Get("Content-Type"); w.Code != 200 || !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %d %s", accept, w.Code, got)
		}
		if strings.Contains(want, "openmetrics") {
			// Prometheus' library has no reader for it.
			if text := w.Body.String(); !strings.HasSuffix(text, "# EOF\n") || !strings.Contains(text, `# {trace_id="0102`) {
				t.Errorf("there is no trace in:\n%s", text)
			}
			continue
		}
		decoder := expfmt.NewDecoder(w.Body, expfmt.ResponseFormat(w.Header()))
		found := map[string]*dto.MetricFamily{}
		for {
			family := &dto.MetricFamily{}
			if decoder.Decode(family) != nil {
				break
			}
			if !model.UTF8Validation.IsValidMetricName(family.GetName()) {
				t.Errorf("%s: the name %q", accept, family.GetName())
			}
			found[family.GetName()] = family
		}
		for _, name := range []string{"fairway_entrypoint_requests_total", "fairway_router_request_duration_seconds", "fairway_service_server_up", "go_goroutines"} {
			if len(found[name].GetMetric()) == 0 {
				t.Errorf("%s: there is no %s", accept, name)
			}
		}
	}
}
