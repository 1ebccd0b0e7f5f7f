package dashboard

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fairway/internal/record"
	"fairway/telemetry"
	"fairway/telemetry/live"
)

// page is a page that is open.
type opened struct {
	*bufio.Scanner
	t     *testing.T
	id    string
	state struct {
		Change   uint64
		Problems map[string]int
	}
	seconds  []live.Second
	requests []live.Request
	close    func()
}

// open opens a stream of events.
func open(t *testing.T, url string, headers ...string) *opened {
	t.Helper()
	ctx, end := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(end)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(headers) > 0 {
		r.Header.Set("Last-Event-ID", headers[0])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("got %d %v", res.StatusCode, res.Header)
	}
	return &opened{Scanner: bufio.NewScanner(res.Body), t: t, close: end}
}

// await reads events until what they told is enough.
func (p *opened) await(what string, enough func() bool) {
	p.t.Helper()
	event := ""
	for !enough() {
		if !p.Scan() {
			p.t.Fatalf("the stream ended before %s: %v", what, p.Err())
		}
		line := p.Text()
		if value, ok := strings.CutPrefix(line, "id: "); ok {
			p.id = value
		}
		if value, ok := strings.CutPrefix(line, "event: "); ok {
			event = value
		}
		if value, ok := strings.CutPrefix(line, "data: "); ok {
			p.take(event, value)
		}
	}
}

func (p *opened) take(event, text string) {
	p.t.Helper()
	var err error
	switch event {
	case "state":
		err = json.Unmarshal([]byte(text), &p.state)
	case "seconds":
		var more []live.Second
		err = json.Unmarshal([]byte(text), &more)
		p.seconds = append(p.seconds, more...)
	case "requests":
		var more struct{ List []live.Request }
		err = json.Unmarshal([]byte(text), &more)
		p.requests = append(p.requests, more.List...)
	default:
		p.t.Fatalf("an event %q: %s", event, text)
	}
	if err != nil {
		p.t.Fatalf("%s: %v in %s", event, err, text)
	}
}

func (p *opened) paths() (all string) {
	for _, r := range p.requests {
		all += r.Path
	}
	return all
}

func exchange(path string) *telemetry.Exchange {
	return &telemetry.Exchange{
		Record: &record.Record{Start: time.Now(), Router: "good@file", Service: "s@file"}, Request: httptest.NewRequest("GET", path, nil),
		Duration: time.Millisecond, Status: 200,
	}
}

func TestEvents(t *testing.T) {
	l, change := live.New(10), atomic.Uint64{}
	done := make(chan struct{})
	h := newAPIWith(t, sample, func(s *Source) {
		s.Live, s.Done = l, done
		s.Changes = func() []Change { return []Change{{ID: change.Load()}} }
	})
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go l.Run(ctx)

	p := open(t, server.URL+"/api/events?requests=1")
	p.await("the state", func() bool { return p.state.Problems["error"] > 0 })
	l.Observe(exchange("/one"))
	p.await("the request", func() bool { return p.paths() == "/one" && p.requests[0].Router == "good@file" })
	p.await("its second", func() bool {
		return slices.ContainsFunc(p.seconds, func(s live.Second) bool { return s.Classes[2] == 1 })
	})
	change.Store(7)
	p.await("the change", func() bool { return p.state.Change == 7 })
	l.Observe(exchange("/two"))
	p.await("another request", func() bool { return p.paths() == "/one/two" })

	again := open(t, server.URL+"/api/events?requests=1", strings.Replace(p.id, "-2", "-1", 1)) // it has not got the second one
	again.await("what came after", func() bool { return again.paths() == "/two" })
	_, rest, _ := strings.Cut(p.id, "-")
	after := open(t, server.URL+"/api/events?requests=1", "1-"+rest) // another process has told it that
	after.await("all that this one knows", func() bool { return after.paths() == "/one/two" })
	close(done) // who stops does not wait for pages that are open
	for p.Scan() {
	}
	if p.Err() != nil {
		t.Errorf("the end: %v", p.Err())
	}
}

func TestEvents_AreBounded(t *testing.T) {
	done := make(chan struct{})
	server := httptest.NewServer(newAPIWith(t, sample, func(s *Source) { s.Live, s.Done = live.New(10), done }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(done) })
	var last *opened
	for range mostPerClient {
		last = open(t, server.URL+"/api/events")
		last.await("the state", func() bool { return last.state.Problems != nil })
	}
	if res, text := refused(t, server.URL); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.Contains(text, "16 pages are open already by 127.0.0.1") {
		t.Errorf("got %d %v %s", res.StatusCode, res.Header, text)
	}
	last.close()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if res, text := refused(t, server.URL); res.StatusCode == http.StatusOK {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("after one is closed: got %s", text)
		}
	}
}

// refused asks whether there is a place for another page.
func refused(t *testing.T, server string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server+"/api/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode == http.StatusOK {
		return res, ""
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

func TestEvents_AllClientsTogetherAreBounded(t *testing.T) {
	e := events{of: map[string]int{}}
	for i := range mostStreams {
		if full := e.begin(fmt.Sprint("192.0.2.", i)); full != "" {
			t.Fatalf("page %d: %s", i, full)
		}
	}
	if full := e.begin("192.0.2.200"); !strings.Contains(full, "64 pages") {
		t.Errorf("got %q", full)
	}
	e.end("192.0.2.1")
	if full := e.begin("192.0.2.200"); full != "" {
		t.Error(full)
	}
}

func TestEvents_RequestsCanBeTurnedOff(t *testing.T) {
	l, done := live.New(10), make(chan struct{})
	server := httptest.NewServer(newAPIWith(t, sample, func(s *Source) { s.Live, s.Done = l, done }, "--api.liverequests=false"))
	t.Cleanup(server.Close)
	p := open(t, server.URL+"/api/events?requests=1")
	p.await("the state", func() bool { return p.state.Problems != nil })
	l.Observe(exchange("/secret"))
	close(done)
	for p.Scan() {
		if strings.Contains(p.Text(), "/secret") {
			t.Error("a request is shown")
		}
	}
}
