package cache

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fairway/internal/cachestore"
	"fairway/internal/httpcache"
	"fairway/internal/record"
)

// A validation is asked for by one client, and its answer is kept for all.
func TestCache_AValidationKeepsNothingThatIsForOneClient(t *testing.T) {
	for name, field := range map[string]string{
		"a cookie": "Set-Cookie: session=of-the-one", "private": "Cache-Control: private", "no-store": "Cache-Control: no-store",
		"a private field": `Cache-Control: max-age=60, private="x-user"`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{serve: func(w http.ResponseWriter, r *http.Request, n int64) {
					if r.Header.Get("If-None-Match") == "" {
						put(w, "Cache-Control: max-age=1", `Etag: "1"`)
						_, _ = fmt.Fprint(w, n)
						return
					}
					put(w, "X-User: ann", "Cache-Tag: t", field)
					w.WriteHeader(http.StatusNotModified)
				}}
				h := build(t, defaults(), keeping(t), s)
				ask(t, h, "GET", "/")
				time.Sleep(2 * time.Second) // on the clock of the bubble
				w := ask(t, h, "GET", "/")
				want(t, w, "1", "fwd=stale")
				if w.Header().Get("X-User") != "ann" || strings.HasPrefix(field, "Set-Cookie") && w.Header().Get("Set-Cookie") == "" {
					t.Errorf("the client that it is for gets %v", w.Header())
				}
				w = ask(t, h, "GET", "/")
				if w.Header().Get("Set-Cookie") != "" {
					t.Errorf("another client gets the cookie %q", w.Header()["Set-Cookie"])
				}
				if w.Header().Get("Cache-Tag") != "" {
					t.Error("tags are sent")
				}
				if strings.HasPrefix(name, "a private") && w.Header().Get("X-User") != "" {
					t.Errorf("another client gets X-User: %q", w.Header()["X-User"])
				}
				if strings.HasPrefix(field, "Cache-Control: private") || strings.HasSuffix(field, "no-store") {
					want(t, w, "3", "fwd=uri-miss")
				}
			})
		})
	}
}

func TestCache_EveryPurgeReachesWhatIsOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{serve: func(w http.ResponseWriter, _ *http.Request, n int64) {
			put(w, "Cache-Control: max-age=60", "Cache-Tag: a")
			time.Sleep(2 * time.Second) // on the clock of the bubble
			_, _ = fmt.Fprint(w, n)
		}}
		h := build(t, defaults(func(c *Config) { c.Purge = &Purge{Method: "PURGE", Token: "secret"} }), keeping(t), s)
		go ask(t, h, "GET", "/a")
		time.Sleep(time.Second) // on the clock of the bubble
		ask(t, h, "PURGE", "/", "Cache-Tag: another", "Authorization: Bearer secret")
		ask(t, h, "PURGE", "/a", "Authorization: Bearer secret")
		time.Sleep(2 * time.Second) // on the clock of the bubble
		if w := ask(t, h, "GET", "/a"); w.Body.String() == "1" {
			t.Error("the second purge has not reached it")
		}
	})
}

// Whoever has the answer to a change finds it made.
func TestCache_AChangeIsForgottenBeforeItsAnswerIsSent(t *testing.T) {
	for name, end := range map[string]func(){"it ends": func() {}, "it breaks off": func() { panic(http.ErrAbortHandler) }} {
		t.Run(name, func(t *testing.T) {
			var h http.Handler
			s := &service{serve: func(w http.ResponseWriter, r *http.Request, n int64) {
				if r.Method == "POST" {
					_ = http.NewResponseController(w).Flush()
					want(t, ask(t, h, "GET", "/"), "3", "uri-miss")
					end()
				}
				put(w, "Cache-Control: max-age=60")
				_, _ = fmt.Fprint(w, n)
			}}
			h = build(t, defaults(), keeping(t), s)
			ask(t, h, "GET", "/")
			func() {
				defer func() { _ = recover() }()
				ask(t, h, "POST", "/")
			}()
		})
	}
}

