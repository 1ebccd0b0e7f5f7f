package retry

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/answer"
	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

// step is what a service does with one attempt.
type step = http.HandlerFunc

func says(status int) step {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", string(body))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, http.StatusText(status))
	}
}

func gateway(status int, unsent bool) step {
	return func(w http.ResponseWriter, r *http.Request) {
		record.From(r.Context()).SetUnsent(unsent)
		answer.Refuse(w, r, status, "no connection")
	}
}

// serve makes a service of steps: the last one is for all further attempts.
func serve(steps ...step) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		do := steps[0]
		if len(steps) > 1 {
			steps = steps[1:]
		}
		do(w, r)
	})
}

func build(t *testing.T, c *Config, next http.Handler) http.Handler {
	t.Helper()
	h, err := c.New(t.Context(), middlewarestest.Env("test"), next)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func config(change func(*Config)) *Config {
	c := &Config{}
	c.SetDefaults()
	c.Attempts, c.Status = 3, []string{"503"}
	change(c)
	return c
}

func none(*Config) {}

func TestRetry_TriesAgain(t *testing.T) {
	cut := step(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		panic(http.ErrAbortHandler)
	})
	elsewhere := step(func(w http.ResponseWriter, r *http.Request) { // as a failover does
		record.From(r.Context()).SetUnsent(true)
		says(503)(w, r)
	})
	tests := map[string]struct {
		change   func(*Config)
		method   string
		kind     string
		steps    []step
		status   int
		attempts int
		cause    string
	}{
		"good at once":                      {none, "GET", "", []step{says(200)}, 200, 1, ""},
		"a status":                          {none, "GET", "", []step{says(503), says(200)}, 200, 2, ""},
		"a status not listed":               {none, "GET", "", []step{says(500), says(200)}, 500, 1, ""},
		"a status to the end":               {none, "GET", "", []step{says(503)}, 503, 3, ""},
		"a status that breaks off":          {none, "GET", "", []step{cut, says(200)}, 200, 2, ""},
		"no connection":                     {none, "GET", "", []step{gateway(502, true), gateway(504, false), says(200)}, 200, 3, ""},
		"no connection to the end":          {none, "GET", "", []step{gateway(502, true)}, 502, 3, "no connection"},
		"a server's own 502":                {none, "GET", "", []step{says(502), says(200)}, 502, 1, ""},
		"no connection, disabled":           {func(c *Config) { c.DisableRetryOnNetworkError = true; c.Status = []string{"502"} }, "GET", "", []step{gateway(502, true), says(200)}, 502, 1, "no connection"},
		"a server's 502, network disabled":  {func(c *Config) { c.DisableRetryOnNetworkError = true; c.Status = []string{"502"} }, "GET", "", []step{says(502), says(200)}, 200, 2, ""},
		"the gateway's 503, listed":         {none, "GET", "", []step{gateway(503, false), says(200)}, 200, 2, ""},
		"POST and a status":                 {none, "POST", "", []step{says(503), says(200)}, 503, 1, ""},
		"POST that was not sent":            {none, "POST", "", []step{gateway(502, true), says(200)}, 200, 2, ""},
		"POST that may have been sent":      {none, "POST", "", []step{gateway(502, false), says(200)}, 502, 1, "no connection"},
		"POST that another server got":      {none, "POST", "", []step{elsewhere, says(200)}, 503, 1, ""},
		"POST, allowed":                     {func(c *Config) { c.RetryNonIdempotentMethod = true }, "POST", "", []step{says(503), says(200)}, 200, 2, ""},
		"a call by gRPC that was not sent":  {none, "POST", "application/grpc", []step{gateway(502, true), says(200)}, 200, 2, ""},
		"a call by gRPC that was sent":      {none, "POST", "application/grpc", []step{gateway(502, false), says(201)}, 200, 1, "no connection"},
		"a body too long to be kept":        {func(c *Config) { c.MaxRequestBodyBytes = 4 }, "PUT", "", []step{says(503), says(200)}, 503, 1, ""},
		"a body just short enough":          {func(c *Config) { c.MaxRequestBodyBytes = 5 }, "PUT", "", []step{says(503), says(200)}, 200, 2, ""},
		"a body of any length":              {func(c *Config) { c.MaxRequestBodyBytes = -1 }, "PUT", "", []step{says(503), says(200)}, 200, 2, ""},
		"a long body that nobody has read":  {func(c *Config) { c.MaxRequestBodyBytes = 1 }, "PUT", "", []step{gateway(502, true), says(200)}, 200, 2, ""},
		"one attempt is no retry":           {func(c *Config) { c.Attempts = 1 }, "GET", "", []step{says(503), says(200)}, 503, 0, ""},
		"the last attempt's answer is sent": {none, "GET", "", []step{says(503), says(503), says(404)}, 404, 3, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := build(t, config(tt.change), serve(tt.steps...))
			rec := &record.Record{}
			r := httptest.NewRequest(tt.method, "/", io.MultiReader(strings.NewReader("hello")))
			r.Header.Set("Content-Type", tt.kind)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
			if w.Code != tt.status || rec.Attempts != tt.attempts || rec.Cause != tt.cause {
				t.Errorf("got %d after %d attempts, cause %q; want %d, %d, %q", w.Code, rec.Attempts, rec.Cause, tt.status, tt.attempts, tt.cause)
			}
			if seen, sent := w.Header()["X-Seen"]; sent && seen[0] != "hello" {
				t.Errorf("the last attempt saw %q, want the body", seen)
			}
			if w.Code == 200 && tt.kind == "" && w.Body.String() != "OK" {
				t.Errorf("got body %q", w.Body)
			}
		})
	}
}

