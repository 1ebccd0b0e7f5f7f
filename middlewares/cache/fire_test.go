package cache

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/record"
	"fairway/middlewares"
)

// gated is a service that answers when its gate opens.
func gated(gate <-chan struct{}, serve func(w http.ResponseWriter, n int64)) *service {
	return &service{serve: func(w http.ResponseWriter, r *http.Request, n int64) {
		select {
		case <-gate:
			serve(w, n)
		case <-r.Context().Done():
			middlewares.Refuse(w, r, 499, "gone")
		}
	}}
}

func TestCache_ManyMissesAreOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		s := gated(gate, func(w http.ResponseWriter, n int64) {
			put(w, "Cache-Control: max-age=60")
			_, _ = fmt.Fprint(w, n)
		})
		h := build(t, defaults(), keeping(t), s)
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				if w := ask(t, h, "GET", "/"); w.Body.String() != "1" || w.Code != 200 {
					t.Errorf("got %d %q", w.Code, w.Body)
				}
			})
		}
		synctest.Wait()
		close(gate)
		all.Wait()
		if n := s.asked.Load(); n != 1 {
			t.Errorf("the service was asked %d times", n)
		}
	})
}

func TestCache_ACancelledLeaderDoesNotFailTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		s := gated(gate, func(w http.ResponseWriter, n int64) {
			put(w, "Cache-Control: max-age=60")
			_, _ = fmt.Fprint(w, n)
		})
		h := build(t, defaults(), keeping(t), s)
		ctx, cancel := context.WithCancel(record.With(t.Context(), &record.Record{}))
		go h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil).WithContext(ctx))
		synctest.Wait()
		var other *httptest.ResponseRecorder
		go func() { other = ask(t, h, "GET", "/") }()
		synctest.Wait()
		cancel()
		time.Sleep(5 * time.Second) // on the clock of the bubble
		close(gate)
		synctest.Wait()
		want(t, other, "1", "collapsed")
	})
}

func TestCache_WhatNobodyWaitsForIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var over atomic.Bool
		s := &service{serve: func(_ http.ResponseWriter, r *http.Request, _ int64) {
			<-r.Context().Done()
			over.Store(true)
		}}
		h := build(t, defaults(), keeping(t), s)
		ctx, cancel := context.WithCancel(record.With(t.Context(), &record.Record{}))
		go h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil).WithContext(ctx))
		synctest.Wait()
		cancel()
		time.Sleep(afterAll - time.Second) // on the clock of the bubble
		if over.Load() {
			t.Error("it was given no time")
		}
		time.Sleep(2 * time.Second) // on the clock of the bubble
		synctest.Wait()
		if !over.Load() {
			t.Error("it goes on for nobody")
		}
	})
}

func TestCache_WhatIsNotStoredDoesNotQueueClients(t *testing.T) {
	for name, fields := range map[string][]string{"private": {"Cache-Control: private"}, "an error": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{serve: func(w http.ResponseWriter, _ *http.Request, n int64) {
					time.Sleep(time.Second) // on the clock of the bubble
					put(w, fields...)
					if fields == nil {
						w.WriteHeader(500)
					}
					_, _ = fmt.Fprint(w, n)
				}}
				h := build(t, defaults(), keeping(t), s)
				began := time.Now()
				var all sync.WaitGroup
				for range 100 {
					all.Go(func() { ask(t, h, "GET", "/") })
				}
				all.Wait()
				if took := time.Since(began); took > 2*time.Second || s.asked.Load() != 100 {
					t.Errorf("%d requests took %v", s.asked.Load(), took)
				}
			})
		})
	}
}

func TestCache_WaitingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{serve: func(w http.ResponseWriter, _ *http.Request, n int64) {
			if n == 1 {
				time.Sleep(time.Hour) // on the clock of the bubble
			}
			put(w, "Cache-Control: max-age=60")
			_, _ = fmt.Fprint(w, n)
		}}
		h := build(t, defaults(func(c *Config) { c.CoalesceTimeout = types.Duration(3 * time.Second) }), keeping(t), s)
		go ask(t, h, "GET", "/")
		synctest.Wait()
		began := time.Now()
		w := ask(t, h, "GET", "/")
		if took := time.Since(began); took != 3*time.Second || w.Body.String() != "2" {
			t.Errorf("got %q after %v", w.Body, took)
		}
		time.Sleep(time.Hour) // on the clock of the bubble
	})
}

