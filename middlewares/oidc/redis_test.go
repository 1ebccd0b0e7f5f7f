package oidc

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/traefik/paerser/types"

	"fairway/internal/oidctest"
	"fairway/internal/redistest"
	"fairway/internal/secret"
	"fairway/middlewares/middlewarestest"
)

// redisGates are two gateways with one Redis.
func redisGates(t *testing.T, address string, change func(c *Config)) (*gate, *gate) {
	t.Helper()
	p := oidctest.New(t)
	with := func(c *Config) {
		c.Redis = &Redis{}
		c.Redis.SetDefaults()
		c.Redis.Address, c.Redis.Password, c.Redis.DB = address, redistest.Password, 2
		c.SessionSecrets = []secret.String{secret.String(strings.Repeat("s", 32))}
		c.ForwardAccessToken = true
		if change != nil {
			change(c)
		}
	}
	a, b := gateOf(t, p, middlewarestest.Env("login"), with), gateOf(t, p, middlewarestest.Env("login"), with)
	b.clock = a
	p.Change(func(o *oidctest.Options) { o.Now = a.time })
	return a, b
}

func keysOfRedis(t *testing.T, s *redistest.Server) map[string]string {
	t.Helper()
	c := s.Dial(2)
	all := map[string]string{}
	names, _ := redis.Strings(c.Do("KEYS", "*"))
	for _, name := range names {
		all[name], _ = redis.String(c.Do("GET", name))
	}
	return all
}

func TestRedis_HasTheSessionsOfSeveralGateways(t *testing.T) {
	s := redistest.New(t)
	first, second := redisGates(t, s.Address, nil)
	first.p.Change(func(o *oidctest.Options) { o.Claims = map[string]any{"groups": strings.Repeat("a-long-one ", 1000)} })
	b := first.browser()
	sent := b.get("/cart")
	b.g = second // which takes over in the middle of the login
	if got := b.get(b.approve(sent.location, "ann")); got.status != 302 || got.location != "/cart" {
		t.Fatalf("got %v", got)
	}
	for _, b.g = range []*gate{first, second, first} {
		if got := b.get("/"); got.status != 200 || got.rec.User != "ann" || len(got.header["Set-Cookie"]) > 0 || got.seen.Header["Cookie"] != nil {
			t.Errorf("got %v", got)
		}
	}
	if text := b.session(); len(text) != idLength {
		t.Errorf("the browser has %q", text)
	}
	for name, value := range keysOfRedis(t, s) {
		raw, _ := base64.RawURLEncoding.DecodeString(value)
		said := name + value + string(raw)
		if !strings.HasPrefix(name, "fairway:oidc:") || strings.Contains(said, b.session()) || strings.Contains(said, "ann@example.com") || strings.Contains(said, "preferred_username") {
			t.Errorf("it can be read: %s = %.100s", name, value)
		}
	}
	for _, guess := range []string{strings.Repeat("A", idLength), "x", strings.Repeat("A", idLength-1) + "*"} {
		if got := first.browser().ask("GET", "/", http.Header{"Cookie": {first.Handler.(*handler).jar.name + "=" + guess}}, ""); got.status != 401 {
			t.Errorf("a guess: got %v", got)
		}
	}
}

func TestRedis_OneGatewayRefreshes(t *testing.T) {
	s := redistest.New(t)
	first, second := redisGates(t, s.Address, nil)
	b := first.browser()
	b.login("/", "ann")
	for turn := range 3 {
		first.later(5*time.Minute - 10*time.Second)
		var all sync.WaitGroup
		var mu sync.Mutex
		seen := map[string]bool{}
		for i := range 20 {
			tab := b.copy()
			tab.g = []*gate{first, second}[i%2]
			all.Go(func() {
				got := tab.get("/")
				mu.Lock()
				defer mu.Unlock()
				if got.status != 200 {
					t.Errorf("got %v", got)
					return
				}
				seen[got.seen.Header.Get("Authorization")] = true
			})
		}
		all.Wait()
		if n := first.p.Asked("/token"); n != turn+2 || len(seen) != 1 {
			t.Errorf("asked %d times, the service sees %v", n, seen)
		}
	}
	first.p.Revoke()
	first.later(5 * time.Minute)
	b.g = second
	if got := b.get("/"); got.status != 302 {
		t.Errorf("when the provider has ended it: got %v", got)
	}
	b.g = first
	if got := b.get("/"); got.status != 302 {
		t.Errorf("at the other one: got %v", got)
	}
}

