package ratelimit

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/limit"
	"fairway/internal/redistest"
	"fairway/middlewares"
)

// shared is a limit of 5 in an hour, counted in a Redis.
func shared(address, whenAway string) *Config {
	c := &Config{}
	c.SetDefaults()
	c.Average, c.Period, c.Burst = 5, types.Duration(time.Hour), 5
	c.Redis = &limit.Redis{}
	c.Redis.SetDefaults()
	c.Redis.Endpoints, c.Redis.Password, c.Redis.WhenAway = []string{address}, redistest.Password, whenAway
	return c
}

func TestRedis_GatewaysCountTogether(t *testing.T) {
	s := redistest.New(t)
	for _, algorithm := range []string{limit.TokenBucket, limit.SlidingWindow} {
		c := shared(s.Address, "closed")
		c.Average, c.Burst, c.Algorithm, c.Redis.Prefix = 50, 50, algorithm, algorithm+":"
		c.Redis.Timeout = types.Duration(20 * time.Second) // of a busy machine nothing is to be seen here
		first, second := build(t, c, keeping()), build(t, c, keeping())
		var n atomic.Int64
		var all sync.WaitGroup
		for i := range 64 {
			all.Go(func() { n.Add(int64(passed([]http.Handler{first, second}[i%2], "192.0.2.1", 3))) })
		}
		all.Wait()
		if n.Load() != 50 {
			t.Errorf("%s: %d pass, want 50", algorithm, n.Load())
		}
		w := send(first, "192.0.2.1")
		if w.Code != 429 || w.Header().Get("Retry-After") == "" || w.Header().Get("X-Retry-In") == "" {
			t.Errorf("%s: got %d with %v", algorithm, w.Code, w.Header())
		}
		if n := passed(first, "192.0.2.2", 3); n != 3 {
			t.Errorf("%s: %d of another source pass", algorithm, n)
		}
	}
}

// dependent is what shows that a Redis is away.
type dependent interface {
	middlewares.Troubled
	middlewares.Dependent
}

// kept is what an Env has kept.
func kept(env middlewares.Env) dependent {
	return env.Keep(nil).(dependent)
}

func TestRedis_IsAway(t *testing.T) {
	for mode, want := range map[string]struct {
		first, after [2]int // of 7 requests: those that pass, and the status of the last one
	}{
		"open":   {first: [2]int{7, 200}, after: [2]int{7, 200}},
		"closed": {first: [2]int{0, 503}, after: [2]int{0, 503}},
		"local":  {first: [2]int{5, 429}, after: [2]int{0, 429}}, // by itself: the same limit
	} {
		for _, how := range []string{"cut", "slow", "halted"} {
			t.Run(mode+", "+how, func(t *testing.T) {
				t.Parallel() // they wait, mostly
				s := redistest.New(t)
				line := redistest.NewLine(t, s.Address)
				env := keeping()
				c := shared(line.Address, mode)
				c.Redis.Timeout = types.Duration(time.Second)
				h := build(t, c, env)
				redistest.Await(t, "a decision by redis", func() bool { return send(h, "192.0.2.9").Code == 200 && kept(env).Trouble() == "" })
				mend := func() { line.Cut(false) }
				switch how {
				case "cut":
					line.Cut(true)
				case "slow":
					line.Delay(3 * time.Second)
					mend = func() {
						line.Delay(0)
						line.Cut(true)
						line.Cut(false)
					}
				case "halted":
					mend = s.Halt()
				}
				before := kept(env).Missed()
				for i, want := range [][2]int{want.first, want.after} {
					n, last := 0, 0
					for range 7 {
						if last = send(h, "192.0.2.1").Code; last == 200 {
							n++
						}
					}
					if n != want[0] || last != want[1] {
						t.Errorf("turn %d: %d pass, the last is %d, want %v", i, n, last, want)
					}
				}
				k := kept(env)
				if got := k.Missed() - before; got != 14 {
					t.Errorf("%d decisions without redis are counted, want 14", got)
				}
				if trouble := k.Trouble(); !strings.Contains(trouble, line.Address+" is away") || strings.Contains(trouble, redistest.Password) {
					t.Errorf("the trouble is %q", trouble)
				}
				mend()
				redistest.Await(t, "redis to be back", func() bool {
					send(h, "192.0.2.8")
					return k.Trouble() == ""
				})
				// One that was slow may have carried out later what it was asked.
				if n := passed(h, "192.0.2.1", 7); n > 5 || n < 3 || n < 5 && how == "cut" {
					t.Errorf("when it is back: %d pass, want 5", n)
				}
			})
		}
	}
}

func TestRedis_StartedAnewHasForgotten(t *testing.T) {
	s := redistest.New(t)
	env := keeping()
	c := shared(s.Address, "closed")
	c.Redis.Timeout = types.Duration(5 * time.Second)
	h := build(t, c, env)
	if n := passed(h, "192.0.2.1", 7); n != 5 {
		t.Errorf("%d pass, want 5", n)
	}
	s.Stop()
	s.Start()
	if n := passed(h, "192.0.2.1", 7); n != 5 || kept(env).Missed() != 0 {
		t.Errorf("%d pass, want 5; %d decisions without", n, kept(env).Missed())
	}
}

