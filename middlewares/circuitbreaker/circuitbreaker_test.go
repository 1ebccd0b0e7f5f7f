package circuitbreaker

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
	"github.com/traefik/paerser/types"

	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

// fixture is a middleware in front of a service that answers as it is told.
type fixture struct {
	*testing.T
	env   middlewares.Env
	logs  *test.Hook
	kept  any
	calls int
	next  http.HandlerFunc
	rec   record.Record // of the next request
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{T: t, env: middlewarestest.Env("test"), rec: record.Record{Service: "web@docker"}}
	log := logrus.New()
	log.SetOutput(io.Discard)
	f.env.Log, f.logs = log, test.NewLocal(log)
	f.env.Keep = func(fresh func() any) any {
		if f.kept == nil {
			f.kept = fresh()
		}
		return f.kept
	}
	return f
}

func (f *fixture) build(expression string, change ...func(*Config)) http.Handler {
	f.Helper()
	c := &Config{Expression: expression}
	c.SetDefaults()
	for _, change := range change {
		change(c)
	}
	h, err := c.New(f.Context(), f.env, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.calls++
		f.next(w, r)
	}))
	if err != nil {
		f.Fatal(err)
	}
	return h
}

func (f *fixture) answers(status int) {
	f.next = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// send sends a request, whose record is a copy of the fixture's.
func (f *fixture) send(h http.Handler) (*httptest.ResponseRecorder, *record.Record) {
	rec := f.rec
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(record.With(r.Context(), &rec)))
	return w, &rec
}

func (f *fixture) expect(h http.Handler, what string, want int) {
	f.Helper()
	if w, _ := f.send(h); w.Code != want {
		f.Errorf("%s: got %d, want %d", what, w.Code, want)
	}
}

// passed sends requests and counts those that passed.
func (f *fixture) passed(h http.Handler, n int) int {
	before := f.calls
	for range n {
		f.send(h)
	}
	return f.calls - before
}

func TestCircuitBreaker_OpensByExpression(t *testing.T) {
	slow := func(d time.Duration, status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(d) // on the clock of the bubble
			w.WriteHeader(status)
		}
	}
	for name, c := range map[string]struct {
		expression string
		next       http.HandlerFunc
		opens      bool
	}{
		"bad gateway is a network error":     {"NetworkErrorRatio() > 0.5", slow(0, 502), true},
		"gateway timeout is a network error": {"NetworkErrorRatio() > 0.5", slow(0, 504), true},
		"no other error is":                  {"NetworkErrorRatio() > 0", slow(0, 503), false},
		"ratio of statuses":                  {"ResponseCodeRatio(500, 600, 0, 600) > 0.9", slow(0, 599), true},
		"the end of a range is not in it":    {"ResponseCodeRatio(500, 503, 0, 600) > 0", slow(0, 503), false},
		"nothing to divide by is 0":          {"ResponseCodeRatio(500, 600, 200, 300) > 0", slow(0, 503), false},
		"latency":                            {"LatencyAtQuantileMS(50.0) > 100", slow(110*time.Millisecond, 200), true},
		"latency that is short enough":       {"LatencyAtQuantileMS(50.0) > 100", slow(90*time.Millisecond, 200), false},
		"number of requests":                 {"RequestThreshold() >= 3", slow(0, 200), true},
		"number of requests is not there":    {"NetworkErrorRatio() > 0 && RequestThreshold() >= 9", slow(0, 502), false},
		"nothing is said":                    {"ResponseCodeRatio(200, 201, 0, 600) == 1", func(http.ResponseWriter, *http.Request) {}, true},
		"a body without a status":            {"ResponseCodeRatio(200, 201, 0, 600) == 1", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") }, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				f.next = c.next
				h := f.build(c.expression)
				for range 3 {
					f.send(h)
					time.Sleep(100 * time.Millisecond) // on the clock of the bubble
				}
				before := f.calls
				if f.send(h); c.opens != (f.calls == before) {
					t.Errorf("the circuit opened: %v, want %v", f.calls == before, c.opens)
				}
			})
		})
	}
}