func TestRetry_WorksWithoutARecord(t *testing.T) {
	h := build(t, config(none), serve(gateway(502, true), says(200)))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusOK {
		t.Errorf("got %d", w.Code)
	}
}

func TestRetry_DoesNotReadABodyBeforehand(t *testing.T) {
	from, to := io.Pipe()
	h := build(t, config(none), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begun") // before the client has sent anything
		go func() { _, _ = io.WriteString(to, "late"); _ = to.Close() }()
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPut, "/", from))
	if w.Body.String() != "begunlate" {
		t.Errorf("got %q", w.Body)
	}
}

func TestRetry_KeepsWhatAnAttemptThatIsOverStillReads(t *testing.T) {
	from, to := io.Pipe()
	over, read := make(chan struct{}), make(chan struct{})
	h := build(t, config(none), serve(
		func(w http.ResponseWriter, r *http.Request) {
			go func() {
				defer close(read)
				p := make([]byte, 3)
				n, _ := r.Body.Read(p)
				close(over)
				_, _ = r.Body.Read(p[n:])
			}()
			_, _ = io.WriteString(to, "hel")
			<-over
			w.WriteHeader(http.StatusServiceUnavailable)
		},
		func(w http.ResponseWriter, r *http.Request) {
			go func() { _, _ = io.WriteString(to, "lo"); _ = to.Close() }()
			_, _ = io.Copy(w, r.Body)
		},
	))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPut, "/", from))
	<-read
	if w.Body.String() != "hello" {
		t.Errorf("got %q", w.Body)
	}
}

// A service answers before all of the body is there, and stops reading as the proxy
// does; the next attempt goes on reading, and the last one leaves nobody who reads.
func TestRetry_AnAttemptThatIsOverDoesNotStopTheBody(t *testing.T) {
	answered, stopped := make(chan struct{}), make(chan struct{})
	reading := func(r *http.Request) (ended chan struct{}) {
		ended = make(chan struct{})
		first := make([]byte, 3)
		_, _ = io.ReadFull(r.Body, first)
		go func() { defer close(ended); _, _ = r.Body.Read(first) }()
		return ended
	}
	h := build(t, config(func(c *Config) { c.Attempts = 2 }), serve(
		func(w http.ResponseWriter, r *http.Request) {
			reading(r)
			w.WriteHeader(http.StatusServiceUnavailable)
			if http.NewResponseController(w).SetReadDeadline(time.Now()) == nil {
				t.Error("the body can be stopped while another attempt needs it")
			}
		},
		func(w http.ResponseWriter, r *http.Request) {
			close(answered)
			body, err := io.ReadAll(r.Body)
			_, _ = w.Write(body)
			if err != nil {
				t.Error(err)
			}
		},
	))
	s := httptest.NewServer(h)
	defer s.Close()
	from, to := io.Pipe()
	go func() {
		defer close(stopped)
		_, _ = io.WriteString(to, "hel")
		<-answered
		_, _ = io.WriteString(to, "lo")
		_ = to.Close()
	}()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL, from)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if got, err := io.ReadAll(res.Body); string(got) != "hello" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	<-stopped
}