func TestRedis_ALogoutIsOneForAllGateways(t *testing.T) {
	s := redistest.New(t)
	first, second := redisGates(t, s.Address, nil)
	b := first.browser()
	for name, out := range map[string]func(){
		"by the user": func() {
			c := b.copy()
			c.g = second
			if got := c.ask("GET", "/oauth2/logout", http.Header{"Sec-Fetch-Site": {"none"}}, ""); got.status != 303 {
				t.Errorf("got %v", got)
			}
		},
		"by the provider": func() {
			token := first.p.LogoutToken("", b.sid())
			if got := second.backChannel(token); got.status != 200 {
				t.Errorf("got %v", got)
			}
			if got := first.backChannel(token); got.status != 400 || !strings.Contains(got.rec.Cause, "sent before") {
				t.Errorf("again, elsewhere: got %v", got)
			}
		},
		"of the person": func() {
			if got := second.backChannel(first.p.LogoutToken("ann", "")); got.status != 200 {
				t.Errorf("got %v", got)
			}
		},
		"by a frame": func() {
			second.browser().get(fmt.Sprintf("/oauth2/frontchannel-logout?iss=%s&sid=%s", first.p.URL, b.sid()))
		},
	} {
		b = first.browser()
		first.p.Change(func(o *oidctest.Options) { o.Claims = map[string]any{} })
		first.p.Forget()
		if got := b.login("/", "ann"); got.status != 200 {
			t.Fatalf("%s: got %v", name, got)
		}
		out()
		if got := b.get("/"); got.status != 302 || got.seen != nil {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestRedis_IsAway(t *testing.T) {
	s := redistest.New(t)
	g, _ := redisGates(t, s.Address, func(c *Config) { c.IdleTimeout, c.SkipPaths = types.Duration(time.Hour), []string{"/free"} })
	b := g.browser()
	b.login("/", "ann")
	if got := b.get("/"); got.status != 200 {
		t.Fatalf("got %v", got)
	}
	s.Stop()
	if got := b.get("/"); got.status != 503 || got.header.Get("Retry-After") == "" || !strings.Contains(got.rec.Cause, "ask the Redis at") {
		t.Errorf("got %v", got)
	}
	if got := b.ask("GET", "/oauth2/logout", http.Header{"Sec-Fetch-Site": {"none"}}, ""); got.status != 503 {
		t.Errorf("a logout that is none: got %v", got)
	}
	if got := b.get("/free"); got.status != 200 || got.rec.Identity != nil {
		t.Errorf("what needs no login: got %v", got)
	}
}

func TestRedis_SessionsThatAreNotUsedEnd(t *testing.T) {
	s := redistest.New(t)
	g, _ := redisGates(t, s.Address, func(c *Config) { c.IdleTimeout = types.Duration(1500 * time.Millisecond) })
	b := g.browser()
	b.login("/", "ann")
	for range 4 {
		time.Sleep(500 * time.Millisecond) // the time of the real Redis is what is tested
		if got := b.get("/"); got.status != 200 {
			t.Errorf("in use: got %v", got)
		}
	}
	time.Sleep(2 * time.Second) // whoever asked meanwhile would use it
	if got := b.get("/"); got.status != 302 {
		t.Errorf("not in use: got %v", got)
	}
}
