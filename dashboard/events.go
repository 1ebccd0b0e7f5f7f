package dashboard

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"fairway/telemetry/live"
)

// The page learns all that changes from one stream of events (HTML standard, section 9.2):
//
//	seconds   what passed in the seconds since the last event
//	state     what is there: sent at first, and whenever the configuration or the
//	          problems are others
//	requests  requests that are over, for who has asked with requests=1

// The pages that are open at the same time are bounded, so that nobody takes them all.
const (
	mostStreams   = 64
	mostPerClient = 16
)

// events are the streams.
type events struct {
	*api

	mu    sync.Mutex
	open  int
	of    map[string]int // streams by the address of the client
	asked time.Time      // when state was put together
	state string
}

// stream is one page that is open.
type stream struct {
	*events
	w       http.ResponseWriter
	control *http.ResponseController
	second  int64
	request uint64
	tail    bool
	shown   string // of the state
}

func (e *events) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if e.Live == nil {
		send(w, http.StatusNotFound, message("there is nothing live"))
		return
	}
	client, _, _ := net.SplitHostPort(r.RemoteAddr)
	if full := e.begin(client); full != "" {
		w.Header().Set("Retry-After", "10")
		send(w, http.StatusServiceUnavailable, message(full))
		return
	}
	defer e.end(client)
	s := &stream{events: e, w: w, control: http.NewResponseController(w), tail: r.URL.Query().Get("requests") == "1" && e.Install.API.LiveRequests}
	s.resume(r)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // for an nginx in front
	if r.Method == http.MethodHead {
		return
	}
	s.run(r)
}

// begin takes a place for a page, or says why there is none.
func (e *events) begin(client string) (full string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.open >= mostStreams:
		return fmt.Sprintf("%d pages are open already: close one of them", mostStreams)
	case e.of[client] >= mostPerClient:
		return fmt.Sprintf("%d pages are open already by %s: close one of them", mostPerClient, client)
	}
	e.open++
	e.of[client]++
	return ""
}

func (e *events) end(client string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.open--
	if e.of[client]--; e.of[client] == 0 {
		delete(e.of, client)
	}
}

// resume goes on behind the last event that a page has got, which tells it by
// Last-Event-ID: the start of this process, the second and the request. What another process
// has told says nothing of this one, whose requests are counted anew.
func (s *stream) resume(r *http.Request) {
	second, request := r.URL.Query().Get("since"), ""
	if id := strings.Split(r.Header.Get("Last-Event-ID"), "-"); len(id) == 3 && id[0] == itoa64(s.Started.UnixMilli()) {
		second, request = id[1], id[2]
	}
	s.second, _ = strconv.ParseInt(second, 10, 64)
	s.request, _ = strconv.ParseUint(request, 10, 64)
}

func itoa64(n int64) string { return strconv.FormatInt(n, 10) }

// run writes until the page is closed, or the gateway stops.
func (s *stream) run(r *http.Request) {
	news, end := s.Live.Watch()
	defer end()
	if s.tail {
		defer s.Live.Read()()
	}
	for s.write() == nil {
		select {
		case <-r.Context().Done():
			return
		case <-s.Done:
			return
		case <-news:
		}
	}
}

// slowest is how long a page may take to read what is there.
const slowest = 10 * time.Second

// write sends all that is new.
func (s *stream) write() error {
	_ = s.control.SetWriteDeadline(time.Now().Add(slowest))
	if text := s.current(); text != s.shown {
		s.shown = text
		if err := s.event("state", json.RawMessage(text)); err != nil {
			return err
		}
	}
	if seconds := s.Live.Since(s.second); len(seconds) > 0 {
		s.second = seconds[len(seconds)-1].Time
		if err := s.event("seconds", seconds); err != nil {
			return err
		}
	}
	if s.tail {
		if err := s.requests(); err != nil {
			return err
		}
	}
	return s.control.Flush()
}

func (s *stream) requests() error {
	list, missed := s.Live.After(s.request)
	if len(list) == 0 {
		return nil
	}
	s.request = list[len(list)-1].ID
	return s.event("requests", struct {
		List   []live.Request `json:"list"`
		Missed uint64         `json:"missed"`
	}{list, missed})
}

func (s *stream) event(name string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.w, "id: %d-%d-%d\nevent: %s\ndata: %s\n\n", s.Started.UnixMilli(), s.second, s.request, name, text)
	return err
}

// current is what is there, as far as it makes pages read anew. All pages are told the same,
// so that many of them cost no more than one.
func (e *events) current() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now := time.Now(); now.Sub(e.asked) > time.Second/2 {
		e.asked, e.state = now, e.stateText()
	}
	return e.state
}

func (e *events) stateText() string {
	problems := map[string]int{}
	for _, p := range e.Problems() {
		problems[string(p.Severity)]++
	}
	var changes uint64
	if e.Changes != nil {
		if all := e.Changes(); len(all) > 0 {
			changes = all[0].ID
		}
	}
	text, err := json.Marshal(map[string]any{"problems": problems, "change": changes, "started": e.Started.UnixMilli(), "down": e.serversDown()})
	if err != nil {
		return "{}"
	}
	return string(text)
}

// serversDown is how many servers get no requests.
func (e *events) serversDown() (n int) {
	for _, slot := range e.Table().Services() {
		for _, server := range slot.Servers() {
			if !server.Up {
				n++
			}
		}
	}
	return n
}
