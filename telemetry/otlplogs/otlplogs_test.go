package otlplogs

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/trace"
	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	v1 "go.opentelemetry.io/proto/otlp/logs/v1"

	"fairway/telemetry/otlp"
)

func TestSender_RecordsArrive(t *testing.T) {
	c := newCollector(t)
	for name, cfg := range c.ways() {
		t.Run(name, func(t *testing.T) {
			c.records = nil
			at := time.Unix(1e9, 5).UTC()
			many := make([]attribute.KeyValue, 200) // more than the SDK lets through by itself
			for i := range many {
				many[i] = attribute.Int("n"+strings.Repeat("i", i), i)
			}
			s := build(t, cfg)
			err := s.Send([]Record{
				{Time: at, Severity: log.SeverityWarn, Text: "WARN", Body: "it happened", Attributes: []attribute.KeyValue{attribute.String("a", "b"), attribute.Bool("yes", true)}, Trace: trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})},
				{Time: at, Attributes: many, Trace: trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{3}})},
			})
			if err != nil || s.Close() != nil || len(c.records) != 2 {
				t.Fatalf("got %v, %d records", err, len(c.records))
			}
			r := c.records[0]
			if r.TimeUnixNano != uint64(at.UnixNano()) || r.SeverityNumber != v1.SeverityNumber_SEVERITY_NUMBER_WARN || r.SeverityText != "WARN" || r.Body.GetStringValue() != "it happened" || r.TraceId[0] != 1 || r.SpanId[0] != 2 || r.Flags != 1 {
				t.Errorf("got %v", r)
			}
			if diff := cmp.Diff(map[string]any{"a": "b", "yes": true}, attributesOf(r)); diff != "" {
				t.Error(diff)
			}
			if r := c.records[1]; len(r.Attributes) != len(many) || len(r.TraceId) != 16 || r.TraceId[0] != 3 || len(r.SpanId) != 0 {
				t.Errorf("got %d attributes, the trace %x, the span %x", len(r.Attributes), r.TraceId, r.SpanId)
			}
			if c.resource["service.name"] != "gate" {
				t.Errorf("got %v", c.resource)
			}
		})
	}
}

// Another try would bring what was taken a second time.
func TestSender_WhatIsRefusedInPartIsSentOnce(t *testing.T) {
	c := newCollector(t)
	c.answer.PartialSuccess = &collogs.ExportLogsPartialSuccess{RejectedLogRecords: 1, ErrorMessage: "too old"}
	for name, cfg := range c.ways() {
		if err := build(t, cfg).Send([]Record{{Body: "x"}}); err != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestSender_TellsRefusalsFromTrouble(t *testing.T) {
	c := newCollector(t)
	for name, cfg := range c.ways() {
		for _, refuses := range []bool{true, false} {
			c.refuses, c.away = refuses, !refuses
			if err := build(t, cfg).Send([]Record{{Body: "x"}}); err == nil || errors.Is(err, ErrRefused) != refuses {
				t.Errorf("%s: refused %v, got %v", name, refuses, err)
			}
		}
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, cfg := range []*Config{{HTTP: &otlp.HTTP{Endpoint: gone.URL}}, {GRPC: &otlp.GRPC{Endpoint: gone.Listener.Addr().String(), Insecure: true}}} {
		if err := build(t, cfg).Send([]Record{{Body: "x"}}); err == nil || errors.Is(err, ErrRefused) {
			t.Errorf("nobody is there: got %v", err)
		}
	}
}

// buffer is a log that is read while it is written.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), text)
}

// hooked is a logger with a hook at work; stop waits for its end.
func hooked(t *testing.T, cfg *Config) (logger *logrus.Logger, h *Hook, said *buffer, stop func()) {
	t.Helper()
	said, logger = &buffer{}, logrus.New()
	logger.SetOutput(said)
	h = NewHook(build(t, cfg), logger)
	logger.AddHook(h)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); h.Run(ctx) }()
	return logger, h, said, func() { cancel(); <-ended }
}

func TestHook_SendsWhatIsLogged(t *testing.T) {
	c := newCollector(t)
	logger, h, _, stop := hooked(t, c.ways()["gRPC"])
	logger.WithFields(logrus.Fields{"router": "shop", "n": 3, "on": true, "took": time.Second}).WithError(errors.New("refused")).Error("it failed")
	logger.Debug("of no interest")
	await(t, "the record", func() bool { _, n := c.seen(); return n == 1 })
	for range 2000 {
		logger.Info("one of many")
	}
	stop()
	if _, n := c.seen(); n != 2001 || h.Lost() != 0 {
		t.Errorf("got %d records, lost %d", n, h.Lost())
	}
	r := c.records[0]
	if r.SeverityText != "ERROR" || r.Body.GetStringValue() != "it failed" {
		t.Errorf("got %v", r)
	}
	if diff := cmp.Diff(map[string]any{"router": "shop", "n": int64(3), "on": true, "took": "1s", "error": "refused"}, attributesOf(r)); diff != "" {
		t.Error(diff)
	}
}

func TestHook_ACollectorThatWasAwayForAMoment(t *testing.T) {
	for name := range newCollector(t).ways() {
		t.Run(name, func(t *testing.T) {
			c := newCollector(t)
			c.set(true)
			logger, h, said, stop := hooked(t, c.ways()[name])
			logger.Info("one")
			await(t, "a try", func() bool { n, _ := c.seen(); return n > 0 })
			c.set(false)
			await(t, "the record", func() bool { _, n := c.seen(); return n == 1 })
			stop()
			if h.Lost() != 0 || said.count("cannot be sent") != 0 {
				t.Errorf("lost %d, the log has %s", h.Lost(), said.text.String())
			}
		})
	}
}

func TestHook_WhatCannotBeSentIsCounted(t *testing.T) {
	c := newCollector(t)
	c.set(true)
	logger, h, said, stop := hooked(t, c.ways()["HTTP"])
	for range mostWaiting + MostRecords + 100 {
		logger.Info("one of many")
	}
	await(t, "that it is told", func() bool { return said.count("what is logged here cannot be sent") == 1 })
	if h.Lost() == 0 {
		t.Error("nothing is lost")
	}
	stop() // gives up at once
	if lost := h.Lost(); lost < mostWaiting+MostRecords+100 {
		t.Errorf("lost %d", lost)
	}
}

func TestNew_Mistakes(t *testing.T) {
	for want, c := range map[string]*Config{
		"grpc and http cannot be given together":    {HTTP: &otlp.HTTP{}, GRPC: &otlp.GRPC{}},
		`http.endpoint: "collector:4318" is no URL`: {HTTP: &otlp.HTTP{Endpoint: "collector:4318"}},
	} {
		if _, err := c.New(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
