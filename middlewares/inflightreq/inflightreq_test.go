package inflightreq

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"fairway/internal/record"
	"fairway/internal/sourcecriterion"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

// fixture is a middleware in front of a service that answers when it is told to.
type fixture struct {
	*testing.T
	env     middlewares.Env
	counts  *counts
	served  chan struct{}
	release chan struct{}
	next    http.HandlerFunc
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{T: t, env: middlewarestest.Env("test"), counts: newCounts(), served: make(chan struct{}), release: make(chan struct{})}
	f.env.Keep = func(func() any) any { return f.counts }
	f.next = func(http.ResponseWriter, *http.Request) {
		f.served <- struct{}{}
		<-f.release
	}
	return f
}

func (f *fixture) build(c *Config) http.Handler {
	f.Helper()
	h, err := c.New(f.Context(), f.env, f.next)
	if err != nil {
		f.Fatal(err)
	}
	return h
}

func send(h http.Handler, host, user string) int {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-User", user)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(record.With(r.Context(), &record.Record{Host: host})))
	return w.Code
}

// begin sends a request and returns when it is being served.
func (f *fixture) begin(h http.Handler, host, user string) (status chan int) {
	status = make(chan int, 1)
	go func() { status <- send(h, host, user) }()
	<-f.served
	return status
}

func (f *fixture) sources() (n int) {
	for i := range f.counts.shards {
		n += len(f.counts.shards[i].of)
	}
	return n
}

func TestInFlightReq_RefusesWhatIsTooMuchAtATime(t *testing.T) {
	for name, c := range map[string]*Config{
		"by host":   {Amount: 2},
		"by header": {Amount: 2, SourceCriterion: &sourcecriterion.Criterion{RequestHeaderName: "X-User"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			h := f.build(c)
			first, second := f.begin(h, "a.test", "ann"), f.begin(h, "a.test", "ann")
			if got := send(h, "a.test", "ann"); got != http.StatusTooManyRequests {
				t.Errorf("the third: got %d", got)
			}
			other := f.begin(h, "b.test", "bob")
			if n := f.sources(); n != 2 {
				t.Errorf("%d sources are counted, want 2", n)
			}
			close(f.release)
			for _, status := range []chan int{first, second, other} {
				if got := <-status; got != http.StatusOK {
					t.Errorf("got %d", got)
				}
			}
			again := f.begin(h, "a.test", "ann")
			if got := <-again; got != http.StatusOK {
				t.Errorf("after the others have ended: got %d", got)
			}
		})
	}
}

func TestInFlightReq_IsSharedByRoutesAndKeptOverReloads(t *testing.T) {
	f := newFixture(t)
	old, fresh := f.build(&Config{Amount: 1}), f.build(&Config{Amount: 1})
	status := f.begin(old, "a.test", "")
	if got := send(fresh, "a.test", ""); got != http.StatusTooManyRequests {
		t.Errorf("another instance: got %d", got)
	}
	second := f.begin(f.build(&Config{Amount: 2}), "a.test", "") // the new limit counts for all
	close(f.release)
	if a, b := <-status, <-second; a != http.StatusOK || b != http.StatusOK {
		t.Errorf("got %d and %d", a, b)
	}
}

func TestInFlightReq_ForgetsWhoHasNoRequest(t *testing.T) {
	f := newFixture(t)
	f.next = func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-User") == "breaks" {
			panic(http.ErrAbortHandler)
		}
	}
	h := f.build(&Config{Amount: 1})
	for range 3 {
		if got := send(h, "a.test", ""); got != http.StatusOK {
			t.Errorf("got %d", got)
		}
		func() {
			defer func() { _ = recover() }()
			send(h, "a.test", "breaks")
		}()
	}
	if n := f.sources(); n != 0 {
		t.Errorf("%d sources are remembered, want none", n)
	}
}

func TestInFlightReq_CountsConnectionsTakenOverUntilTheyEnd(t *testing.T) {
	f := newFixture(t)
	f.next = func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Errorf("hijack: %v", err)
			return
		}
		f.served <- struct{}{}
		<-f.release
		_ = conn.Close()
	}
	h := f.build(&Config{Amount: 1, SourceCriterion: &sourcecriterion.Criterion{RequestHeaderName: "X-User"}})
	s := httptest.NewServer(h)
	defer s.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if res, err := http.Get(s.URL); err == nil {
			_ = res.Body.Close()
		}
	}()
	<-f.served
	if got := send(h, "", ""); got != http.StatusTooManyRequests {
		t.Errorf("while a connection is taken over: got %d", got)
	}
	close(f.release)
	<-ended
}

func TestInFlightReq_AllocatesNothing(t *testing.T) {
	f := newFixture(t)
	f.next = func(http.ResponseWriter, *http.Request) {}
	h := f.build(&Config{Amount: 1})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r = r.WithContext(record.With(r.Context(), &record.Record{Host: "a.test"}))
	w := httptest.NewRecorder()
	if n := testing.AllocsPerRun(1000, func() { h.ServeHTTP(w, r) }); n != 0 {
		t.Errorf("%v allocations per request", n)
	}
}