func TestCircuitBreaker_RefusesWhileOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.answers(502)
		h := f.build("NetworkErrorRatio() > 0.5")
		f.expect(h, "the one that fails", 502)
		time.Sleep(2500 * time.Millisecond) // on the clock of the bubble
		w, rec := f.send(h)
		if w.Code != 503 || w.Header().Get("Retry-After") != "8" || w.Body.String() != "Service Unavailable" || rec.Cause != "circuitBreaker: the circuit is open" {
			t.Errorf("got %d %v %q, cause %q", w.Code, w.Header(), w.Body, rec.Cause)
		}
		if f.calls != 1 {
			t.Errorf("the service was asked %d times", f.calls)
		}
		other := f.build("NetworkErrorRatio() > 0.4", func(c *Config) { c.ResponseCode = 418 })
		f.send(other)
		f.expect(other, "with responseCode", 418)
	})
}

func TestCircuitBreaker_RecoversLittleByLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.answers(502)
		h := f.build("NetworkErrorRatio() > 0.5", func(c *Config) {
			c.FallbackDuration, c.RecoveryDuration = types.Duration(5*time.Second), types.Duration(20*time.Second)
		})
		f.send(h)
		f.answers(200)
		time.Sleep(5*time.Second - 1) // on the clock of the bubble
		if n := f.passed(h, 10); n != 0 {
			t.Errorf("%d passed before the end of fallbackDuration", n)
		}
		time.Sleep(time.Nanosecond) // on the clock of the bubble
		var got []int
		for range 4 { // five seconds each, 100 requests a second
			n := 0
			for range 500 {
				n += f.passed(h, 1)
				time.Sleep(10 * time.Millisecond) // on the clock of the bubble
			}
			got = append(got, n)
		}
		for i, want := range []int{62, 187, 312, 437} { // of 500, from an eighth to seven
			if got[i] < want-5 || got[i] > want+5 {
				t.Errorf("in quarter %d of recoveryDuration %d of 500 passed, want about %d", i, got[i], want)
			}
		}
		if n := f.passed(h, 100); n != 100 {
			t.Errorf("%d of 100 passed in the end", n)
		}
		var lines []string
		for _, e := range f.logs.AllEntries() {
			lines = append(lines, fmt.Sprintf("%s %s: %s (%s)", e.Level, e.Data["service"], e.Message, e.Data["expression"]))
		}
		if diff := cmp.Diff([]string{
			"warning web@docker: the circuit is open: no request passes for 5s (NetworkErrorRatio() > 0.5)",
			"info web@docker: the circuit recovers: more and more requests pass (NetworkErrorRatio() > 0.5)",
			"info web@docker: the circuit is closed: all requests pass (NetworkErrorRatio() > 0.5)",
		}, lines); diff != "" {
			t.Errorf("the log (-want +got):\n%s", diff)
		}
	})
}

func TestCircuitBreaker_RefusesWhileItRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.answers(502)
		h := f.build("NetworkErrorRatio() > 0.5")
		f.send(h)
		time.Sleep(11 * time.Second) // on the clock of the bubble
		if w, _ := f.send(h); w.Code != 503 || w.Header().Get("Retry-After") != "1" || f.calls != 1 {
			t.Errorf("got %d, Retry-After %q, %d calls", w.Code, w.Header().Get("Retry-After"), f.calls)
		}
	})
}

func TestCircuitBreaker_OpensAgainWhenNothingIsBetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.answers(502)
		h := f.build("NetworkErrorRatio() > 0.5")
		f.send(h)
		time.Sleep(15 * time.Second) // half of the requests pass
		if n := f.passed(h, 10); n != 1 {
			t.Errorf("%d passed: the one that failed again should have been the only one", n)
		}
		time.Sleep(10*time.Second - 1) // on the clock of the bubble
		if n := f.passed(h, 10); n != 0 {
			t.Errorf("%d passed while it is open again", n)
		}
	})
}

func TestCircuitBreaker_ClosesWithoutRequestsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.answers(502)
		h := f.build("NetworkErrorRatio() > 0.5")
		f.send(h)
		f.answers(200)
		time.Sleep(time.Hour) // on the clock of the bubble
		f.expect(h, "an hour later", 200)
	})
}

