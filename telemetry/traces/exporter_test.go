package traces

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

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
