package cache

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairway/internal/record"
)

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
				time.Sleep(2 * time.Second)
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
			time.Sleep(2 * time.Second)
			_, _ = fmt.Fprint(w, n)
		}}
		h := build(t, defaults(func(c *Config) { c.Purge = &Purge{Method: "PURGE", Token: "secret"} }), keeping(t), s)
		go ask(t, h, "GET", "/a")
		time.Sleep(time.Second)
		ask(t, h, "PURGE", "/", "Cache-Tag: another", "Authorization: Bearer secret")
		ask(t, h, "PURGE", "/a", "Authorization: Bearer secret")
		time.Sleep(2 * time.Second)
		if w := ask(t, h, "GET", "/a"); w.Body.String() == "1" {
			t.Error("the second purge has not reached it")
		}
	})
}

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

func TestCache_WhatWasAskedForByAClientThatHasBeenLetInIsNotForAll(t *testing.T) {
	s := saying("Cache-Control: max-age=60")
	h := build(t, defaults(), keeping(t), s)
	r := httptest.NewRequest("GET", "/", http.NoBody)
	h.ServeHTTP(httptest.NewRecorder(), r.WithContext(record.With(r.Context(), &record.Record{Auth: record.Passed})))
	want(t, ask(t, h, "GET", "/"), "2", "uri-miss")
}

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

type pausing struct {
	*httptest.ResponseRecorder
	paused bool
}

func (p *pausing) Write(b []byte) (int, error) {
	if !p.paused {
		p.paused = true
		time.Sleep(2 * time.Minute)
	}
	return p.ResponseRecorder.Write(b)
}
