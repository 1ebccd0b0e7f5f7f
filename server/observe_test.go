package server

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"fairway/telemetry"
)

// diary is an observer that keeps a line of each exchange.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) Observe(e *telemetry.Exchange) {
	d.mu.Lock()
	defer d.mu.Unlock()
	origin := e.Record.Origin
	d.lines = append(d.lines, fmt.Sprintf("%s %s: %d, %d in, %d out, server %d of %d in time %v, X-Server %q, cause %q",
		e.Request.Method, e.Request.URL.Path, e.Status, e.Received, e.Written, origin.Status, origin.Length,
		origin.Duration > 0 && origin.Duration <= e.Duration, e.Response.Get("X-Server"), e.Record.Cause))
}

func (d *diary) take() (all []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all, d.lines = d.lines, nil
	return all
}

func TestServer_ObserversAreToldOfEveryExchange(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Server", "yes")
		switch r.URL.Path {
		case "/breaks":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "/empty":
			return
		}
		_, _ = io.WriteString(w, "hello")
	}))
	t.Cleanup(s.Close)
	routes := strings.Replace(routeTo(s.URL), "rule: 'PathPrefix(`/`)'", "rule: '!Path(`/nowhere`)'", 1)
	ways(t, routes, nil, func(t *testing.T, r *running, client *http.Client) {
		d := &diary{}
		for _, e := range r.entryPoints {
			e.outer.observers = &observers{list: []telemetry.Observer{d}, headers: true}
		}
		for _, tt := range []struct{ method, path, body, want string }{
			{"GET", "/", "", `200, 0 in, 5 out, server 200 of 5 in time true, X-Server "yes", cause ""`},
			{"POST", "/", "some body", `200, 9 in, 5 out, server 200 of 5 in time true, X-Server "yes", cause ""`},
			{"GET", "/empty", "", `200, 0 in, 0 out, server 200 of 0 in time true, X-Server "yes", cause ""`},
			{"GET", "/nowhere", "", `404, 0 in, 19 out, server 0 of 0 in time false, X-Server "", cause "no router matches"`},
			{"GET", "/breaks", "", `200, 0 in, 4 out, server 200 of 100 in time true, X-Server "yes", cause "response of ` + s.URL + ` broke off: the server closed the connection in the middle"`},
		} {
			var body io.Reader
			if tt.body != "" {
				body = strings.NewReader(tt.body)
			}
			res, err := client.Do(ask(t, tt.method, tt.path, body))
			if err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
			var got []string
			await(t, "the exchange to be told of", func() bool { got = append(got, d.take()...); return len(got) > 0 })
			if want := tt.method + " " + tt.path + ": " + tt.want; len(got) != 1 || got[0] != want {
				t.Errorf("got %q\nwant %q", got, want)
			}
		}
	})
}

// clumsy is an observer with a mistake.
type clumsy struct{}

func (clumsy) Observe(*telemetry.Exchange) { panic("a mistake") }

func TestServer_AMistakeOfAnObserverCostsNoResponse(t *testing.T) {
	r := start(t, routeTo(backend(t, func(*http.Request) {})))
	before, after := &diary{}, &diary{}
	for _, e := range r.entryPoints {
		e.outer.observers = &observers{list: []telemetry.Observer{before, clumsy{}, after, clumsy{}}, log: e.log}
	}
	if res, body := r.get(t, "any.test", "/"); res.StatusCode != 200 || body != "answer" {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
	await(t, "two lines in the log", func() bool { return strings.Count(r.log.String(), "a mistake") == 2 })
	r.stop()
	if len(before.lines) != 1 || len(after.lines) != 1 {
		t.Errorf("the others were told of %d and %d exchanges, want each once", len(before.lines), len(after.lines))
	}
}

// The log goes by X-Forwarded-For: a stranger's must be gone before anything answers.
func TestServer_ObserversSeeNoForgedAddress(t *testing.T) {
	ways(t, routeTo(backend(t, func(*http.Request) {})), []string{"--entrypoints.web.http.underscoreheadersstrategy=reject"}, func(t *testing.T, r *running, client *http.Client) {
		var seen []string
		for _, e := range r.entryPoints {
			e.outer.observers = &observers{list: []telemetry.Observer{observerFunc(func(x *telemetry.Exchange) {
				seen = append(seen, x.Request.Header.Get("X-Forwarded-For"))
			})}, log: e.log}
		}
		req := ask(t, "GET", "/", nil)
		req.Header["X_y"], req.Header["X-Forwarded-For"] = []string{"1"}, []string{"6.6.6.6"}
		if res, _ := fetch(t, client, req); res.StatusCode != http.StatusBadRequest {
			t.Errorf("got %d", res.StatusCode)
		}
		r.stop()
		if len(seen) != 1 || strings.Contains(seen[0], "6.6.6.6") {
			t.Errorf("got %q", seen)
		}
	})
}

type observerFunc func(*telemetry.Exchange)

func (f observerFunc) Observe(e *telemetry.Exchange) { f(e) }
