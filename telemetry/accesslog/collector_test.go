package accesslog

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/traefik/paerser/types"
	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	v1 "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"fairway/telemetry/otlp"
	"fairway/telemetry/otlplogs"
)

// receiver is a collector of OpenTelemetry.
type receiver struct {
	*httptest.Server

	mu      sync.Mutex
	status  int // that is answered
	calls   int
	records []*v1.LogRecord
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	c := &receiver{status: http.StatusOK}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		request := &collogs.ExportLogsServiceRequest{}
		if err != nil || proto.Unmarshal(body, request) != nil || r.URL.Path != "/v1/logs" {
			t.Errorf("%s: no logs", r.URL)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.calls++
		w.WriteHeader(c.status)
		if c.status == http.StatusOK {
			for _, resource := range request.ResourceLogs {
				for _, scope := range resource.ScopeLogs {
					c.records = append(c.records, scope.LogRecords...)
				}
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// answer sets the status.
func (c *receiver) answer(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = status
}

// seen are the calls and the records that have come.
func (c *receiver) seen() (calls, records int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls, len(c.records)
}

// collecting runs the log of a configuration with a collector; stop waits for its end.
func collecting(t *testing.T, c *Config, to *receiver) (l *Log, stop func()) {
	t.Helper()
	c.OTLP = &otlplogs.Config{HTTP: &otlp.HTTP{Endpoint: to.URL}}
	if c.FlushInterval == 0 {
		c.FlushInterval = types.Duration(time.Millisecond)
	}
	l, err := c.New(quiet())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); l.Run(ctx) }()
	return l, func() { cancel(); <-ended }
}

func TestCollector_GetsARecordForEachLine(t *testing.T) {
	for _, format := range []string{formatCommon, formatJSON} {
		t.Run(format, func(t *testing.T) {
			to, file := newReceiver(t), filepath.Join(t.TempDir(), "access.log")
			l, stop := collecting(t, &Config{Format: format, FilePath: file, Fields: &FieldModes{
				Names: map[string]string{"ClientAddr": "drop", "ClientUsername": "redact"}, Headers: &HeaderModes{Names: map[string]string{"User-Agent": "keep"}},
			}}, to)
			l.Observe(exchanges()["followed"])
			l.Observe(ordinary())
			stop()
			if text, err := os.ReadFile(file); err != nil || strings.Count(string(text), "\n") != 2 {
				t.Errorf("the file has %v, %s", err, text)
			}
			if len(to.records) != 2 {
				t.Fatalf("got %d records", len(to.records))
			}
			r := to.records[0]
			got := map[string]any{}
			for _, a := range r.Attributes {
				if got[a.Key] = a.Value.GetStringValue(); got[a.Key] == "" {
					got[a.Key] = a.Value.GetIntValue()
				}
			}
			for name, want := range map[string]any{
				"RequestPath": "/a%20b?x=1&token=abc", "DownstreamStatus": int64(200), "Duration": int64(23456789), "RouterName": "shop@docker",
				"ClientUsername": redacted, "ClientAddr": nil, "level": nil, "time": nil, "TraceId": "01020300000000000000000000000000",
			} {
				if got[name] != want {
					t.Errorf("%s: got %v, want %v", name, got[name], want)
				}
			}
			if diff := cmp.Diff("GET shop.example /a%20b?x=1&token=abc 200", r.Body.GetStringValue()); diff != "" {
				t.Error(diff)
			}
			if r.TraceId[0] != 1 || r.SpanId[0] != 9 || r.TimeUnixNano != uint64(start.Add(23456789).UnixNano()) || r.SeverityText != "INFO" {
				t.Errorf("got %v", r)
			}
		})
	}
}

func TestCollector_ThatWasAway(t *testing.T) {
	to := newReceiver(t)
	to.answer(http.StatusServiceUnavailable)
	l, stop := collecting(t, &Config{FlushInterval: types.Duration(20 * time.Millisecond)}, to)
	l.Observe(ordinary())
	until(t, "a try", func() bool { calls, _ := to.seen(); return calls > 0 })
	to.answer(http.StatusOK)
	until(t, "the record", func() bool { _, records := to.seen(); return records == 1 })
	stop()
	if l.Dropped() != 0 {
		t.Errorf("lost %d", l.Dropped())
	}
}

func TestCollector_WhatItRefusesIsGivenUp(t *testing.T) {
	to := newReceiver(t)
	to.answer(http.StatusBadRequest)
	l, stop := collecting(t, &Config{}, to)
	l.Observe(ordinary())
	until(t, "that it is lost", func() bool { return l.Dropped() == 1 })
	to.answer(http.StatusOK)
	l.Observe(ordinary())
	until(t, "the next", func() bool { _, records := to.seen(); return records == 1 })
	to.answer(http.StatusServiceUnavailable)
	l.Observe(ordinary())
	stop()
	if l.Dropped() != 2 {
		t.Errorf("lost %d", l.Dropped())
	}
}

func TestNew_OutputsBesideACollector(t *testing.T) {
	for name, tt := range map[string]struct {
		c    Config
		want string
	}{
		"alone":             {Config{}, "otlp"},
		"in JSON":           {Config{Format: formatJSON}, "otlp"},
		"with the standard": {Config{DualOutput: true}, "standard output,otlp"},
		"with a file":       {Config{FilePath: filepath.Join(t.TempDir(), "a")}, "file,otlp"},
	} {
		tt.c.OTLP = &otlplogs.Config{}
		l, err := tt.c.New(quiet())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range l.outputs() {
			name := s.Name()
			if strings.HasPrefix(name, "/") {
				name = "file"
			}
			names = append(names, name)
		}
		ended(t, l)
		if got := strings.Join(names, ","); got != tt.want {
			t.Errorf("%s: got %s", name, got)
		}
	}
	c := Config{OTLP: &otlplogs.Config{HTTP: &otlp.HTTP{Endpoint: "x"}}}
	if _, err := c.New(quiet()); err == nil || err.Error() != `otlp.http.endpoint: "x" is no URL` {
		t.Errorf("got %v", err)
	}
}
