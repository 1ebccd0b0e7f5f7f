package hedge

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus/hooks/test"
	"github.com/traefik/paerser/types"

	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return defaults() })
}

func defaults() *Config {
	c := &Config{}
	c.SetDefaults()
	return c
}

func after(d time.Duration) *Config {
	c := defaults()
	c.Delay = types.Duration(d)
	return c
}

// step is what a service does with one attempt: it takes its time, and answers with status and
// text. It leaves when the attempt is given up.
type step struct {
	takes  time.Duration
	status int
	breaks bool
	bug    bool // it panics for another reason
}

// service answers each attempt with the next step, and tells how many were given up.
type service struct {
	steps   []step
	n       atomic.Int64
	givenUp atomic.Int64
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := int(s.n.Add(1))
	do := s.steps[min(n, len(s.steps))-1]
	rec := record.From(r.Context())
	rec.Server = r.URL.Path
	r.Header.Set("X-Touched", "yes")
	select {
	case <-time.After(do.takes):
	case <-r.Context().Done():
		s.givenUp.Add(1)
		rec.Fail("the client went away")
		w.WriteHeader(499)
		return
	}
	if do.breaks {
		panic(http.ErrAbortHandler)
	}
	if do.bug {
		panic("a bug")
	}
	w.Header().Set("X-Attempt", string(rune('0'+n)))
	w.WriteHeader(do.status)
	_, _ = io.WriteString(w, "part ")
	select {
	case <-time.After(time.Second): // the rest comes later
		_, _ = io.WriteString(w, "rest")
	case <-r.Context().Done():
		s.givenUp.Add(1)
	}
}

func build(t *testing.T, c *Config, s http.Handler) http.Handler {
	t.Helper()
	h, err := c.New(t.Context(), middlewarestest.Env("hedge"), s)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// answer is what a client got.
type answer struct {
	*httptest.ResponseRecorder
	rec    *record.Record
	took   time.Duration
	broken bool
	header http.Header // of the request, behind it
}

func ask(h http.Handler, method string) (a answer) {
	a = answer{ResponseRecorder: httptest.NewRecorder(), rec: &record.Record{Service: "shop"}}
	r := httptest.NewRequest(method, "/p", nil)
	began := time.Now()
	defer func() {
		a.broken = recover() == http.ErrAbortHandler //nolint:errorlint // a panic value
		a.took, a.header = time.Since(began), r.Header
	}()
	h.ServeHTTP(a, r.WithContext(record.With(context.Background(), a.rec)))
	return a
}

func TestHedge_TakesTheAnswerThatComesFirst(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	for _, tt := range []struct {
		name    string
		method  string
		config  *Config
		steps   []step
		attempt string
		status  int
		took    time.Duration
		made    int
		gone    int64
	}{
		{"soon enough", "GET", after(s), []step{{takes: 900 * ms, status: 200}}, "1", 200, 1900 * ms, 0, 0},
		{"the second is faster", "GET", after(s), []step{{takes: 9 * s, status: 200}, {takes: 100 * ms, status: 201}}, "2", 201, 2100 * ms, 2, 1},
		{"the first comes all the same", "HEAD", after(s), []step{{takes: 1100 * ms, status: 200}, {takes: 9 * s, status: 201}}, "1", 200, 2100 * ms, 2, 1},
		{"an error does not win", "GET", after(s), []step{{takes: 1100 * ms, status: 503}, {takes: 2 * s, status: 200}}, "2", 200, 4 * s, 2, 0},
		{"unless there are only errors", "GET", after(s), []step{{takes: 1100 * ms, status: 503}, {takes: 2 * s, status: 502}}, "2", 502, 4 * s, 2, 0},
		{"an error without a hedge", "GET", after(s), []step{{takes: 10 * ms, status: 500}}, "1", 500, 1010 * ms, 0, 0},
		{"one that breaks off does not win", "GET", after(s), []step{{takes: 1100 * ms, breaks: true}, {takes: 2 * s, status: 200}}, "2", 200, 4 * s, 2, 0},
		{"POST is not hedged", "POST", after(s), []step{{takes: 9 * s, status: 200}}, "1", 200, 10 * s, 0, 0},
		{"nothing is known", "GET", defaults(), []step{{takes: 9 * s, status: 200}}, "1", 200, 10 * s, 0, 0},
		{"three of them", "GET", &Config{Delay: types.Duration(s), Attempts: 3, Quantile: 95, Budget: 10}, []step{{takes: 9 * s, status: 200}, {takes: 9 * s, status: 200}, {takes: ms, status: 200}}, "3", 200, 3001 * ms, 3, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				svc := &service{steps: tt.steps}
				a := ask(build(t, tt.config, svc), tt.method)
				if got := a.Header().Get("X-Attempt"); got != tt.attempt || a.Code != tt.status || a.took != tt.took || a.broken {
					t.Errorf("got attempt %s, %d after %v, broken %v", got, a.Code, a.took, a.broken)
				}
				if text := a.Body.String(); text != "part rest" {
					t.Errorf("got %q", text)
				}
				if a.rec.Attempts != tt.made || svc.givenUp.Load() != tt.gone || a.rec.Cause != "" || a.rec.Server != "/p" {
					t.Errorf("got %+v, %d were given up", a.rec, svc.givenUp.Load())
				}
			})
		})
	}
}

func TestHedge_WhatBreaksOffBreaksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if a := ask(build(t, after(time.Second), &service{steps: []step{{takes: time.Millisecond, breaks: true}}}), "GET"); !a.broken {
			t.Error("the first")
		}
		if a := ask(build(t, after(time.Second), &service{steps: []step{{takes: 2 * time.Second, breaks: true}}}), "GET"); !a.broken {
			t.Error("both")
		}
		// The answer of the first was held up for the sake of the second: nothing is left to be sent.
		if a := ask(build(t, after(time.Second), &service{steps: []step{{takes: 1100 * time.Millisecond, status: 503}, {takes: 2 * time.Second, breaks: true}}}), "GET"); !a.broken {
			t.Errorf("the second, after an error of the first: got %d, %q", a.Code, a.Body)
		}
	})
}

func TestHedge_PanicsAreLogged(t *testing.T) {
	for name, steps := range map[string][]step{
		"of the first":  {{takes: 1100 * time.Millisecond, bug: true}, {takes: 2 * time.Second, status: 200}},
		"of the second": {{takes: 2 * time.Second, status: 200}, {takes: 100 * time.Millisecond, bug: true}},
	} {
		synctest.Test(t, func(t *testing.T) {
			env := middlewarestest.Env("hedge")
			log, entries := test.NewNullLogger()
			env.Log = log
			h, err := after(time.Second).New(t.Context(), env, &service{steps: steps})
			if err != nil {
				t.Fatal(err)
			}
			if a := ask(h, "GET"); a.Code != http.StatusOK || a.broken {
				t.Errorf("%s: got %d", name, a.Code)
			}
			if last := entries.LastEntry(); last == nil || !strings.Contains(last.Message, "a bug") {
				t.Errorf("%s: it is not logged: %v", name, last)
			}
		})
	}
}

// Attempts note parameters of the query that are credentials at the same time.
func TestHedge_RecordsOfAttemptsHaveNothingInCommon(t *testing.T) {
	rec := &record.Record{}
	for _, name := range []string{"a", "b", "c"} {
		rec.Hide(name) // leaves room behind
	}
	var both sync.WaitGroup
	both.Add(2)
	h := build(t, after(time.Nanosecond), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		both.Done()
		both.Wait()
		record.From(r.Context()).Hide("d")
		w.WriteHeader(http.StatusNoContent)
	}))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	h.ServeHTTP(httptest.NewRecorder(), r.WithContext(record.With(r.Context(), rec)))
	if got := strings.Join(rec.Hidden, ""); got != "abcd" {
		t.Errorf("got %s", got)
	}
}

func TestHedgeable(t *testing.T) {
	for _, tt := range []struct {
		method, name, value string
		want                bool
	}{
		{"GET", "Authorization", "Bearer x", true},
		{"HEAD", "Accept", "*/*", true},
		{"OPTIONS", "Accept", "*/*", true},
		{"DELETE", "Accept", "*/*", false},
		{"GET", "Upgrade", "websocket", false},
		{"GET", "Authorization", "NTLM TlRMTVNTUAAB", false},
		{"GET", "Authorization", "negotiate YII", false},
	} {
		r := httptest.NewRequest(tt.method, "/", nil)
		r.Header.Set(tt.name, tt.value)
		if got := hedgeable(r); got != tt.want {
			t.Errorf("%s with %s: %s: got %v", tt.method, tt.name, tt.value, got)
		}
	}
	if hedgeable(httptest.NewRequest(http.MethodGet, "/", strings.NewReader("body"))) {
		t.Error("a request with a body")
	}
}

func TestHedge_LearnsHowLongAnswersTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Bool
		var asked atomic.Int64
		h := build(t, defaults(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n := asked.Add(1)
			takes := time.Duration(n%20+1) * time.Millisecond // up to 20 ms, which is the quantile
			if slow.Load() && n%2 == 1 {
				takes = time.Minute
			}
			select {
			case <-time.After(takes):
			case <-r.Context().Done():
			}
			w.WriteHeader(http.StatusNoContent)
		}))
		for range 200 {
			ask(h, "GET")
		}
		slow.Store(true)
		asked.Store(0)
		if a := ask(h, "GET"); a.took != 22*time.Millisecond || a.Code != http.StatusNoContent {
			t.Errorf("got %d after %v", a.Code, a.took)
		}
	})
}

func TestBudget_BoundsWhatASlowServiceGetsMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := &service{steps: []step{{takes: time.Minute, status: 200}}}
		h := build(t, after(time.Millisecond), svc)
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() { ask(h, "GET") })
		}
		all.Wait()
		if got := svc.n.Load(); got <= 1000 || got > 1000+saved+100 {
			t.Errorf("1000 requests were asked %d times", got)
		}
	})
}

// The first attempt may change the header map that it got, while the others are made.
func TestHedge_AttemptsHaveHeadersOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		var mu sync.Mutex
		h := build(t, after(time.Millisecond), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			seen = append(seen, strings.Join(r.Header["X-Touched"], ","))
			mu.Unlock()
			for range 100 {
				r.Header.Add("X-Touched", "yes")
				time.Sleep(time.Millisecond) // on the clock of the bubble
			}
			r.Header.Del("X-Touched")
			w.WriteHeader(http.StatusNoContent)
		}))
		ask(h, "GET")
		if len(seen) != 2 || seen[0]+seen[1] != "" {
			t.Errorf("got %q", seen)
		}
	})
}

func TestMemory_ForgetsServicesThatAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		kept := m.of("kept")
		for i := range 10 * many {
			m.of(strconv.Itoa(i)).add(time.Millisecond)
			m.of("kept").add(time.Millisecond)
			time.Sleep(time.Minute) // on the clock of the bubble
		}
		left := 0
		m.services.Range(func(any, any) bool { left++; return true })
		if left > many || m.of("kept") != kept {
			t.Errorf("%d are left", left)
		}
	})
}
