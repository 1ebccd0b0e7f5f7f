package traces

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"google.golang.org/protobuf/proto"

	"fairway/internal/record"
	"fairway/telemetry"
	"fairway/telemetry/otlp"
)

// said is a log that tests can read while it is written.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.text.String(), text)
}

func sendingTo(t *testing.T, endpoint string) (*Tracer, *said) {
	t.Helper()
	c, text, log := &Config{}, &said{}, logrus.New()
	log.SetOutput(text)
	c.SetDefaults()
	c.OTLP = &otlp.Collector{HTTP: &otlp.HTTP{Endpoint: endpoint}}
	tr, err := c.New(log)
	if err != nil {
		t.Fatal(err)
	}
	return tr, text
}

// follow follows a request from its beginning to its end.
func (t *Tracer) follow() {
	r := httptest.NewRequest("GET", "/", nil)
	rec := &record.Record{Start: time.Now()}
	t.Begin(r, rec)
	t.Observe(&telemetry.Exchange{Record: rec, Request: r, Status: 200, Response: fields{}})
}

func TestExporter_ACollectorThatIsNotThereAndComesBack(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	tr, text := sendingTo(t, "http://"+address+"/v1/traces")
	tr.follow()
	if err := tr.provider.ForceFlush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if tr.Lost() != 1 || !text.has("spans cannot be sent to the collector") {
		t.Errorf("lost %d, the log has %q", tr.Lost(), &text.text)
	}

	c := &collector{resource: map[string]string{}}
	if l, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(c.serve)}
	go func() { _ = s.Serve(l) }()
	defer s.Close()
	tr.follow()
	closed(t, tr)
	if len(c.spans) != 1 || tr.Lost() != 1 || !text.has("spans are sent to the collector again") {
		t.Errorf("got %d spans, lost %d, the log has %q", len(c.spans), tr.Lost(), &text.text)
	}
}

func TestExporter_NobodyWaitsForASlowCollector(t *testing.T) {
	asked, release := make(chan struct{}, 1), make(chan struct{})
	c := &collector{resource: map[string]string{}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-release
		c.serve(w, r)
	}))
	defer s.Close()
	tr, text := sendingTo(t, s.URL+"/v1/traces")
	const batch = 512
	for range batch {
		tr.follow()
	}
	<-asked // the first batch is under way, and stays so
	for range queueLength {
		tr.follow()
	}
	if tr.Lost() != 0 {
		t.Errorf("%d are lost of what there is room for", tr.Lost())
	}
	for range 10 {
		tr.follow()
	}
	if tr.Lost() != 10 || !text.has("too many spans wait for it") {
		t.Errorf("lost %d, the log has %q", tr.Lost(), &text.text)
	}
	close(release)
	closed(t, tr)
	if got := len(c.spans); got != batch+queueLength || tr.Lost() != 10 {
		t.Errorf("the collector has %d spans, %d are lost", got, tr.Lost())
	}
}

// Clients choose how long texts are; what waits is bounded all the same, and collectors by
// gRPC take it.
func TestExporter_LongTextsAreBounded(t *testing.T) {
	c := newCollector(t)
	tr := build(t, func(cfg *Config) {
		cfg.OTLP = &otlp.Collector{GRPC: &otlp.GRPC{Endpoint: c.grpc, Insecure: true}}
		for i := range 50 {
			cfg.CapturedRequestHeaders = append(cfg.CapturedRequestHeaders, fmt.Sprint("X-Captured-", i))
		}
	})
	long := strings.Repeat("x", 100<<10)
	const requests = 100 // of more than 100 KiB each: more than fits into a message, less than 16 MiB
	for range requests {
		r := httptest.NewRequest("GET", "/"+long+"?"+long, nil)
		for i := range 50 {
			r.Header.Set(fmt.Sprint("X-Captured-", i), long)
		}
		r.Header["X-Captured-0"] = []string{"ab\xff", strings.Repeat("\u00e4", longestText)}
		r.Header.Set("User-Agent", long)
		rec := &record.Record{Start: time.Now(), Outcome: record.Outcome{Cause: long}}
		tr.Begin(r, rec)
		rec.Trace.Attempt(r, "http://s")(0, "", errors.New(long))
		tr.Observe(&telemetry.Exchange{Record: rec, Request: r, Status: 502, Response: fields{}})
	}
	closed(t, tr)
	if len(c.spans) != 2*requests || tr.Lost() != 0 {
		t.Errorf("%d spans have come, %d are lost", len(c.spans), tr.Lost())
	}
	for _, s := range c.spans {
		if n := proto.Size(s); n > 60*longestText {
			t.Fatalf("a span has %d bytes", n)
		}
	}
	for _, a := range c.request().Attributes {
		if a.Key == "http.request.header.x-captured-0" && a.Value.GetArrayValue().GetValues()[0].GetStringValue() != "ab\uFFFD" {
			t.Errorf("got %v", a.Value)
		}
	}
}

func TestQueue_IsBoundedByBytes(t *testing.T) {
	asked, release := make(chan struct{}, 1), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-release
	}))
	defer s.Close()
	defer close(release)
	tr, _ := sendingTo(t, s.URL)
	for i := range 16 {
		tr.request = append(tr.request, fmt.Sprint("X-", i))
	}
	for range queueLength {
		r := httptest.NewRequest("GET", "/", nil)
		for _, name := range tr.request {
			r.Header[name] = []string{strings.Repeat("x", longestText)}
		}
		rec := &record.Record{Start: time.Now()}
		tr.Begin(r, rec)
		tr.Observe(&telemetry.Exchange{Record: rec, Request: r, Status: 200, Response: fields{}})
	}
	<-asked
	if n := tr.exporter.bytes.Load(); tr.Lost() == 0 || n > queueBytes || n < queueBytes/2 {
		t.Errorf("%d bytes wait, %d spans are lost", n, tr.Lost())
	}
}

// A part of a head would keep the whole of it in memory while the span waits.
func TestBegin_KeepsNothingOfTheHead(t *testing.T) {
	tr, _ := sendingTo(t, "http://127.0.0.1:1")
	tr.request = []string{"X-Captured"}
	heap := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before := heap()
	for i := range 30 {
		head := strings.Repeat("x", 1<<20) + fmt.Sprint("GETagentvalue/path00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01a=b10.0.0.1", i)
		cut := func(text string) string { at := strings.Index(head, text); return head[at : at+len(text)] }
		r := &http.Request{Method: cut("GET"), URL: &url.URL{Path: cut("/path")}, Host: cut("agent"), Header: http.Header{
			"User-Agent": {cut("agent")}, "X-Captured": {cut("value")}, "Tracestate": {cut("a=b")},
			"Traceparent": {cut("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")}, "X-Forwarded-For": {cut("10.0.0.1")},
		}}
		rec := &record.Record{Start: time.Now(), Host: cut("agent"), Outcome: record.Outcome{Cause: cut("value")}}
		tr.Begin(r, rec)
		rec.Trace.Attempt(r, "http://s")(502, "", nil)
		tr.Observe(&telemetry.Exchange{Record: rec, Request: r, Status: 502, Response: fields{}})
	}
	if held := int64(heap()) - int64(before); held > 5<<20 {
		t.Errorf("%d MiB are held", held>>20)
	}
	if tr.exporter.waiting.Load() == 0 {
		t.Error("the spans are gone: this tells nothing")
	}
}