// costly is a service that says what requests cost.
func costly(t *testing.T, c *Config, cost string) http.Handler {
	t.Helper()
	h, err := c.New(t.Context(), keeping(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Cost", cost) }))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestCosts_OfTheResponseAreTaken(t *testing.T) {
	s := redistest.New(t)
	for name, c := range map[string]*Config{"here": shared(s.Address, "closed"), "redis": shared(s.Address, "closed")} {
		if name == "here" {
			c.Redis = nil
		} else {
			c.Redis.Timeout = types.Duration(5 * time.Second)
		}
		c.CostHeader, c.Headers = "x-cost", true
		for cost, want := range map[string]int{"2": 3, "5": 1, "0": 9, "100": 1, "": 5, "x": 5} {
			if c.Redis != nil {
				c.Redis.Prefix = "cost" + cost + ":"
			}
			h, n := costly(t, c, cost), 0
			for range 9 {
				w := send(h, "192.0.2.1")
				if w.Code == 200 {
					n++
				}
				if w.Header().Get("X-Cost") != "" {
					t.Error("the client sees the cost")
				}
			}
			if n != want {
				t.Errorf("%s: at a cost of %q %d pass, want %d", name, cost, n, want)
			}
		}
	}
}

func TestHeaders_TellWhatIsLeft(t *testing.T) {
	c := every(5, time.Hour, 5)
	c.Headers, c.LegacyHeaders = true, true
	h, err := c.New(t.Context(), keeping(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Ratelimit", `"theirs";r=1;t=5`)
	}))
	if err != nil {
		t.Fatal(err)
	}
	w := send(h, "192.0.2.1")
	if got := w.Header(); got.Get("Ratelimit-Policy") != `"test";q=5;w=3600` || strings.Join(got["Ratelimit"], "|") != `"theirs";r=1;t=5|"test";r=4;t=720` || got.Get("X-Ratelimit-Remaining") != "4" {
		t.Errorf("got %v", got)
	}
	passed(h, "192.0.2.1", 4)
	if w = send(h, "192.0.2.1"); w.Code != 429 || w.Header().Get("Ratelimit") != `"test";r=0;t=3600` || w.Header().Get("Retry-After") != "720" || w.Header().Get("X-Ratelimit-Limit") != "5" {
		t.Errorf("got %d with %v", w.Code, w.Header())
	}
}

func TestHeaders_DoNotLoosenWhatTheServiceSays(t *testing.T) {
	c := every(5, time.Hour, 5)
	c.LegacyHeaders = true
	for theirs, want := range map[string]string{"1": "1", "100": "4", "many": "4"} {
		h, err := c.New(t.Context(), keeping(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Ratelimit-Remaining", theirs)
		}))
		if err != nil {
			t.Fatal(err)
		}
		if got := send(h, "192.0.2.1").Header().Get("X-Ratelimit-Remaining"); got != want {
			t.Errorf("the service says %s: got %s, want %s", theirs, got, want)
		}
	}
}

func TestHeaders_TellWhichLimitARefusalIsAbout(t *testing.T) {
	c := every(1, time.Hour, 1)
	c.Headers = true
	h := build(t, c, keeping())
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept", "application/json")
	var w *httptest.ResponseRecorder
	for range 2 {
		w = httptest.NewRecorder()
		h.ServeHTTP(w, r)
	}
	want := `{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Request cannot be satisfied as assigned quota has been exceeded","status":429,"violated-policies":["test"]}` + "\n"
	if w.Code != 429 || w.Body.String() != want || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("got %d, %v, %s", w.Code, w.Header(), w.Body)
	}
}

func TestDryRun_LetsAllPassAndCounts(t *testing.T) {
	env := keeping()
	c := every(1, time.Hour, 2)
	c.DryRun = true
	h := build(t, c, env)
	if n := passed(h, "192.0.2.1", 5); n != 5 {
		t.Errorf("%d pass, want all", n)
	}
	if p, r := env.Keep(nil).(middlewares.Decider).Decisions(); p != 2 || r != 3 {
		t.Errorf("%d and %d are counted, want 2 and 3", p, r)
	}
}

func TestRefusals_AreAnsweredAsClientsUnderstand(t *testing.T) {
	h := build(t, every(1, time.Hour, 1), keeping())
	send(h, "192.0.2.1")
	for header, want := range map[string]string{"Accept: application/json": `"status":429`, "Content-Type: application/grpc": ""} {
		name, value, _ := strings.Cut(header, ": ")
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set(name, value)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		w = httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if grpc := name == "Content-Type"; grpc && w.Header().Get("Grpc-Status") != "14" || !grpc && w.Code != 429 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: got %d, %v, %s", header, w.Code, w.Header(), w.Body)
		}
	}
}