// slow is a client that takes what it gets when it is told to.
type slow struct {
	*httptest.ResponseRecorder
	takes chan struct{}
}

func (s *slow) Write(p []byte) (int, error) {
	<-s.takes
	return s.ResponseRecorder.Write(p)
}

func TestCache_ASlowClientKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := strings.Repeat("0123456789abcdef", 32<<10) // 512 KiB
		s := &service{serve: func(w http.ResponseWriter, _ *http.Request, _ int64) {
			put(w, "Cache-Control: max-age=60")
			for part := range strings.SplitSeq(body, "f") {
				_, _ = io.WriteString(w, part)
			}
		}}
		h := build(t, defaults(), keeping(t), s)
		first := &slow{httptest.NewRecorder(), make(chan struct{})}
		done := make(chan struct{})
		go func() {
			r := httptest.NewRequest("GET", "/", nil)
			h.ServeHTTP(first, r.WithContext(record.With(r.Context(), &record.Record{})))
			close(done)
		}()
		synctest.Wait()
		whole := strings.ReplaceAll(body, "f", "")
		if w := ask(t, h, "GET", "/"); w.Body.String() != whole || s.asked.Load() != 1 {
			t.Errorf("another client got %d bytes of %d, and the service was asked %d times", w.Body.Len(), len(whole), s.asked.Load())
		}
		close(first.takes)
		<-done
		if first.Body.String() != whole {
			t.Errorf("the slow one got %d bytes", first.Body.Len())
		}
	})
}

func TestCache_ClientsGetWhatComesAsItComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		more := make(chan struct{})
		s := &service{serve: func(w http.ResponseWriter, _ *http.Request, _ int64) {
			put(w, "Cache-Control: max-age=60")
			for range 3 {
				_, _ = io.WriteString(w, "part ")
				_ = http.NewResponseController(w).Flush()
				<-more
			}
		}}
		h := build(t, defaults(), keeping(t), s)
		var clients [3]*httptest.ResponseRecorder
		for i := range clients {
			clients[i] = httptest.NewRecorder()
			go func() {
				r := httptest.NewRequest("GET", "/", nil)
				h.ServeHTTP(clients[i], r.WithContext(record.With(r.Context(), &record.Record{})))
			}()
		}
		for n := 1; n <= 3; n++ {
			synctest.Wait()
			for i, c := range clients {
				if got := c.Body.String(); got != strings.Repeat("part ", n) {
					t.Errorf("client %d has %q after %d parts", i, got, n)
				}
			}
			more <- struct{}{}
		}
		synctest.Wait()
		want(t, ask(t, h, "GET", "/"), "part part part ", "hit")
		if s.asked.Load() != 1 {
			t.Errorf("the service was asked %d times", s.asked.Load())
		}
	})
}

func TestCache_WhatIsTooLongIsSentAndNotStored(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 100<<10)
	for name, length := range map[string]bool{"announced": true, "not announced": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{serve: func(w http.ResponseWriter, _ *http.Request, _ int64) {
					put(w, "Cache-Control: max-age=60")
					if length {
						w.Header().Set("Content-Length", strconv.Itoa(len(body)))
					}
					time.Sleep(time.Second) // on the clock of the bubble
					for rest := body; len(rest) > 0; {
						n := min(len(rest), 7000)
						_, _ = w.Write(rest[:n])
						rest = rest[n:]
					}
				}}
				h := build(t, defaults(func(c *Config) { c.MaxBodyBytes = 300 << 10 }), keeping(t), s)
				var all sync.WaitGroup
				for range 5 {
					all.Go(func() {
						if w := ask(t, h, "GET", "/"); !bytes.Equal(w.Body.Bytes(), body) {
							t.Errorf("got %d bytes of %d", w.Body.Len(), len(body))
						}
					})
					all.Go(func() {
						if w := ask(t, h, "GET", "/", "Range: bytes=0-9", `If-None-Match: "2"`); !bytes.Equal(w.Body.Bytes(), body) {
							t.Errorf("who wants less got %d bytes of %d", w.Body.Len(), len(body))
						}
					})
				}
				all.Wait()
				if w := ask(t, h, "GET", "/"); strings.Contains(w.Header().Get("Cache-Status"), "hit") {
					t.Error("it is stored")
				}
				if n := h.(*handler).held.Load(); n != 0 {
					t.Errorf("%d bytes are held still", n)
				}
			})
		})
	}
}