func TestCircuitBreaker_ForgetsAfterTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		h := f.build("RequestThreshold() >= 5 && NetworkErrorRatio() > 0.4")
		f.answers(502)
		f.passed(h, 4)
		time.Sleep(9 * time.Second) // on the clock of the bubble
		f.answers(200)
		f.passed(h, 4) // in between nothing is looked at: only the first of them is
		if n := f.passed(h, 1); n != 0 {
			t.Error("what happened 9 seconds ago does not count")
		}
		f.kept = nil
		h = f.build("RequestThreshold() >= 5 && NetworkErrorRatio() > 0.4")
		f.answers(502)
		f.passed(h, 4)
		time.Sleep(11 * time.Second) // on the clock of the bubble
		f.answers(200)
		f.passed(h, 4)
		if n := f.passed(h, 1); n != 1 {
			t.Error("what happened 11 seconds ago counts")
		}
	})
}

func TestCircuitBreaker_LooksOnceInCheckPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		h := f.build("NetworkErrorRatio() > 0.1", func(c *Config) { c.CheckPeriod = types.Duration(time.Second) })
		f.answers(200)
		f.send(h) // is looked at
		f.answers(502)
		time.Sleep(time.Second - 1) // on the clock of the bubble
		if n := f.passed(h, 5); n != 5 {
			t.Errorf("%d of 5 passed before the next look", n)
		}
		time.Sleep(time.Nanosecond) // on the clock of the bubble
		if n := f.passed(h, 5); n != 1 {
			t.Errorf("%d of 5 passed after it", n)
		}
	})
}

func TestCircuitBreaker_LeavesOutWhatBeganBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		h := f.build("NetworkErrorRatio() > 0.5", func(c *Config) { c.FallbackDuration = types.Duration(time.Second) })
		f.next = func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(16 * time.Second) // on the clock of the bubble
			w.WriteHeader(502)
		}
		late := make(chan int)
		go func() {
			w, _ := f.send(h)
			late <- w.Code
		}()
		synctest.Wait()
		f.answers(502)
		f.send(h) // opens the circuit, which is closed again after 11 seconds
		f.answers(200)
		time.Sleep(12 * time.Second) // on the clock of the bubble
		f.expect(h, "closed again", 200)
		if code := <-late; code != 502 {
			t.Errorf("the late one: got %d", code)
		}
		f.answers(200)
		f.expect(h, "after the late one", 200)
	})
}

func TestCircuitBreaker_IsKeptOverReloadsAndSharedByRoutes(t *testing.T) {
	f := newFixture(t)
	f.answers(502)
	old := f.build("NetworkErrorRatio() > 0.5")
	f.send(old)
	f.expect(f.build("NetworkErrorRatio() > 0.5"), "the same options", 503)
	f.expect(f.build("NetworkErrorRatio() > 0.6"), "other options", 502)
	f.expect(old, "the old route", 503)
}

func TestCircuitBreaker_IsThatOfAService(t *testing.T) {
	f := newFixture(t)
	f.answers(502)
	h := f.build("NetworkErrorRatio() > 0.5")
	f.send(h)
	f.expect(h, "the service in trouble", 503)
	f.rec.Service = "other@docker"
	f.answers(200)
	f.expect(h, "another service", 200)
	f.rec.Service = "web@docker"
	f.expect(h, "the service in trouble, again", 503)
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)) // without a record
}

func TestCircuitBreaker_ForgetsServicesThatAreNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.answers(502)
		h := f.build("NetworkErrorRatio() > 0.5")
		f.send(h) // its circuit opens, which is remembered
		f.answers(200)
		for i := range 3 * many {
			f.rec.Service = fmt.Sprint(i)
			f.send(h)
			switch i {
			case many / 2:
				time.Sleep(9 * time.Second) // on the clock of the bubble
			case many - 2:
				time.Sleep(2 * time.Second) // on the clock of the bubble
			}
		}
		bs := f.kept.(*kept).now
		if n := len(bs.byService); n >= 3*many || bs.byService["0"] != nil || bs.byService[fmt.Sprint(many-2)] == nil {
			t.Errorf("%d services are remembered", n)
		}
	})
}

func TestCircuitBreaker_CountsWhatBreaksOff(t *testing.T) {
	for name, c := range map[string]struct {
		gone, begun bool
		opens       bool
	}{
		"before it begins":                     {opens: true},
		"in the middle":                        {begun: true, opens: true},
		"because the client has gone":          {gone: true},
		"in the middle, as the client is gone": {gone: true, begun: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			h := f.build("NetworkErrorRatio() > 0.5 || LatencyAtQuantileMS(100) > 0")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f.next = func(w http.ResponseWriter, _ *http.Request) {
				if c.begun {
					w.WriteHeader(200)
				}
				if c.gone {
					cancel()
				}
				panic(http.ErrAbortHandler)
			}
			func() {
				defer func() {
					if reason := recover(); reason != http.ErrAbortHandler { //nolint:errorlint // a panic value
						t.Errorf("the panic became %v", reason)
					}
				}()
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx))
			}()
			f.answers(200)
			f.rec.Service = ""
			if n := f.passed(h, 1); (n == 0) != c.opens {
				t.Errorf("the circuit is open: %v, want %v", n == 0, c.opens)
			}
		})
	}
}

