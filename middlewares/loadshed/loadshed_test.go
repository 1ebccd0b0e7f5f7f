package loadshed

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/metrics"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fairway/internal/identity"
	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config {
		c := &Config{}
		c.SetDefaults()
		return c
	})
}

// passing is how many of a hundred requests of a priority pass.
func passing(p *pressure, priority int) (n int) {
	for range 1000 {
		if p.admits(priority, limits{cpu: 0.9, delay: time.Second}) {
			n++
		}
	}
	return n / 10
}

// advance lets time pass, with some requests.
func advance(p *pressure, d time.Duration) {
	for range d / every {
		time.Sleep(every) // on the clock of the bubble
		p.admits(most, limits{cpu: 0.9, delay: time.Second})
	}
}

func TestPressure_TheLeastImportantGoFirstAndComeBackLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := load{cpu: 0.5}
		p := newPressure(func() load { return now })
		advance(p, time.Second)
		if passing(p, 0) != 100 {
			t.Fatal("something is refused although there is little to do")
		}
		now = load{cpu: 0.95}
		advance(p, time.Second) // the pressure is 40
		if low, middle, high := passing(p, 10), passing(p, 40), passing(p, 70); low != 0 || middle < 30 || middle > 70 || high != 100 {
			t.Errorf("after a second: got %d, %d, %d of a hundred", low, middle, high)
		}
		advance(p, 5*time.Second)
		if ordinary, vital := passing(p, 99), passing(p, 100); ordinary > 5 || vital != 100 {
			t.Errorf("after six seconds: got %d, %d of a hundred", ordinary, vital)
		}
		now = load{delay: 2 * time.Second}
		advance(p, time.Second)
		if passing(p, 50) != 0 {
			t.Error("goroutines wait for long, and it does not matter")
		}
		now = load{}
		advance(p, 2*time.Second)
		if low, high := passing(p, 10), passing(p, 90); low != 0 || high != 100 {
			t.Errorf("two seconds after it: got %d, %d of a hundred", low, high)
		}
		time.Sleep(time.Minute) // on the clock of the bubble
		if passing(p, 0) != 100 {
			t.Error("a minute without requests has not helped")
		}
	})
}

// With too much to do, a look may well take longer than the time between two of them.
func TestPressure_OneLooksAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looking := 0 // which is not for several
		p := newPressure(func() load {
			if looking++; looking > 1 {
				t.Error("two look at the same time")
			}
			time.Sleep(3 * every) // on the clock of the bubble
			looking--
			return load{cpu: 1}
		})
		var all sync.WaitGroup
		for range 50 {
			time.Sleep(every / 2) // on the clock of the bubble
			all.Go(func() { p.admits(most, limits{cpu: 0.9}) })
		}
		all.Wait()
		if p.value.Load() == 0 {
			t.Error("nobody has looked")
		}
	})
}

func TestPriority_OfTheConsumer(t *testing.T) {
	c := &Config{}
	c.SetDefaults()
	c.ConsumerLabel = "priority"
	h, err := c.New(t.Context(), middlewarestest.Env("shed"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	if err != nil {
		t.Fatal(err)
	}
	p := h.(*handler).pressure
	p.read, p.start = func() load { return load{cpu: 2} }, time.Now().Add(-every)
	p.value.Store(50)
	p.looked.Store(int64(time.Hour))
	for label, want := range map[string]int{"100": 204, "1000": 204, "0": 503, "-5": 503} {
		rec := &record.Record{Identity: &identity.Identity{Consumer: &identity.Consumer{Labels: map[string]string{"priority": label}}}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(record.With(t.Context(), rec)))
		if w.Code != want || want == 503 && (w.Header().Get("Retry-After") != "5" || rec.Limit != record.Refused) {
			t.Errorf("%s: got %d, %v, %s", label, w.Code, w.Header(), rec.Limit)
		}
	}
	if passed, refused := p.Decisions(); passed != 2 || refused != 2 {
		t.Errorf("got %d and %d", passed, refused)
	}
}

// What is measured is measured: a goroutine that does not rest uses a processor.
func TestReadLoad_SeesAProcessorInUse(t *testing.T) {
	read := readLoad()
	read()
	end := time.Now().Add(20 * time.Millisecond)
	for time.Now().Before(end) {
		runtime.KeepAlive(end)
	}
	if got := read(); got.cpu <= 0 || got.delay < 0 {
		t.Errorf("got %+v", got)
	}
}

func TestQuantile_OfWhatWasCountedSince(t *testing.T) {
	h := &metrics.Float64Histogram{Buckets: []float64{0, 0.001, 0.1, 1}, Counts: []uint64{1000, 50, 3}}
	for _, tt := range []struct {
		before []uint64
		want   time.Duration
	}{{nil, time.Millisecond}, {[]uint64{1000, 50, 0}, 100 * time.Millisecond}, {[]uint64{0, 50, 3}, 0}, {[]uint64{1000, 50, 3}, 0}} {
		if got := quantile(h, tt.before); got != tt.want {
			t.Errorf("since %v: got %v, want %v", tt.before, got, tt.want)
		}
	}
}