func TestCache_WhatBreaksOffIsNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		s := &service{serve: func(w http.ResponseWriter, _ *http.Request, n int64) {
			put(w, "Cache-Control: max-age=60")
			_, _ = io.WriteString(w, "half")
			if n == 1 {
				_ = http.NewResponseController(w).Flush()
				<-gate
				panic(http.ErrAbortHandler)
			}
		}}
		h := build(t, defaults(), keeping(t), s)
		broken := 0
		var all sync.WaitGroup
		var mu sync.Mutex
		for range 3 {
			all.Go(func() {
				defer func() {
					if recover() == http.ErrAbortHandler { //nolint:errorlint // a panic value
						mu.Lock()
						broken++
						mu.Unlock()
					}
				}()
				ask(t, h, "GET", "/")
			})
		}
		synctest.Wait()
		close(gate)
		all.Wait()
		if broken != 3 {
			t.Errorf("%d of 3 clients were told that it is a part", broken)
		}
		want(t, ask(t, h, "GET", "/"), "half", "fwd=uri-miss")
	})
}

func TestCache_AFailureIsSharedByThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{serve: func(w http.ResponseWriter, r *http.Request, _ int64) {
			time.Sleep(time.Second) // on the clock of the bubble
			middlewares.Refuse(w, r, http.StatusBadGateway, "connection refused")
		}}
		h := build(t, defaults(), keeping(t), s)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if w := ask(t, h, "GET", "/"); w.Code != 502 {
					t.Errorf("got %d", w.Code)
				}
			})
		}
		all.Wait()
		if n := s.asked.Load(); n != 1 {
			t.Errorf("a service that is down was asked %d times", n)
		}
	})
}

func TestCache_VariantsOnTheirWayAreNotMixedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{serve: func(w http.ResponseWriter, r *http.Request, _ int64) {
			time.Sleep(time.Second) // on the clock of the bubble
			put(w, "Cache-Control: max-age=60", "Vary: Accept-Language")
			_, _ = io.WriteString(w, r.Header.Get("Accept-Language"))
		}}
		h := build(t, defaults(), keeping(t), s)
		var all sync.WaitGroup
		for i := range 90 {
			all.Go(func() {
				lang := []string{"de", "en", "fr"}[i%3]
				want(t, ask(t, h, "GET", "/", "Accept-Language: "+lang), lang, "fairway")
			})
		}
		all.Wait()
		if n := s.asked.Load(); n != 3 {
			t.Errorf("the service was asked %d times for 3 variants", n)
		}
	})
}

func TestCache_APurgeReachesWhatIsOnItsWay(t *testing.T) {
	for name, purge := range map[string][]string{"URL": {"/a"}, "prefix": {"/", "X-Purge: prefix"}, "tag": {"/x", "Cache-Tag: t"}, "all": {"/x", "X-Purge: all"}, "POST": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{serve: func(w http.ResponseWriter, r *http.Request, n int64) {
					if r.Method == "GET" {
						put(w, "Cache-Control: max-age=60", "Surrogate-Key: s t")
						time.Sleep(2 * time.Second) // on the clock of the bubble
						_, _ = fmt.Fprint(w, n)
					}
				}}
				h := build(t, defaults(func(c *Config) { c.Purge = &Purge{Method: "PURGE", Token: "secret"} }), keeping(t), s)
				var first *httptest.ResponseRecorder
				go func() { first = ask(t, h, "GET", "/a") }()
				time.Sleep(time.Second) // on the clock of the bubble
				if purge == nil {
					ask(t, h, "POST", "/a")
				} else if w := ask(t, h, "PURGE", purge[0], append(purge[1:], "Authorization: Bearer secret")...); w.Code != 200 {
					t.Errorf("the purge: got %d", w.Code)
				}
				if w := ask(t, h, "GET", "/a"); w.Body.String() == "1" {
					t.Error("who asks after the purge gets what was asked for before")
				}
				synctest.Wait()
				if first.Body.String() != "1" {
					t.Errorf("who asked before gets %q", first.Body)
				}
				if w := ask(t, h, "GET", "/a"); w.Body.String() == "1" {
					t.Error("what was asked for before the purge is stored")
				}
			})
		})
	}
}