// deafWriter is one whose client has gone.
type deafWriter struct {
	*httptest.ResponseRecorder
	status int
}

func (w *deafWriter) Status() int       { return w.status }
func (w *deafWriter) FlushError() error { return net.ErrClosed }

func TestCircuitBreaker_NoticesThatTheClientHasGone(t *testing.T) {
	f := newFixture(t)
	h := f.build("NetworkErrorRatio() > 0")
	w := &deafWriter{httptest.NewRecorder(), 0}
	f.next = func(got http.ResponseWriter, _ *http.Request) {
		if got != w {
			t.Errorf("a writer that knows its status came as %T", got)
		}
		w.status = 200
		panic(http.ErrAbortHandler)
	}
	func() {
		defer func() { _ = recover() }()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	}()
	f.answers(200)
	f.rec.Service = ""
	f.expect(h, "after a client has gone", 200)
}

func TestCircuitBreaker_LeavesOutTheTimeOfStreams(t *testing.T) {
	for name, next := range map[string]http.HandlerFunc{
		"events": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			_, _ = io.WriteString(w, "data: 1\n\n")
		},
		"another protocol, by status": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(101) },
		"another protocol, by record": func(_ http.ResponseWriter, r *http.Request) { record.From(r.Context()).Status = 101 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				h := f.build("LatencyAtQuantileMS(100) > 0")
				f.next = func(w http.ResponseWriter, r *http.Request) {
					next(w, r)
					time.Sleep(time.Hour) // on the clock of the bubble
				}
				f.send(h)
				if n := f.passed(h, 1); n != 1 {
					t.Error("the circuit is open")
				}
			})
		})
	}
}

func TestTimed_GoesByAcceptWhereNoTypeIsSeen(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept", "application/json, text/event-stream")
	x := exchange{w: &writer{ResponseWriter: httptest.NewRecorder()}, r: r, returned: true}
	if x.timed(200) {
		t.Error("what may be an event stream is timed")
	}
	x.w.Header().Set("Content-Type", "application/json")
	if !x.timed(200) {
		t.Error("what is none is not timed")
	}
}

func TestCircuitBreaker_CountsConnectionsTakenOver(t *testing.T) {
	f := newFixture(t)
	h := f.build("ResponseCodeRatio(101, 102, 0, 600) == 1")
	f.next = func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		_ = conn.Close()
	}
	over := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(over)
		h.ServeHTTP(w, r)
	}))
	defer s.Close()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
	if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || res.StatusCode != 101 {
		t.Fatalf("got %v, %v", res, err)
	}
	<-over
	f.rec.Service = ""
	f.expect(h, "after a connection was taken over", 503)
}

func TestCircuitBreaker_KnowsTheStatusOfCallsByGRPC(t *testing.T) {
	f := newFixture(t)
	h := f.build("NetworkErrorRatio() > 0.5")
	f.next = func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Content-Type", "application/grpc")
		middlewares.Refuse(w, r, http.StatusBadGateway, "no server")
	}
	f.send(h)
	if n := f.passed(h, 1); n != 0 {
		t.Error("a call that got no answer is no network error")
	}
}

// holding is a writer that keeps a response back, in front of one that knows its status.
type holding struct {
	http.ResponseWriter
	inner http.ResponseWriter
}

func (h holding) Unwrap() http.ResponseWriter { return h.inner }

func TestCircuitBreaker_GoesByWhatTheServiceSays(t *testing.T) {
	f := newFixture(t)
	h := f.build("NetworkErrorRatio() > 0.5")
	f.answers(502)
	f.rec.Service = ""
	outer := holding{httptest.NewRecorder(), &deafWriter{httptest.NewRecorder(), 200}}
	h.ServeHTTP(outer, httptest.NewRequest(http.MethodGet, "/", nil))
	f.expect(h, "behind a writer that holds responses back", 503)
}
