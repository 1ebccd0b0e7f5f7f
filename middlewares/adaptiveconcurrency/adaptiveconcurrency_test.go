package adaptiveconcurrency

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
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
	middlewarestest.Golden(t, func() middlewares.Config { return defaults() })
}

func defaults() *Config {
	c := &Config{}
	c.SetDefaults()
	return c
}

func built(t *testing.T, c *Config, next http.HandlerFunc) *handler {
	t.Helper()
	h, err := c.New(t.Context(), middlewarestest.Env("adapt"), next)
	if err != nil {
		t.Fatal(err)
	}
	return h.(*handler)
}

// service serves so many requests at the same time, each for 20 ms; the others wait for them.
type service struct {
	room  chan struct{}
	under atomic.Int64
	most  atomic.Int64
}

func (s *service) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	n := s.under.Add(1)
	for m := s.most.Load(); n > m && !s.most.CompareAndSwap(m, n); m = s.most.Load() {
	}
	defer s.under.Add(-1)
	s.room <- struct{}{}
	time.Sleep(20*time.Millisecond + rand.N(2*time.Millisecond)) // on the clock of the bubble
	<-s.room
	w.WriteHeader(http.StatusNoContent)
}

// load asks with so many clients for a while, and tells how many were served and how many refused.
func load(t *testing.T, h http.Handler, clients int, d time.Duration) (served, refused int64) {
	t.Helper()
	var ok, not atomic.Int64
	var all sync.WaitGroup
	end := time.Now().Add(d)
	for range clients {
		all.Go(func() {
			for time.Now().Before(end) {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
				if w.Code == http.StatusNoContent {
					ok.Add(1)
					continue
				}
				not.Add(1)
				time.Sleep(50 * time.Millisecond) // on the clock of the bubble
			}
		})
	}
	all.Wait()
	return ok.Load(), not.Load()
}

func TestLimit_FindsWhatAServiceCanDo(t *testing.T) {
	for _, capacity := range []int{8, 40} {
		synctest.Test(t, func(t *testing.T) {
			s := &service{room: make(chan struct{}, capacity)}
			h := built(t, defaults(), s.ServeHTTP)
			load(t, h, capacity/2, 3*time.Second) // what is usual
			load(t, h, 4*capacity, 10*time.Second)
			s.most.Store(0)
			served, refused := load(t, h, 4*capacity, 5*time.Second)
			if least := int64(float64(capacity) * 5 / 0.021 * 0.85); served < least {
				t.Errorf("room for %d: served %d, at least %d could have been", capacity, served, least)
			}
			if most := s.most.Load(); refused == 0 || most > int64(3*capacity) {
				t.Errorf("room for %d: %d were refused, and %d were there at the same time", capacity, refused, most)
			}
		})
	}
}

// A service that has become slower for good, as by a new version, is not taken for one in trouble.
func TestLimit_FollowsAServiceThatHasBecomeSlower(t *testing.T) {
	c := defaults()
	l := newLimit(c.InitialLimit)
	now := time.Now()
	ask := func(took time.Duration, n int) {
		for range n {
			now = now.Add(2 * time.Millisecond)
			l.add(now, took, l.most(c), c)
		}
	}
	ask(20*time.Millisecond, 5000)
	before := l.most(c)
	ask(100*time.Millisecond, 500)
	if l.most(c) >= before {
		t.Errorf("it does not fall from %d", before)
	}
	if ask(100*time.Millisecond, 20000); l.most(c) < before/2 {
		t.Errorf("it stays at %d, and was at %d", l.most(c), before)
	}
}

func TestLimit_StaysWithinItsBounds(t *testing.T) {
	c := defaults()
	l := newLimit(c.InitialLimit)
	now := time.Now()
	for _, took := range []time.Duration{time.Millisecond, 10 * time.Second, 0, time.Microsecond, time.Hour} {
		for range 5000 {
			now = now.Add(20 * time.Millisecond)
			if l.add(now, took, 10000, c); l.most(c) < c.MinLimit || l.most(c) > c.MaxLimit {
				t.Fatalf("%v: the limit is %v", took, l.value)
			}
		}
	}
}

func TestQueue_TheFirstToComeIsTheFirstToGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := defaults()
		c.InitialLimit, c.MinLimit, c.MaxLimit, c.Queue, c.QueueTimeout = 1, 1, 1, 3, types.Duration(10*time.Second)
		var order []string
		hold := make(chan struct{})
		h := built(t, c, func(_ http.ResponseWriter, r *http.Request) {
			order = append(order, r.URL.Path)
			<-hold
		})
		var all sync.WaitGroup
		codes := map[string]int{}
		var mu sync.Mutex
		for _, path := range []string{"/1", "/2", "/3", "/4", "/5"} {
			all.Go(func() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
				mu.Lock()
				defer mu.Unlock()
				codes[path] = w.Code
			})
			synctest.Wait()
		}
		hold <- struct{}{} // 1 goes, 2 comes
		synctest.Wait()
		time.Sleep(11 * time.Second) // 3 and 4 have waited for too long
		close(hold)
		all.Wait()
		if len(order) != 2 || order[0] != "/1" || order[1] != "/2" {
			t.Errorf("got %v", order)
		}
		for path, want := range map[string]int{"/1": 200, "/2": 200, "/3": 503, "/4": 503, "/5": 503} {
			if codes[path] != want {
				t.Errorf("%s: got %d, want %d", path, codes[path], want)
			}
		}
		if passed, refused := h.gates.Decisions(); passed != 2 || refused != 3 {
			t.Errorf("got %d and %d", passed, refused)
		}
	})
}

func TestQueue_WhoGoesAwayLeavesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := defaults()
		c.InitialLimit, c.MinLimit, c.MaxLimit, c.Queue = 1, 1, 1, 1
		hold := make(chan struct{})
		h := built(t, c, func(http.ResponseWriter, *http.Request) { <-hold })
		var first sync.WaitGroup
		first.Go(func() { h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)) })
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx))
		if g := h.gates.of("", c); w.Code != answer.StatusClientClosedRequest || g.waiting.Len() != 0 {
			t.Errorf("got %d, %d wait", w.Code, g.waiting.Len())
		}
		close(hold)
		first.Wait()
	})
}

func TestServices_HaveLimitsOfTheirOwn(t *testing.T) {
	c := defaults()
	c.InitialLimit, c.MinLimit, c.MaxLimit = 1, 1, 1
	var inner int
	var h *handler
	ask := func(service string) int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(record.With(t.Context(), &record.Record{Service: service})))
		return w.Code
	}
	h = built(t, c, func(_ http.ResponseWriter, r *http.Request) {
		if record.From(r.Context()).Service == "a" {
			inner = ask("b")
			if again := ask("a"); again != http.StatusServiceUnavailable {
				t.Errorf("a second one of the same: got %d", again)
			}
		}
	})
	if outer := ask("a"); outer != 200 || inner != 200 {
		t.Errorf("got %d and %d", outer, inner)
	}
}
