package inflightreq

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/record"
)

// line is a middleware whose service takes a second for each request, and notes their order.
type line struct {
	http.Handler
	mu    sync.Mutex
	order []string
	most  int
	now   int
	all   sync.WaitGroup
}

func newLine(t *testing.T, c *Config) *line {
	t.Helper()
	f, l := newFixture(t), &line{}
	f.next = func(_ http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		l.order = append(l.order, r.URL.Path[1:])
		l.now++
		l.most = max(l.most, l.now)
		l.mu.Unlock()
		time.Sleep(time.Second) // on the clock of the bubble
		l.mu.Lock()
		l.now--
		l.mu.Unlock()
	}
	l.Handler = f.build(c)
	return l
}

// send sends a request, without waiting for the answer.
func (l *line) send(ctx context.Context, name string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/"+name, nil)
	r = r.WithContext(record.With(ctx, &record.Record{Host: "a.test"}))
	l.all.Go(func() { l.ServeHTTP(w, r) })
	synctest.Wait()
	return w
}

func queueing(amount, queue int64, timeout time.Duration) *Config {
	return &Config{Amount: amount, Queue: queue, QueueTimeout: types.Duration(timeout)}
}

func TestQueue_IsServedInItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, queueing(1, 4, time.Minute))
		var answers []*httptest.ResponseRecorder
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			answers = append(answers, l.send(t.Context(), name))
		}
		if answers[5].Code != http.StatusTooManyRequests {
			t.Errorf("without room: got %d", answers[5].Code)
		}
		time.Sleep(1500 * time.Millisecond) // a has been answered, b is served
		late := l.send(t.Context(), "g")
		l.all.Wait()
		for i, w := range append(answers[:5:5], late) {
			if w.Code != http.StatusOK {
				t.Errorf("request %d: got %d", i, w.Code)
			}
		}
		got := ""
		for _, name := range l.order {
			got += name
		}
		if got != "abcdeg" || l.most != 1 {
			t.Errorf("served in the order %s, %d at a time", got, l.most)
		}
	})
}

func TestQueue_NobodyWaitsForLongerThanTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, queueing(1, 5, 1500*time.Millisecond))
		began := time.Now()
		a, b, c := l.send(t.Context(), "a"), l.send(t.Context(), "b"), l.send(t.Context(), "c")
		time.Sleep(1600 * time.Millisecond) // on the clock of the bubble
		synctest.Wait()
		if c.Code != http.StatusServiceUnavailable || c.Header().Get("Retry-After") == "" {
			t.Errorf("got %d with %v", c.Code, c.Header())
		}
		l.all.Wait()
		if a.Code != 200 || b.Code != 200 || time.Since(began) != 2*time.Second {
			t.Errorf("got %d and %d after %v", a.Code, b.Code, time.Since(began))
		}
	})
}

func TestQueue_AClientThatGoesLosesItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, queueing(1, 2, time.Minute))
		ctx, cancel := context.WithCancel(t.Context())
		l.send(t.Context(), "a")
		b, c := l.send(ctx, "b"), l.send(t.Context(), "c")
		cancel()
		synctest.Wait()
		d := l.send(t.Context(), "d") // where b was
		l.all.Wait()
		if b.Code != 499 || c.Code != 200 || d.Code != 200 || len(l.order) != 3 {
			t.Errorf("got %d, %d and %d", b.Code, c.Code, d.Code)
		}
	})
}

func TestQueue_ManyAtOnce(t *testing.T) {
	f := newFixture(t)
	var mu sync.Mutex
	now, most := 0, 0
	f.next = func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		mu.Lock()
		now--
		mu.Unlock()
	}
	h := f.build(queueing(3, 1000, time.Minute))
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for range 50 {
				if got := send(h, "a.test", ""); got != 200 {
					t.Errorf("got %d", got)
				}
			}
		})
	}
	all.Wait()
	if most > 3 {
		t.Errorf("%d at a time", most)
	}
	if n := f.sources(); n != 0 {
		t.Errorf("%d sources are remembered, want none", n)
	}
	if passed, refused := f.counts.Decisions(); passed != 64*50 || refused != 0 {
		t.Errorf("%d passed, %d refused", passed, refused)
	}
}
