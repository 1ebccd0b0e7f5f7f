package dashboard

import (
	"bufio"
	"context"
	"encoding/json"
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
	return &opened{Scanner: bufio.NewScanner(res.Body), t: t}
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
	for range mostStreams {
		p := open(t, server.URL+"/api/events")
		p.await("the state", func() bool { return p.state.Problems != nil })
	}
	res, err := http.Get(server.URL + "/api/events")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("got %d %v", res.StatusCode, res.Header)
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