// What operators add to the key counts for what was stored before as well.
func TestCache_WhatIsStoredUnderOtherOptionsIsNotSent(t *testing.T) {
	for name, tt := range map[string]struct {
		before, after func(*Config)
		fields        []string
	}{
		"a header": {func(*Config) {}, func(c *Config) { c.Key = &Key{Headers: []string{"X-Tenant"}} }, []string{"X-Tenant: b"}},
		"a cookie": {func(*Config) {}, func(c *Config) { c.Key = &Key{Cookies: []string{"session"}} }, []string{"Cookie: session=b"}},
		"one more": {func(c *Config) { c.Key = &Key{Headers: []string{"X-A"}} }, func(c *Config) { c.Key = &Key{Headers: []string{"X-A", "X-Tenant"}} }, []string{"X-Tenant: b"}},
		"cookies":  {func(c *Config) { c.StoreCookies = true }, func(*Config) {}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			env := keeping(t)
			fields := []string{"Cache-Control: max-age=60"}
			if name == "cookies" {
				fields = append(fields, "Set-Cookie: a=b")
			}
			s := saying(fields...)
			ask(t, build(t, defaults(tt.before), env, s), "GET", "/", "X-Tenant: a", "Cookie: session=a")
			if w := ask(t, build(t, defaults(tt.after), env, s), "GET", "/", tt.fields...); w.Body.String() != "2" {
				t.Errorf("got %q, %q", w.Body, w.Header().Get("Cache-Status"))
			}
		})
	}
}

// forwardAuth and others let clients in without saying who they are.
func TestCache_WhatWasAskedForByAClientThatHasBeenLetInIsNotForAll(t *testing.T) {
	s := saying("Cache-Control: max-age=60")
	h := build(t, defaults(), keeping(t), s)
	r := httptest.NewRequest("GET", "/", http.NoBody)
	h.ServeHTTP(httptest.NewRecorder(), r.WithContext(record.With(r.Context(), &record.Record{Auth: record.Passed})))
	want(t, ask(t, h, "GET", "/"), "2", "uri-miss")
}

// Who is behind a service of its own pace is nobody's burden.
func TestCache_ASlowClientByItselfIsNotCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const length = 4 << 20
		s := &service{serve: func(w http.ResponseWriter, _ *http.Request, _ int64) {
			put(w, "Cache-Control: max-age=60")
			for range length / (64 << 10) {
				_, _ = w.Write(make([]byte, 64<<10))
			}
		}}
		h := build(t, defaults(func(c *Config) { c.MaxBodyBytes = 100 << 10 }), keeping(t), s)
		r := httptest.NewRequest("GET", "/", http.NoBody)
		w := &pausing{ResponseRecorder: httptest.NewRecorder()}
		h.ServeHTTP(w, r.WithContext(record.With(r.Context(), &record.Record{})))
		if n := w.Body.Len(); n != length {
			t.Errorf("got %d bytes", n)
		}
	})
}

// pausing is a client that stops for two minutes.
type pausing struct {
	*httptest.ResponseRecorder
	paused bool
}

func (p *pausing) Write(b []byte) (int, error) {
	if !p.paused {
		p.paused = true
		time.Sleep(2 * time.Minute) // on the clock of the bubble
	}
	return p.ResponseRecorder.Write(b)
}

func TestTiers_OpenOneStoreForAllRoutes(t *testing.T) {
	env := keeping(t)
	var begin []func(context.Context)
	env.Start = func(run func(context.Context)) { begin = append(begin, run) }
	c := defaults(func(c *Config) { c.Disk = &Disk{Path: t.TempDir(), MaxBytes: 1 << 20} })
	h := build(t, c, env, saying()).(*handler)
	for range 7 {
		build(t, c, env, saying())
	}
	var all sync.WaitGroup
	stores := make([]cachestore.Store, len(begin))
	for i, run := range begin {
		all.Go(func() {
			run(t.Context())
			stores[i] = h.store.next()
		})
	}
	all.Wait()
	for _, s := range stores {
		if s != stores[0] {
			t.Error("a store takes the place of another")
		}
	}
}

// stuck is a store whose purges take their time.
type stuck struct{ purging, gate chan struct{} }

func (s *stuck) Load(context.Context, []byte) *httpcache.Entry { return nil }
func (s *stuck) Save(context.Context, *httpcache.Entry)        {}
func (s *stuck) Purge(context.Context, cachestore.Match) (int, error) {
	close(s.purging)
	<-s.gate
	return 0, nil
}

