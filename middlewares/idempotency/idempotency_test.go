package idempotency

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fairway/internal/identity"
	"fairway/internal/record"
	"fairway/internal/redisclient"
	"fairway/internal/redistest"
	"fairway/internal/secret"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

func build(t *testing.T, next http.HandlerFunc, change ...func(*Config)) http.Handler {
	t.Helper()
	c := &Config{}
	c.SetDefaults()
	for _, f := range change {
		f(c)
	}
	env := middlewarestest.Env("test")
	h, err := c.New(t.Context(), env, next)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func post(t *testing.T, h http.Handler, url, body string, fields ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, url, strings.NewReader(body))
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	rec := &record.Record{}
	if who := r.Header.Get("X-Who"); who != "" {
		rec.Identity = &identity.Identity{Subject: who}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
	return w
}

// counting is a service that answers with how often it was asked, and with what.
func counting(n *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Location", "/orders/1")
		w.Header().Add("Set-Cookie", "a=b")
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, "%d %s", n.Add(1), body)
	}
}

const key = "Idempotency-Key: k"

func TestIdempotency_TheSameRequestIsCarriedOutOnce(t *testing.T) {
	var n atomic.Int64
	h := build(t, counting(&n))
	first := post(t, h, "/", "a=1", key)
	again := post(t, h, "/", "a=1", `Idempotency-Key: "k"`)
	if first.Code != 201 || again.Code != 201 || again.Body.String() != "1 a=1" || first.Body.String() != "1 a=1" {
		t.Errorf("got %d %q, and then %d %q", first.Code, first.Body, again.Code, again.Body)
	}
	if got := again.Header(); got.Get("Location") != "/orders/1" || got.Get("Set-Cookie") != "a=b" || got.Get("Idempotency-Replayed") != "true" || first.Header().Get("Idempotency-Replayed") != "" {
		t.Errorf("got %v", got)
	}
}

func TestIdempotency_WhoseKeyItIs(t *testing.T) {
	for name, tt := range map[string]struct {
		url, body string
		fields    []string
		status    int
		asked     int64
	}{
		"the same":          {"/", "a", []string{key}, 201, 1},
		"another body":      {"/", "b", []string{key}, 422, 1},
		"another URL":       {"/?x", "a", []string{key}, 422, 1},
		"another host":      {"http://other.test/", "a", []string{key}, 422, 1},
		"another type":      {"/", "a", []string{key, "Content-Type: text/plain"}, 422, 1},
		"another key":       {"/", "a", []string{"Idempotency-Key: l"}, 201, 2},
		"no key":            {"/", "a", nil, 201, 2},
		"other credentials": {"/", "b", []string{key, "Authorization: Bearer x"}, 201, 2},
		"another user":      {"/", "b", []string{key, "X-Who: ann"}, 201, 2},
		"an empty key":      {"/", "a", []string{"Idempotency-Key: "}, 400, 1},
		"quotes only":       {"/", "a", []string{`Idempotency-Key: ""`}, 400, 1},
		"blanks in the key": {"/", "a", []string{"Idempotency-Key: a b"}, 400, 1},
		"a long key":        {"/", "a", []string{"Idempotency-Key: " + strings.Repeat("k", 256)}, 400, 1},
		"several keys":      {"/", "a", []string{key, key}, 400, 1},
		"a body too long":   {"/", strings.Repeat("a", 101), []string{key}, 413, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int64
			h := build(t, counting(&n), func(c *Config) { c.MaxRequestBodyBytes = 100 })
			post(t, h, "/", "a", key)
			if w := post(t, h, tt.url, tt.body, tt.fields...); w.Code != tt.status || n.Load() != tt.asked {
				t.Errorf("got %d, and the service was asked %d times", w.Code, n.Load())
			}
		})
	}
}

func TestIdempotency_OtherMethodsPass(t *testing.T) {
	var n atomic.Int64
	h := build(t, counting(&n), func(c *Config) { c.Required = true })
	for range 2 {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Idempotency-Key", "k")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	if n.Load() != 2 {
		t.Errorf("the service was asked %d times", n.Load())
	}
	if w := post(t, h, "/", "a"); w.Code != 400 {
		t.Errorf("without the key that is required: got %d", w.Code)
	}
}

