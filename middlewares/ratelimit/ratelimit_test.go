package ratelimit

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

// keeping is an Env that keeps, as the gateway does.
func keeping() middlewares.Env {
	env := middlewarestest.Env("test")
	var kept any
	env.Keep = func(first func() any) any {
		if kept == nil {
			kept = first()
		}
		return kept
	}
	return env
}

func build(t *testing.T, c *Config, env middlewares.Env) http.Handler {
	t.Helper()
	h, err := c.New(t.Context(), env, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func send(h http.Handler, client string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r = r.WithContext(record.With(r.Context(), &record.Record{ClientIP: netip.MustParseAddr(client)}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func passed(h http.Handler, client string, tries int) (n int) {
	for range tries {
		if send(h, client).Code == http.StatusOK {
			n++
		}
	}
	return n
}

func every(average int64, period time.Duration, burst int64) *Config {
	return &Config{Average: average, Period: types.Duration(period), Burst: burst}
}

func TestRateLimit_RefusesAfterTheBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, every(6, time.Minute, 3), keeping())
		if n := passed(h, "192.0.2.1", 10); n != 3 {
			t.Errorf("%d passed, want the burst of 3", n)
		}
		if n := passed(h, "192.0.2.2", 10); n != 3 {
			t.Errorf("%d of another source passed, want 3", n)
		}
		w := send(h, "192.0.2.1")
		if got := w.Header(); w.Code != 429 || got.Get("Retry-After") != "10" || got.Get("X-Retry-In") != "10s" {
			t.Errorf("got %d with %v", w.Code, got)
		}
		time.Sleep(8500 * time.Millisecond) // on the clock of the bubble
		if got := send(h, "192.0.2.1").Header(); got.Get("Retry-After") != "2" || got.Get("X-Retry-In") != "1.5s" {
			t.Errorf("later: got %v", got)
		}
		time.Sleep(1500 * time.Millisecond) // on the clock of the bubble
		if n := passed(h, "192.0.2.1", 10); n != 1 {
			t.Errorf("%d passed after the time of a token, want 1", n)
		}
		time.Sleep(time.Hour) // on the clock of the bubble
		if n := passed(h, "192.0.2.1", 10); n != 3 {
			t.Errorf("%d passed after an hour, want no more than the burst", n)
		}
	})
}

func TestRateLimit_HoldsWhatIsALittleEarly(t *testing.T) {
	for name, tt := range map[string]struct {
		config *Config
		early  time.Duration
		held   bool
	}{
		"half a token":        {every(10, time.Second, 1), 50 * time.Millisecond, true},
		"more":                {every(10, time.Second, 1), 51 * time.Millisecond, false},
		"half a second":       {every(1, 10*time.Second, 1), 500 * time.Millisecond, true},
		"more than a second":  {every(1, 10*time.Second, 1), 501 * time.Millisecond, false},
		"defaults, by a hair": {&Config{Average: 2}, time.Millisecond, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, tt.config, keeping())
				send(h, "192.0.2.1")
				period := max(time.Duration(tt.config.Period), time.Second)
				time.Sleep(period/time.Duration(tt.config.Average) - tt.early) // on the clock of the bubble
				before := time.Now()
				w := send(h, "192.0.2.1")
				if held := time.Since(before); (w.Code == 200) != tt.held || tt.held && held != tt.early {
					t.Errorf("got %d after %v", w.Code, held)
				}
			})
		})
	}
}

func TestRateLimit_AClientThatGoesGivesItsTokenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, every(1, time.Second, 1), keeping())
		send(h, "192.0.2.1")
		time.Sleep(600 * time.Millisecond) // on the clock of the bubble
		rec := &record.Record{ClientIP: netip.MustParseAddr("192.0.2.1")}
		ctx, cancel := context.WithCancel(record.With(t.Context(), rec))
		time.AfterFunc(100*time.Millisecond, cancel)
		w := httptest.NewRecorder()
		before := time.Now()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx))
		if w.Code != 499 || time.Since(before) != 100*time.Millisecond || rec.Cause == "" {
			t.Errorf("got %d after %v, cause %q", w.Code, time.Since(before), rec.Cause)
		}
		if w := send(h, "192.0.2.1"); w.Code != 200 || time.Since(before) != 400*time.Millisecond {
			t.Errorf("the next one: got %d at %v", w.Code, time.Since(before))
		}
	})
}

func TestRateLimit_IsSharedByRoutesAndKeptOverReloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := keeping()
		h := build(t, every(1, time.Minute, 5), env)
		if n := passed(h, "192.0.2.1", 4); n != 4 {
			t.Fatalf("%d passed, want 4", n)
		}
		if n := passed(build(t, every(1, time.Minute, 5), env), "192.0.2.1", 9); n != 1 {
			t.Errorf("%d passed at another route, want the last one", n)
		}
		// Five tokens are missing. They come at the new rate, and not in five minutes.
		faster := build(t, every(10, time.Second, 5), env)
		if w := send(faster, "192.0.2.1"); w.Code != 429 || w.Header().Get("X-Retry-In") != "100ms" {
			t.Errorf("with new limits: got %d with %v", w.Code, w.Header())
		}
		time.Sleep(500 * time.Millisecond) // on the clock of the bubble
		if n := passed(faster, "192.0.2.1", 6); n != 5 {
			t.Errorf("%d passed by new limits, want the burst", n)
		}
		slower := build(t, every(1, time.Hour, 5), env)
		if w := send(slower, "192.0.2.1"); w.Code != 429 {
			t.Errorf("with new limits an empty bucket is full: got %d", w.Code)
		}
	})
}

func TestRateLimit_WithoutAverageIsOff(t *testing.T) {
	if n := passed(build(t, &Config{}, keeping()), "192.0.2.1", 100); n != 100 {
		t.Errorf("%d passed, want all", n)
	}
}

func TestRateLimit_AllocatesNothing(t *testing.T) {
	h := build(t, every(1_000_000, time.Second, 1_000_000), keeping())
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r = r.WithContext(record.With(r.Context(), &record.Record{ClientIP: netip.MustParseAddr("2001:db8::1")}))
	w := httptest.NewRecorder()
	if n := testing.AllocsPerRun(1000, func() { h.ServeHTTP(w, r) }); n != 0 {
		t.Errorf("%v allocations per request", n)
	}
}

func TestCostHeader_StaysHereWithoutALimit(t *testing.T) {
	for _, average := range []int64{0, 10} {
		h, err := (&Config{Average: average, CostHeader: "x-cost"}).New(t.Context(), keeping(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Cost", "2") }))
		if err != nil {
			t.Fatal(err)
		}
		if w := send(h, "192.0.2.1"); w.Code != http.StatusOK || w.Header().Get("X-Cost") != "" {
			t.Errorf("average %d: got %d, %v", average, w.Code, w.Header())
		}
	}
}
