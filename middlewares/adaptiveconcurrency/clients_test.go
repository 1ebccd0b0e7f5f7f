package adaptiveconcurrency

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// slowBody is sent by a client that takes its time.
type slowBody struct{ parts int }

func (b *slowBody) Read(p []byte) (int, error) {
	time.Sleep(time.Second) // on the clock of the bubble
	if b.parts--; b.parts < 0 {
		return 0, io.EOF
	}
	return copy(p, "part"), nil
}

func (*slowBody) Close() error { return nil }

// Clients that send slowly, or read slowly, say nothing of the service: a few of them must not have
// the others refused.
func TestLimit_SlowClientsDoNotLowerIt(t *testing.T) {
	for name, slow := range map[string]func() *http.Request{
		"who reads slowly": func() *http.Request { return httptest.NewRequest(http.MethodGet, "/slow", nil) },
		"who sends slowly": func() *http.Request {
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			r.Body, r.ContentLength = &slowBody{parts: 10}, -1
			return r
		},
		"who sends slowly what it has told the length of": func() *http.Request {
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			r.Body, r.ContentLength = &slowBody{parts: 10}, 4*10
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := built(t, defaults(), func(w http.ResponseWriter, r *http.Request) {
					if r.ContentLength >= 0 {
						_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength)
					} else {
						_, _ = io.Copy(io.Discard, r.Body)
					}
					time.Sleep(20 * time.Millisecond) // on the clock of the bubble
					w.WriteHeader(http.StatusNoContent)
					if r.URL.Path == "/slow" {
						time.Sleep(10 * time.Second) // on the clock of the bubble
					}
				})
				load(t, h, 15, 3*time.Second)
				before := h.gates.of("", &h.config).limit.most(&h.config)
				var all sync.WaitGroup
				for range 5 {
					all.Go(func() {
						for range 5 {
							h.ServeHTTP(httptest.NewRecorder(), slow())
						}
					})
				}
				load(t, h, 10, 35*time.Second)
				all.Wait()
				if after := h.gates.of("", &h.config).limit.most(&h.config); after < before {
					t.Errorf("the limit was %d, and is %d", before, after)
				}
			})
		})
	}
}

// taken is a writer whose connection can be taken over.
type taken struct{ *httptest.ResponseRecorder }

func (taken) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, nil }

func TestGate_WhatHasChangedTheProtocolTakesNoPlace(t *testing.T) {
	c := defaults()
	c.InitialLimit, c.MinLimit, c.MaxLimit = 1, 1, 1
	var h *handler
	depth := 0
	h = built(t, c, func(w http.ResponseWriter, _ *http.Request) {
		if depth++; depth > 3 {
			return
		}
		if _, _, err := http.NewResponseController(w).Hijack(); err != nil {
			t.Error(err)
		}
		h.ServeHTTP(taken{httptest.NewRecorder()}, httptest.NewRequest(http.MethodGet, "/", nil)) // while the other lasts
	})
	h.ServeHTTP(taken{httptest.NewRecorder()}, httptest.NewRequest(http.MethodGet, "/", nil))
	if g := h.gates.of("", c); depth != 4 || g.underWay != 0 {
		t.Errorf("%d got in, %d are under way", depth, g.underWay)
	}
}

// A limit that was found by other options is within those in force at once.
func TestGate_BoundsThatChangeAreInForceAtOnce(t *testing.T) {
	gates := &gates{}
	wide, narrow := defaults(), defaults()
	narrow.MaxLimit, narrow.InitialLimit = 6, 6
	high := defaults()
	high.MinLimit, high.InitialLimit = 30, 30
	g := gates.of("shop", wide) // which begins with 20
	for _, tt := range []struct {
		name string
		c    *Config
		want int
	}{{"as before", wide, 20}, {"less at most", narrow, 6}, {"more at least", high, 30}} {
		in := 0
		for range 50 {
			if g.enter(t.Context(), tt.c) == nil {
				in++
			}
		}
		if in != tt.want {
			t.Errorf("%s: %d get in, want %d", tt.name, in, tt.want)
		}
		for range in {
			g.leave(tt.c)
		}
	}
}

func TestGates_ForgetServicesThatAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, gates := defaults(), &gates{}
		kept := gates.of("kept", c)
		const all = 10 * many
		for i := range all {
			for _, g := range []*gate{gates.of("kept", c), gates.of(strconv.Itoa(i), c)} {
				if err := g.enter(t.Context(), c); err != nil {
					t.Fatal(err)
				}
				g.leave(c)
			}
			time.Sleep(time.Minute) // on the clock of the bubble
		}
		left := 0
		gates.services.Range(func(any, any) bool { left++; return true })
		if left > many || gates.of("kept", c) != kept {
			t.Errorf("%d are left", left)
		}
		if passed, refused := gates.Decisions(); passed != 2*all || refused != 0 {
			t.Errorf("%d passed and %d were refused: what is forgotten counts, too", passed, refused)
		}
	})
}