func TestTiers_APurgeInRedisKeepsNobodyWaiting(t *testing.T) {
	slow := &stuck{make(chan struct{}), make(chan struct{})}
	tiers := &tiers{}
	tiers.put(slow)
	over := make(chan error)
	go func() {
		_, err := tiers.Purge(t.Context(), cachestore.Match{All: true}, func() {})
		over <- err
	}()
	<-slow.purging
	if !tiers.order.TryRLock() {
		t.Error("who saves waits for it")
	} else {
		tiers.order.RUnlock()
	}
	close(slow.gate)
	if err := <-over; err != nil {
		t.Error(err)
	}
}

func TestCache_APurgeBeforeTheDiskIsOpenCounts(t *testing.T) {
	c := defaults(func(c *Config) { c.Disk = &Disk{Path: t.TempDir(), MaxBytes: 1 << 20} })
	s := saying("Cache-Control: max-age=60")
	ask(t, build(t, c, keeping(t), s), "GET", "/")
	env := keeping(t)
	var open func(context.Context)
	env.Start = func(run func(context.Context)) { open = run }
	h := build(t, c, env, s)
	ask(t, h, "POST", "/")
	open(t.Context())
	want(t, ask(t, h, "GET", "/"), "3", "uri-miss")
}

// Services read cookies in their own ways: which of several counts, and what is in a value.
func TestCache_CookiesInTheKeyAreAsTheyCame(t *testing.T) {
	for _, tt := range []struct{ poison, victim string }{
		{"lang=en; lang=evil", "lang=en"},
		{"lang=en;lang=evil", "lang=en"},
		{"lang=\xe9vil", ""},
		{"lang=a b", ""},
		{`lang="en"`, "lang=en"},
		{`a="x; lang=en; b="`, "lang=en"},
		{"lang", ""},
		{"lang=", ""},
	} {
		s := &service{serve: func(w http.ResponseWriter, r *http.Request, n int64) {
			put(w, "Cache-Control: max-age=60")
			_, _ = fmt.Fprint(w, n)
		}}
		h := build(t, defaults(func(c *Config) { c.Key = &Key{Cookies: []string{"lang"}} }), keeping(t), s)
		ask(t, h, "GET", "/", "Cookie: "+tt.poison)
		var fields []string
		if tt.victim != "" {
			fields = []string{"Cookie: " + tt.victim}
		}
		if w := ask(t, h, "GET", "/", fields...); w.Body.String() != "2" {
			t.Errorf("%q gets the response to %q", tt.victim, tt.poison)
		}
		if w := ask(t, h, "GET", "/", append(fields, "Cookie: other=1")...); w.Body.String() != "2" {
			t.Errorf("%q and another cookie: got %q", tt.victim, w.Body)
		}
	}
}

// PHP and others make one variable of Accept-Language and Accept_Language.
func TestCache_NamesThatServicesTakeForTheSame(t *testing.T) {
	for name, tt := range map[string]struct {
		key   *Key
		field string
	}{"Vary": {nil, "Accept_Language: evil"}, "key": {&Key{Headers: []string{"X-Tenant"}}, "X_Tenant: evil"}} {
		t.Run(name, func(t *testing.T) {
			s := saying("Cache-Control: max-age=60", "Vary: Accept-Language")
			h := build(t, defaults(func(c *Config) { c.Key = tt.key }), keeping(t), s)
			want(t, ask(t, h, "GET", "/", tt.field), "1", "fwd=uri-miss")
			want(t, ask(t, h, "GET", "/"), "2", "stored")
			want(t, ask(t, h, "GET", "/"), "2", "hit")
		})
	}
}

// Two requests find the same stale response, and the second one comes when the first has had it
// validated.
func TestCache_WhatHasBeenValidatedIsNotValidatedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := saying("Cache-Control: max-age=1, stale-while-revalidate=60", `Etag: "1"`)
		h := build(t, defaults(), keeping(t), s).(*handler)
		ask(t, h, "GET", "/")
		time.Sleep(2 * time.Second) // on the clock of the bubble
		r := httptest.NewRequest("GET", "/", http.NoBody)
		x := h.take(httptest.NewRecorder(), r.WithContext(record.With(r.Context(), &record.Record{})))
		x.target = h.key.targetOf(x.r)
		x.key = x.target.append(nil)
		e := h.load(t.Context(), x)
		for range 2 {
			h.refresh(x, e)
			synctest.Wait()
		}
		if n := s.asked.Load(); n != 2 {
			t.Errorf("the service was asked %d times", n)
		}
	})
}
