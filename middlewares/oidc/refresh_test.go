package oidc

import (
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"fairway/internal/oidctest"
)

func TestRefresh_ManyRequestsUseOneToken(t *testing.T) {
	g := newGate(t, func(c *Config) { c.ForwardAccessToken = true })
	b := g.browser()
	first := b.login("/", "ann").seen.Header.Get("Authorization")
	if got := b.get("/"); got.seen.Header.Get("Authorization") != first || g.p.Asked("/token") != 1 {
		t.Errorf("a fresh token is refreshed: %v", got)
	}
	for turn := range 3 {
		g.later(5*time.Minute - 30*time.Second)
		var all sync.WaitGroup
		var mu sync.Mutex
		seen, texts := map[string]bool{}, map[string]bool{}
		u := requestWith("").URL
		cookies := b.jar.Cookies(u)
		for range 20 {
			tab := g.browser() // of the same browser: it has the same cookies
			tab.jar.SetCookies(u, cookies)
			all.Go(func() {
				got := tab.get("/")
				mu.Lock()
				defer mu.Unlock()
				if got.status != 200 || len(got.header["Set-Cookie"]) == 0 {
					t.Errorf("got %v", got)
					return
				}
				seen[got.seen.Header.Get("Authorization")], texts[tab.session()] = true, true
			})
		}
		all.Wait()
		if n := g.p.Asked("/token"); n != turn+2 || len(seen) != 1 || seen[first] {
			t.Fatalf("asked %d times, the service sees %v", n, seen)
		}
		// One with the old cookie comes late; its answer with the new one is the only one that arrives.
		if got := b.get("/"); got.status != 200 || g.p.Asked("/token") != turn+2 || len(got.header["Set-Cookie"]) == 0 {
			t.Errorf("late: got %v, asked %d times", got, g.p.Asked("/token"))
		}
	}
}

func TestRefresh_AnEndedLoginEndsTheSession(t *testing.T) {
	g := newGate(t, nil)
	b := g.browser()
	b.login("/", "ann")
	stale := g.browser()
	u := requestWith("").URL
	stale.jar.SetCookies(u, b.jar.Cookies(u))
	g.p.Revoke()
	if got := b.get("/"); got.status != 200 {
		t.Errorf("before its end: got %v", got)
	}
	g.later(5 * time.Minute)
	if got := b.get("/"); got.status != 302 || got.seen != nil || b.session() != "" {
		t.Errorf("got %v", got)
	}
	asked := g.p.Asked("/token")
	if got := stale.get("/"); got.status != 302 || g.p.Asked("/token") != asked {
		t.Errorf("with the old cookie: got %v", got)
	}
}

func TestRefresh_WhileTheProviderIsAway(t *testing.T) {
	g := newGate(t, nil)
	b := g.browser()
	b.login("/", "ann")
	g.p.Change(func(o *oidctest.Options) { o.Away = true })
	g.later(5*time.Minute - 20*time.Second)
	for range 3 {
		if got := b.get("/"); got.status != 200 {
			t.Errorf("until the token's end: got %v", got)
		}
	}
	if n := g.p.Asked("/token"); n != 2 {
		t.Errorf("asked %d times", n)
	}
	g.later(21 * time.Second)
	if got := b.get("/"); got.status != 503 || got.header.Get("Retry-After") == "" || b.session() == "" {
		t.Errorf("after it: got %v", got)
	}
	g.p.Change(func(o *oidctest.Options) { o.Away = false })
	g.later(6 * time.Second)
	if got := b.get("/"); got.status != 200 {
		t.Errorf("when it is back: got %v", got)
	}
}

func TestRefresh_ASlowProviderHoldsNobodyUp(t *testing.T) {
	g := newGate(t, func(c *Config) { c.ForwardAccessToken = true })
	b := g.browser()
	before := b.login("/", "ann").seen.Header.Get("Authorization")
	g.p.Change(func(o *oidctest.Options) { o.Slow = patienceOfOne + 500*time.Millisecond })
	g.later(5*time.Minute - 30*time.Second)
	if got := b.get("/"); got.status != 200 || got.seen.Header.Get("Authorization") != before {
		t.Errorf("meanwhile: got %v", got)
	}
	deadline := time.Now().Add(20 * time.Second)
	for got := b.get("/"); got.seen.Header.Get("Authorization") == before; got = b.get("/") {
		if got.status != 200 || time.Now().After(deadline) {
			t.Fatalf("then: got %v", got)
		}
	}
	if n := g.p.Asked("/token"); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

func TestRefresh_NewTokensAreOfTheSamePerson(t *testing.T) {
	g := newGate(t, nil)
	b := g.browser()
	b.login("/", "ann")
	g.p.Change(func(o *oidctest.Options) { o.Tamper = func(c jwt.MapClaims) { c["sub"] = "bob" } })
	g.later(5 * time.Minute)
	if got := b.get("/"); got.status != 302 || got.seen != nil {
		t.Errorf("got %v", got)
	}
}

func TestRefresh_TellsWhatIsNew(t *testing.T) {
	g := newGate(t, func(c *Config) {
		c.UserInfo, c.ForwardHeaders = true, map[string]string{"X-Team": "team", "X-Role": "role"}
	})
	g.p.Change(func(o *oidctest.Options) {
		o.UserInfo, o.Claims = map[string]any{"team": "blue"}, map[string]any{"role": "user"}
	})
	b := g.browser()
	b.login("/", "ann")
	g.p.Change(func(o *oidctest.Options) {
		o.UserInfo, o.Claims = map[string]any{"team": "red"}, map[string]any{"role": "admin"}
	})
	g.later(5 * time.Minute)
	if got := b.get("/"); got.status != 200 || got.seen.Header.Get("X-Team") != "red" || got.seen.Header.Get("X-Role") != "admin" {
		t.Errorf("got %v", got)
	}
}

func TestRefresh_KeysChangeMeanwhile(t *testing.T) {
	g := newGate(t, nil)
	b := g.browser()
	b.login("/", "ann")
	g.p.Rotate()
	g.later(5 * time.Minute)
	if got := b.get("/"); got.status != 200 {
		t.Errorf("who is in: got %v", got)
	}
	if got := g.browser().login("/", "bob"); got.status != 200 {
		t.Errorf("who comes: got %v", got)
	}
}

func TestRefresh_WithoutARefreshToken(t *testing.T) {
	plain := newGate(t, nil)
	plain.p.Change(func(o *oidctest.Options) { o.NoRefresh = true })
	b := plain.browser()
	b.login("/", "ann")
	plain.later(time.Hour)
	if got := b.get("/"); got.status != 200 {
		t.Errorf("the session goes on: got %v", got)
	}
	forwards := newGate(t, func(c *Config) { c.ForwardAccessToken = true })
	forwards.p.Change(func(o *oidctest.Options) { o.NoRefresh = true })
	b = forwards.browser()
	b.login("/", "ann")
	forwards.later(time.Hour)
	if got := b.get("/"); got.status != 302 {
		t.Errorf("a service gets no token that has expired: got %v", got)
	}
}