func TestIdempotency_WhileTheFirstIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		gate := make(chan struct{})
		h := build(t, func(w http.ResponseWriter, r *http.Request) { <-gate; counting(&n)(w, r) })
		var all sync.WaitGroup
		var codes [500]atomic.Int64
		for range 64 {
			all.Go(func() { codes[post(t, h, "/", "a", key).Code].Add(1) })
		}
		synctest.Wait()
		if w := post(t, h, "/", "other", key); w.Code != 422 {
			t.Errorf("another request meanwhile: got %d", w.Code)
		}
		close(gate)
		all.Wait()
		if n.Load() != 1 || codes[201].Load() != 1 || codes[409].Load() != 63 {
			t.Errorf("carried out %d times, %d with 201, %d with 409", n.Load(), codes[201].Load(), codes[409].Load())
		}
	})
}

func TestIdempotency_AClientThatGoesGetsItsResponseLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		h := build(t, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(time.Second):
				counting(&n)(w, r)
			case <-r.Context().Done():
				w.WriteHeader(499)
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("a")).WithContext(ctx)
		r.Header.Set("Idempotency-Key", "k")
		go h.ServeHTTP(&gone{httptest.NewRecorder()}, r)
		synctest.Wait()
		cancel()
		time.Sleep(2 * time.Second) // on the clock of the bubble
		if w := post(t, h, "/", "a", key); w.Body.String() != "1 a" || w.Header().Get("Idempotency-Replayed") != "true" {
			t.Errorf("got %d %q", w.Code, w.Body)
		}
	})
}

// gone is a client that takes nothing any more.
type gone struct{ *httptest.ResponseRecorder }

func (g *gone) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestIdempotency_WhatFailedMayBeTriedAgain(t *testing.T) {
	for name, fail := range map[string]func(w http.ResponseWriter){
		"an error":   func(w http.ResponseWriter) { w.WriteHeader(503) },
		"broken off": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int64
			failed := false
			h := build(t, func(w http.ResponseWriter, r *http.Request) {
				if !failed {
					failed = true
					fail(w)
					return
				}
				counting(&n)(w, r)
			})
			func() {
				defer func() { _ = recover() }()
				post(t, h, "/", "a", key)
			}()
			if w := post(t, h, "/", "a", key); w.Code != 201 {
				t.Errorf("got %d", w.Code)
			}
		})
	}
}

func TestIdempotency_AResponseThatIsTooLongIsNotSentAgain(t *testing.T) {
	n := 0
	h := build(t, func(w http.ResponseWriter, _ *http.Request) {
		n++
		_, _ = w.Write(make([]byte, 60))
		_, _ = w.Write(make([]byte, 60))
	}, func(c *Config) { c.MaxResponseBodyBytes = 100 })
	if w := post(t, h, "/", "a", key); w.Code != 200 || w.Body.Len() != 120 {
		t.Errorf("got %d and %d bytes", w.Code, w.Body.Len())
	}
	if w := post(t, h, "/", "a", key); w.Code != 409 || n != 1 {
		t.Errorf("got %d, and it was carried out %d times", w.Code, n)
	}
}

func TestMemory_ForgetsTheOldestAndWhatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		h := build(t, counting(&n), func(c *Config) { c.MemoryBytes = 10_000 })
		m := h.(*handler).ledger.(*memory)
		for i := range 100 {
			post(t, h, "/", "a", fmt.Sprintf("Idempotency-Key: %d", i))
			if m.held > m.most || len(m.names) != m.order.Len() {
				t.Fatalf("%d bytes are held of %d, %d names, %d in order", m.held, m.most, len(m.names), m.order.Len())
			}
		}
		if w := post(t, h, "/", "a", "Idempotency-Key: 99"); w.Header().Get("Idempotency-Replayed") != "true" {
			t.Error("the last one is forgotten")
		}
		if w := post(t, h, "/", "a", "Idempotency-Key: 0"); w.Header().Get("Idempotency-Replayed") != "" {
			t.Error("the first one is known still")
		}
		time.Sleep(24 * time.Hour) // on the clock of the bubble
		if w := post(t, h, "/", "b", "Idempotency-Key: 99"); w.Code != 201 {
			t.Errorf("after its time: got %d", w.Code)
		}
	})
}