func TestCache_AttemptsAtPoisoningAreNotStored(t *testing.T) {
	for _, field := range []string{
		"X-HTTP-Method-Override: DELETE", "X-HTTP-Method: POST", "X-Method-Override: PUT", "X-Original-URL: /admin", "X-Rewrite-URL: /admin", "X-Host: evil.test",
		"X-Forwarded-Host: evil.test", "X-Forwarded-Scheme: http", "Forwarded: host=evil.test", "Authorization: Basic x", "Range: bytes=0-0", "X-Forwarded-Proto: http",
		`If-None-Match: "x"`, "If-Match: *", "Expect: x", "Cache-Control: no-store", "Upgrade: websocket",
		"X_Http_Method_Override: DELETE", "X_Forwarded-Host: evil.test", "X.Host: evil.test", "X-Invoke-Status: 404", "X-Forwarded-Path: /admin",
	} {
		s := &service{serve: func(w http.ResponseWriter, r *http.Request, _ int64) {
			put(w, "Cache-Control: max-age=60")
			for name, values := range r.Header { // the worst a service can do
				if name != "X-Forwarded-Proto" || values[0] != "https" {
					_, _ = io.WriteString(w, name+values[0])
				}
			}
			_, _ = io.WriteString(w, r.Host)
		}}
		h := build(t, defaults(), keeping(t), s)
		ask(t, h, "GET", "https://shop.test/", field, "X-Forwarded-Proto: https")
		w := ask(t, h, "GET", "https://shop.test/", "X-Forwarded-Proto: https")
		if name, _, _ := strings.Cut(field, ":"); name != "Expect" && strings.Contains(w.Body.String(), http.CanonicalHeaderKey(name)) || strings.Contains(w.Body.String(), "evil") {
			t.Errorf("after a request with %q: got %q", field, w.Body)
		}
	}
}

func TestCache_AResponseOfManyClientsAtOnceIsWhole(t *testing.T) {
	s := &service{serve: func(w http.ResponseWriter, r *http.Request, _ int64) {
		put(w, "Cache-Control: max-age=1")
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		_, _ = w.Write(bytes.Repeat([]byte{byte('a' + n)}, n*9001))
	}}
	h := build(t, defaults(func(c *Config) { c.MemoryBytes, c.MaxBodyBytes = 300<<10, 100<<10 }), keeping(t), s)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				n := rand.N(20)
				body := ask(t, h, "GET", "/?n="+strconv.Itoa(n)).Body.Bytes()
				if len(body) != n*9001 || n > 0 && (body[0] != byte('a'+n) || body[len(body)-1] != byte('a'+n)) {
					t.Errorf("%d: got %d bytes", n, len(body))
				}
			}
		})
	}
	all.Wait()
	if _, size := h.(*handler).store.Size(); size > 300<<10 {
		t.Errorf("%d bytes are stored", size)
	}
}

func TestCache_CredentialsOfOneClientDoNotKeepOthersFromTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{serve: func(w http.ResponseWriter, r *http.Request, n int64) {
			time.Sleep(time.Second) // on the clock of the bubble
			put(w, "Cache-Control: max-age=60")
			_, _ = fmt.Fprint(w, n, r.Header.Get("Authorization"))
		}}
		h := build(t, defaults(), keeping(t), s)
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				who := fmt.Sprintf("Bearer %d", i)
				if w := ask(t, h, "GET", "/", "Authorization: "+who); !strings.HasSuffix(w.Body.String(), who) {
					t.Errorf("%s: got %q", who, w.Body)
				}
			})
		}
		began := time.Now()
		all.Wait()
		if took := time.Since(began); took != time.Second {
			t.Errorf("they waited for each other: %v", took)
		}
		want(t, ask(t, h, "GET", "/"), "11", "stored")
		want(t, ask(t, h, "GET", "/"), "11", "hit")
	})
}
