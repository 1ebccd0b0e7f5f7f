package accesslog

import (
	"testing"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/record"
	"fairway/telemetry"
)

func TestChoice(t *testing.T) {
	const ms = time.Millisecond
	filters := &Filters{StatusCodes: []string{"404", "500-599"}, RetryAttempts: true, MinDuration: types.Duration(100 * ms)}
	exchange := func(status, attempts int, d time.Duration, service string) *telemetry.Exchange {
		return &telemetry.Exchange{Record: &record.Record{Attempts: attempts, Service: service}, Status: status, Duration: d}
	}
	for _, tt := range []struct {
		name   string
		config Config
		e      *telemetry.Exchange
		random float64
		want   bool
	}{
		{"no filters", Config{}, exchange(200, 0, ms, ""), 0.999, true},
		{"filters without any", Config{Filters: &Filters{}}, exchange(200, 0, ms, ""), 0.999, true},
		{"no filter fits", Config{Filters: filters}, exchange(200, 1, 100*ms, ""), 0, false},
		{"status", Config{Filters: filters}, exchange(404, 1, ms, ""), 0.999, true},
		{"range of statuses", Config{Filters: filters}, exchange(502, 0, ms, ""), 0.999, true},
		{"retried", Config{Filters: filters}, exchange(200, 2, ms, ""), 0.999, true},
		{"long", Config{Filters: filters}, exchange(200, 0, 101*ms, ""), 0.999, true},
		{"one filter alone", Config{Filters: &Filters{RetryAttempts: true}}, exchange(500, 1, time.Hour, ""), 0, false},
		{"sampled", Config{Sampling: 0.25}, exchange(200, 0, ms, ""), 0.24, true},
		{"not sampled", Config{Sampling: 0.25}, exchange(200, 0, ms, ""), 0.25, false},
		{"sampled beside filters", Config{Filters: filters, Sampling: 0.25}, exchange(200, 0, ms, ""), 0.24, true},
		{"not sampled beside filters", Config{Filters: filters, Sampling: 0.25}, exchange(200, 0, ms, ""), 0.25, false},
		{"a filter fits, sampling does not matter", Config{Filters: filters, Sampling: 0.25}, exchange(500, 0, ms, ""), 0.999, true},
		{"internal", Config{}, exchange(200, 0, ms, "ping@internal"), 0, false},
		{"internal, wanted", Config{AddInternals: true}, exchange(200, 0, ms, "ping@internal"), 0, true},
		{"internal, whatever the filters say", Config{Filters: filters}, exchange(503, 0, ms, "ping@internal"), 0, false},
		{"redirection", Config{}, exchange(301, 0, ms, "noop@internal"), 0, true},
		{"no record", Config{Filters: filters}, &telemetry.Exchange{Status: 200}, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := built(t, &tt.config)
			l.choose.random = func() float64 { return tt.random }
			if got := l.choose.take(tt.e); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