func TestNew_RefusesWhatMakesNoSense(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"header":               func(c *Config) { c.Header = "a b" },
		"methods":              func(c *Config) { c.Methods = nil },
		"ttl":                  func(c *Config) { c.TTL = 0 },
		"maxRequestBodyBytes":  func(c *Config) { c.MaxRequestBodyBytes = 0 },
		"maxResponseBodyBytes": func(c *Config) { c.MaxResponseBodyBytes = 0 },
		"memoryBytes":          func(c *Config) { c.MemoryBytes = 0 },
		"scope":                func(c *Config) { c.Scope = []string{""} },
		"redis":                func(c *Config) { c.Redis = &redisclient.Config{} },
	} {
		c := &Config{}
		c.SetDefaults()
		change(c)
		if _, err := c.New(t.Context(), middlewarestest.Env("test"), http.NotFoundHandler()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

// TestRedis_IsOneLedgerForSeveralGateways has two of them, one of which does not live to see
// its response.
func TestRedis_IsOneLedgerForSeveralGateways(t *testing.T) {
	server := redistest.New(t)
	use := func(c *Config) {
		c.Redis = &redisclient.Config{}
		c.Redis.SetDefaults()
		c.Redis.Endpoints, c.Redis.Password = []string{"127.0.0.1:" + server.Port}, secret.String(redistest.Password)
	}
	var n atomic.Int64
	one, two := build(t, counting(&n), use), build(t, counting(&n), use)
	if w := post(t, one, "/", "a", key); w.Code != 201 {
		t.Fatalf("got %d", w.Code)
	}
	if w := post(t, two, "/", "a", key); w.Body.String() != "1 a" || w.Header().Get("Idempotency-Replayed") != "true" || w.Header().Get("Location") == "" {
		t.Errorf("the other gateway: got %d %q %v", w.Code, w.Body, w.Header())
	}
	if w := post(t, two, "/", "b", key); w.Code != 422 {
		t.Errorf("another body: got %d", w.Code)
	}
	var all sync.WaitGroup
	var done, conflicts atomic.Int64
	for i := range 64 {
		all.Go(func() {
			h := one
			if i%2 == 0 {
				h = two
			}
			switch w := post(t, h, "/", "a", "Idempotency-Key: many"); w.Code {
			case 201:
				done.Add(1)
			case 409:
				conflicts.Add(1)
			default:
				t.Errorf("got %d", w.Code)
			}
		})
	}
	all.Wait()
	if n.Load() != 2 || done.Load()+conflicts.Load() != 64 {
		t.Errorf("%d requests were carried out for two keys", n.Load())
	}
	server.Stop()
	if w := post(t, one, "/", "a", "Idempotency-Key: away"); w.Code != 503 || n.Load() != 2 {
		t.Errorf("while Redis is away: got %d", w.Code)
	}
}

func FuzzKeyOf(f *testing.F) {
	for _, seed := range []string{"k", `"k"`, `"`, ` "a b" `, "\x00", strings.Repeat("k", 300)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		key, ok := keyOf([]string{line})
		if ok && (key == "" || len(key) > longestKey || strings.ContainsAny(key, "\" \r\n\x00")) {
			t.Errorf("%q: got %q", line, key)
		}
		if again, same := keyOf([]string{`"` + key + `"`}); ok && (!same || again != key) {
			t.Errorf("%q: got %q, and in quotes %q", line, key, again)
		}
	})
}

func TestDisk_KeysAreKnownAfterARestart(t *testing.T) {
	dir := t.TempDir()
	gateway := func(n *atomic.Int64) http.Handler {
		c := &Config{Disk: &Disk{Path: dir, MaxBytes: 1 << 20}}
		c.SetDefaults()
		env := middlewarestest.Env("test")
		env.Start = func(run func(context.Context)) { run(t.Context()) }
		h, err := c.New(t.Context(), env, counting(n))
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	var n atomic.Int64
	post(t, gateway(&n), "/", "a", key)
	again := gateway(&n)
	for range 2 {
		if w := post(t, again, "/", "a", key); w.Body.String() != "1 a" || w.Header().Get("Idempotency-Replayed") != "true" || w.Header().Get("Location") != "/orders/1" {
			t.Errorf("got %d %q %v", w.Code, w.Body, w.Header())
		}
	}
	if w := post(t, again, "/", "b", key); w.Code != 422 {
		t.Errorf("another body: got %d", w.Code)
	}
	m := again.(*handler).ledger.(*memory)
	m.disk.Load().Save(t.Context(), (&known{mark: "m", done: true}).entry("old", -time.Second))
	if k, mine, err := m.claim(t.Context(), "old", "m"); !mine || err != nil {
		t.Errorf("what is over is known still: %v, %v", k, err)
	}
}
