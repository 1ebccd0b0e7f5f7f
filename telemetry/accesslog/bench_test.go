package accesslog

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"fairway/internal/outlet"
	"fairway/telemetry"
)

// kinds are what is measured.
var kinds = map[string]*Config{
	"json":         {Format: "json"},
	"json-headers": {Format: "json", Fields: &FieldModes{Headers: &HeaderModes{DefaultMode: "keep"}, QueryParameters: &QueryModes{DefaultMode: "keep", Names: map[string]string{"token": "redact"}}}},
	"common":       {},
}

// draining is the log of c, whose lines go nowhere when drain is called.
func draining(tb testing.TB, c *Config) (l *Log, drain func()) {
	l = built(tb, c)
	s := c.sink("nowhere", outlet.To(io.Discard), l.trouble)
	l.sinks = []*outlet.Sink{s}
	return l, func() { s.Flush() }
}

func BenchmarkObserve(b *testing.B) {
	for name, c := range kinds {
		b.Run(name, func(b *testing.B) {
			l, drain := draining(b, c)
			e := ordinary()
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				l.Observe(e)
				if n%50 == 0 {
					drain()
				}
			}
			if l.Dropped() > 0 {
				b.Errorf("lost %d lines", l.Dropped())
			}
		})
	}
}

// BenchmarkObserveByAll shows what the lock costs when all processors write lines.
func BenchmarkObserveByAll(b *testing.B) {
	c := kinds["json"]
	l, drain := draining(b, c)
	e := ordinary()
	var draining sync.Mutex // none of them waits for anything: a goroutine of its own would come too late
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			l.Observe(e)
			if n%50 == 0 && draining.TryLock() {
				drain()
				draining.Unlock()
			}
		}
	})
	b.ReportMetric(float64(l.Dropped()), "lost")
}

// BenchmarkObserveClients has what most exchanges are: no credentials, no trace, no query, and
// many clients by turns.
func BenchmarkObserveClients(b *testing.B) {
	l, drain := draining(b, kinds["json"])
	var all [64]*telemetry.Exchange
	for i := range all {
		e := ordinary()
		e.Record.RequestID, e.Record.User = "", ""
		e.Request.RemoteAddr, e.Request.URL, e.Request.Header = fmt.Sprint("192.0.2.1:", 50000+i), target("/1k"), http.Header{}
		e.Record.Origin.Length = e.Written
		all[i] = e
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		l.Observe(all[n%len(all)])
		if n%50 == 0 {
			drain()
		}
	}
}
