package cache

import (
	"context"
	"testing"

	"fairway/internal/redisclient"
	"fairway/internal/redistest"
	"fairway/internal/secret"
	"fairway/internal/sharing"
)

func TestCache_OnDiskIsThereAfterARestart(t *testing.T) {
	onDisk := func(c *Config) { c.Disk = &Disk{Path: t.TempDir() + "/cache", MaxBytes: 1 << 20} }
	c := defaults(onDisk)
	s := saying("Cache-Control: max-age=60", "Vary: Accept")
	first := build(t, c, keeping(t), s)
	ask(t, first, "GET", "/", "Accept: a")
	ask(t, first, "GET", "/", "Accept: b")
	second := build(t, c, keeping(t), s)
	want(t, ask(t, second, "GET", "/", "Accept: a"), "1", "hit")
	want(t, ask(t, second, "GET", "/", "Accept: b"), "2", "hit")
	ask(t, second, "POST", "/")
	third := build(t, c, keeping(t), s)
	want(t, ask(t, third, "GET", "/", "Accept: a"), "4", "uri-miss")
}

func TestCache_WithoutItsDiskGoesOnInMemory(t *testing.T) {
	s := saying("Cache-Control: max-age=60")
	h := build(t, defaults(func(c *Config) { c.Disk = &Disk{Path: "/dev/null/cache", MaxBytes: 1 << 20} }), keeping(t), s)
	ask(t, h, "GET", "/")
	want(t, ask(t, h, "GET", "/"), "1", "hit")
}

func TestCache_InRedisIsForSeveralGateways(t *testing.T) {
	server := redistest.New(t)
	shared := func(c *Config) {
		c.Redis = &redisclient.Config{}
		c.Redis.SetDefaults()
		c.Redis.Endpoints, c.Redis.Password = []string{"127.0.0.1:" + server.Port}, secret.String(redistest.Password)
		c.Purge = &Purge{Method: "PURGE", Token: "secret"}
	}
	s := saying("Cache-Control: max-age=60", "Vary: Accept", "Cache-Tag: news")
	one, two := build(t, defaults(shared), keeping(t), s), build(t, defaults(shared), keeping(t), s)
	ask(t, one, "GET", "/", "Accept: a")
	want(t, ask(t, two, "GET", "/", "Accept: a"), "1", "hit")
	want(t, ask(t, two, "GET", "/", "Accept: b"), "2", "vary-miss")
	want(t, ask(t, one, "GET", "/", "Accept: b"), "2", "hit")
	if w := ask(t, one, "PURGE", "/x", "Cache-Tag: news", "Authorization: Bearer secret"); w.Body.String() != "{\"purged\":2}\n" {
		t.Errorf("the purge: got %d %q", w.Code, w.Body)
	}
	want(t, ask(t, two, "GET", "/", "Accept: a"), "3", "fwd=")
	ask(t, one, "DELETE", "/")
	want(t, ask(t, two, "GET", "/", "Accept: a"), "5", "uri-miss")
	server.Stop()
	want(t, ask(t, two, "GET", "/", "Accept: a"), "6", "uri-miss")
}

func TestCache_MiddlewaresShareAStoreByName(t *testing.T) {
	pool := &sharing.ByOptions[any]{}
	named := func(name string) func(*Config) { return func(c *Config) { c.Store = name } }
	env := func() (e2 context.CancelFunc, ask2 func(name string) string) {
		ctx, cancel := context.WithCancel(t.Context())
		e := keeping(t)
		e.Shared = pool
		return cancel, func(name string) string {
			h, err := defaults(named(name)).New(ctx, e, saying("Cache-Control: max-age=60"))
			if err != nil {
				t.Fatal(err)
			}
			return ask(t, h, "GET", "/").Header().Get("Cache-Status")
		}
	}
	endOne, one := env()
	endTwo, two := env()
	if got := one("a"); got != "fairway; fwd=uri-miss; stored" {
		t.Errorf("the first: got %q", got)
	}
	if got := two("a"); got == "fairway; fwd=uri-miss; stored" {
		t.Errorf("another middleware with the same store: got %q", got)
	}
	if got := two("b"); got != "fairway; fwd=uri-miss; stored" {
		t.Errorf("with another store: got %q", got)
	}
	endOne()
	endTwo()
}

func TestCache_IsKeptOverReloads(t *testing.T) {
	env := keeping(t)
	s := saying("Cache-Control: max-age=60")
	ask(t, build(t, defaults(), env, s), "GET", "/")
	want(t, ask(t, build(t, defaults(func(c *Config) { c.MaxBodyBytes = 1000 }), env, s), "GET", "/"), "1", "hit")
}

func TestCache_WarmsUp(t *testing.T) {
	s := saying("Cache-Control: max-age=60")
	h := build(t, defaults(func(c *Config) { c.Warm = []string{"http://a.test/x?y", "https://a.test"} }), keeping(t), s)
	want(t, ask(t, h, "GET", "http://a.test/x?y"), "1", "hit")
	want(t, ask(t, h, "GET", "https://a.test/"), "2", "hit")
}

func TestCache_WhoMayPurge(t *testing.T) {
	for name, tt := range map[string]struct {
		purge  *Purge
		fields []string
		status int
	}{
		"nobody, and the service is asked": {nil, nil, 200},
		"by token":                         {&Purge{Method: "PURGE", Token: "secret"}, []string{"Authorization: Bearer secret"}, 200},
		"a wrong token":                    {&Purge{Method: "PURGE", Token: "secret"}, []string{"Authorization: Bearer secrets"}, 403},
		"no token":                         {&Purge{Method: "PURGE", Token: "secret"}, nil, 403},
		"from nowhere":                     {&Purge{Method: "PURGE", SourceRange: []string{"10.0.0.0/8"}}, nil, 403},
		"token, and from nowhere":          {&Purge{Method: "PURGE", SourceRange: []string{"10.0.0.0/8"}, Token: "secret"}, []string{"Authorization: Bearer secret"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			s := saying("Cache-Control: max-age=60")
			h := build(t, defaults(func(c *Config) { c.Purge = tt.purge }), keeping(t), s)
			ask(t, h, "GET", "/")
			if w := ask(t, h, "PURGE", "/", tt.fields...); w.Code != tt.status {
				t.Errorf("got %d", w.Code)
			}
			if asked := s.asked.Load(); tt.purge == nil && asked != 2 || tt.purge != nil && asked != 1 {
				t.Errorf("the service was asked %d times", asked)
			}
		})
	}
}
