package plan

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/identity"
	"fairway/internal/limit"
	"fairway/internal/plans"
	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

// gate is a middleware with plans.
type gate struct {
	http.Handler
	live *plans.Live
}

func newGate(t *testing.T, c *Config) *gate {
	t.Helper()
	env := middlewarestest.Env("plans")
	h, err := c.New(t.Context(), env, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Cost", "2") }))
	if err != nil {
		t.Fatal(err)
	}
	return &gate{h, env.Plans}
}

func (g *gate) offer(t *testing.T, all map[string]*plans.Config) {
	t.Helper()
	g.live.Store(plans.NewSet(all, func(name string, err error) { t.Errorf("%s: %v", name, err) }))
}

// passed is how many of some requests of a consumer pass, and the status of the last one.
func (g *gate) passed(consumer, plan string, tries int) (n, last int) {
	for range tries {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		rec := &record.Record{}
		if consumer != "" {
			rec.SetIdentity((&identity.Consumer{Name: consumer, Plan: plan}).Of("apiKey", ""))
		}
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
		if last = w.Code; last == http.StatusOK {
			n++
		}
	}
	return n, last
}

func monthly(amount int64) *plans.Config {
	return &plans.Config{Quota: &limit.Quota{Amount: amount, Per: "month"}}
}

func TestPlan_IsThatOfTheConsumer(t *testing.T) {
	g := newGate(t, &Config{Default: "free"})
	g.offer(t, map[string]*plans.Config{
		"gold@file": monthly(5), "free@docker": monthly(1),
		"slow@file": {RateLimit: &limit.Rate{Average: 1, Period: types.Duration(time.Hour), Burst: 2}, Quota: &limit.Quota{Amount: 100, Per: "month"}},
	})
	for _, tt := range []struct {
		consumer, plan string
		want, last     int
	}{
		{"ann@file", "gold", 5, 429},
		{"bob@docker", "gold@file", 5, 429},
		{"eve@file", "slow", 2, 429},
		{"dan@file", "", 1, 429},
		{"", "", 1, 429},
		{"joe@docker", "gold", 0, 403},
	} {
		if n, last := g.passed(tt.consumer, tt.plan, 7); n != tt.want || last != tt.last {
			t.Errorf("%s with %q: %d pass, the last is %d, want %d and %d", tt.consumer, tt.plan, n, last, tt.want, tt.last)
		}
	}
}

func TestPlan_ThatChangesIsInForceAtOnce(t *testing.T) {
	g := newGate(t, &Config{})
	g.offer(t, map[string]*plans.Config{"gold@file": monthly(3)})
	if n, _ := g.passed("ann@file", "gold", 5); n != 3 {
		t.Errorf("%d pass, want 3", n)
	}
	g.offer(t, map[string]*plans.Config{"gold@file": monthly(5)})
	if n, _ := g.passed("ann@file", "gold", 5); n != 2 {
		t.Errorf("with a larger one: %d pass, want 2 more", n)
	}
	g.offer(t, map[string]*plans.Config{})
	if n, last := g.passed("ann@file", "gold", 5); n != 0 || last != 403 {
		t.Errorf("without: %d pass, the last is %d", n, last)
	}
}

func TestPlan_CostsCountForBothLimits(t *testing.T) {
	for name, p := range map[string]*plans.Config{
		"the rate is less":  {RateLimit: &limit.Rate{Average: 1, Period: types.Duration(time.Hour), Burst: 4}, Quota: &limit.Quota{Amount: 100, Per: "month"}},
		"the quota is less": {RateLimit: &limit.Rate{Average: 1, Period: types.Duration(time.Hour), Burst: 100}, Quota: &limit.Quota{Amount: 4, Per: "month"}},
	} {
		g := newGate(t, &Config{CostHeader: "X-Cost"})
		g.offer(t, map[string]*plans.Config{"gold@file": p})
		if n, _ := g.passed("ann@file", "gold", 5); n != 2 {
			t.Errorf("%s: %d pass, want 2", name, n)
		}
	}
}

// A window that slides is counted as a quota is, and of the same source: neither may disturb the other.
func TestPlan_RateAndQuotaAreCountedApart(t *testing.T) {
	window := func(average int64) *limit.Rate {
		return &limit.Rate{Average: average, Period: types.Duration(time.Hour), Algorithm: limit.SlidingWindow}
	}
	for name, p := range map[string]*plans.Config{
		"the rate is less":            {RateLimit: window(3), Quota: &limit.Quota{Amount: 100, Per: "month"}},
		"the quota is less":           {RateLimit: window(100), Quota: &limit.Quota{Amount: 3, Per: "month"}},
		"both slide by the hour":      {RateLimit: window(3), Quota: &limit.Quota{Amount: 4, Per: "hour", Rolling: true}},
		"both, and the quota is less": {RateLimit: window(4), Quota: &limit.Quota{Amount: 3, Per: "hour", Rolling: true}},
	} {
		g := newGate(t, &Config{})
		g.offer(t, map[string]*plans.Config{"gold@file": p})
		if n, _ := g.passed("ann@file", "gold", 7); n != 3 {
			t.Errorf("%s: %d pass, want 3", name, n)
		}
	}
}

func TestPlan_CostsDoNotReachTheClient(t *testing.T) {
	g := newGate(t, &Config{CostHeader: "x-cost", DryRun: true})
	g.offer(t, map[string]*plans.Config{"gold@file": monthly(100), "both@file": {RateLimit: &limit.Rate{Average: 9}, Quota: monthly(9).Quota}, "endless@file": {RateLimit: &limit.Rate{}}})
	for _, plan := range []string{"gold", "both", "endless", "none"} {
		rec := &record.Record{}
		rec.SetIdentity((&identity.Consumer{Name: "ann@file", Plan: plan}).Of("apiKey", ""))
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		g.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
		if got := w.Header().Get("X-Cost"); got != "" || w.Code != http.StatusOK {
			t.Errorf("%s: got %d, %q", plan, w.Code, got)
		}
	}
}

func TestPlan_DryRun(t *testing.T) {
	g := newGate(t, &Config{DryRun: true})
	g.offer(t, map[string]*plans.Config{"gold@file": monthly(1)})
	for _, plan := range []string{"gold", "none"} {
		if n, _ := g.passed("ann@file", plan, 3); n != 3 {
			t.Errorf("%s: %d pass, want all", plan, n)
		}
	}
}