func TestRetry_NobodyReadsTheBodyInTheEnd(t *testing.T) {
	ended := make(chan struct{})
	h := build(t, config(func(c *Config) { c.Attempts = 2 }), serve(
		func(w http.ResponseWriter, r *http.Request) {
			begun := make(chan struct{})
			p := make([]byte, 3)
			_, _ = io.ReadFull(r.Body, p)
			go func() { defer close(ended); close(begun); _, _ = r.Body.Read(p) }()
			<-begun
			w.WriteHeader(http.StatusServiceUnavailable)
		},
		unread(http.StatusTeapot),
	))
	done := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		h.ServeHTTP(w, r)
		<-ended
	}))
	defer s.Close()
	from, to := io.Pipe()
	defer func() { _ = to.Close() }()
	go func() { _, _ = io.WriteString(to, "hel") }()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL, from)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := http.DefaultClient.Do(r); err == nil {
		_ = res.Body.Close()
	}
	<-done
}

// unread answers without a look at the body.
func unread(status int) step {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

func TestRetry_WaitsLongerEachTimeUpToTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			at = append(at, time.Now())
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		h := build(t, config(func(c *Config) { c.Attempts = 5; c.InitialInterval = types.Duration(time.Second) }), next)
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		for i, most := range []time.Duration{time.Second, 2 * time.Second, 2 * time.Second, 2 * time.Second} {
			if got := at[i+1].Sub(at[i]); got > most || got < most/2 {
				t.Errorf("%v before attempt %d, want from half of %v to it", got, i+2, most)
			}
		}
	})
}

func TestRetry_BeginsNoAttemptAfterTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &record.Record{}
		next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Second) // on the clock of the bubble
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		h := build(t, config(func(c *Config) { c.Attempts = 9; c.Timeout = types.Duration(2500 * time.Millisecond) }), next)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		h.ServeHTTP(httptest.NewRecorder(), r.WithContext(record.With(t.Context(), rec)))
		if rec.Attempts != 3 {
			t.Errorf("%d attempts, want 3", rec.Attempts)
		}
	})
}

func TestRetry_EndsWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, wait := range map[string]time.Duration{"between attempts": time.Hour, "during one": 0} {
			rec := &record.Record{}
			ctx, cancel := context.WithCancel(record.With(t.Context(), rec))
			next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if wait == 0 {
					cancel()
				}
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			time.AfterFunc(time.Minute, cancel)
			h := build(t, config(func(c *Config) { c.InitialInterval = types.Duration(wait) }), next)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx))
			if rec.Attempts != 1 || wait > 0 && w.Code != answer.StatusClientClosedRequest {
				t.Errorf("%s: %d attempts, answer %d", name, rec.Attempts, w.Code)
			}
			cancel()
		}
	})
}

func TestRetry_KeepsToItsBudget(t *testing.T) {
	for budget, want := range map[int]int{20: 1000 + 100 + 200, 50: 1000 + 100 + 500, -1: 3000} {
		synctest.Test(t, func(t *testing.T) {
			sent := 0
			next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				sent++
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			h := build(t, config(func(c *Config) { c.Budget = budget }), next)
			for range 1000 {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
			}
			if sent < want-2 || sent > want {
				t.Errorf("budget %d: 1000 requests were sent %d times, want %d", budget, sent, want)
			}
			time.Sleep(time.Second) // 10 more are there
			before := sent
			for range 50 {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
			}
			if more := sent - before - 50; budget == 20 && (more < 19 || more > 21) {
				t.Errorf("%d retries a second later, want 20", more)
			}
		})
	}
}
