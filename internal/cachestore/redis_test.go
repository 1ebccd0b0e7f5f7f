package cachestore

import (
	"fmt"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"fairway/internal/redisclient"
	"fairway/internal/redistest"
	"fairway/internal/secret"
)

func remote(t *testing.T, endpoints ...string) *Redis {
	t.Helper()
	c := &redisclient.Config{}
	c.SetDefaults()
	c.Endpoints, c.Password = endpoints, secret.String(redistest.Password)
	client, err := c.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return NewRedis(client, "cache:", quiet())
}

// lasting is an entry that Redis keeps.
func lasting(r *Redis, t *testing.T, key, url string, tags ...string) {
	t.Helper()
	e := entryOf(key, url, 100, tags...)
	e.Lifetime = time.Hour
	r.Save(t.Context(), e)
}

func TestRedis_IsSharedAndPurged(t *testing.T) {
	server := redistest.New(t)
	nodes := redistest.NewCluster(t, 3)
	for name, endpoints := range map[string][]string{"one": {"127.0.0.1:" + server.Port}, "cluster": {nodes[0].Address, nodes[1].Address}} {
		t.Run(name, func(t *testing.T) {
			one, two := remote(t, endpoints...), remote(t, endpoints...)
			for i := range 20 {
				lasting(one, t, fmt.Sprint(i), fmt.Sprintf("h/%d", i), "all", fmt.Sprintf("mod%d", i%4))
			}
			left := func() (n int) {
				for i := range 20 {
					if e := two.Load(t.Context(), []byte(fmt.Sprint(i))); e != nil && e.URL == fmt.Sprintf("h/%d", i) && len(e.Body) == 100 {
						n++
					}
				}
				return n
			}
			for _, tt := range []struct {
				m       Match
				n, left int
			}{
				{Match{}, 20, 0}, // nothing yet
				{Match{Key: "0"}, 1, 19}, {Match{Key: "0"}, 0, 19}, {Match{Tag: "mod1"}, 5, 14}, {Match{Prefix: "h/1"}, 8, 6}, {Match{Tag: "all"}, 6, 0},
			} {
				if tt.m == (Match{}) {
					if n := left(); n != 20 {
						t.Fatalf("%d of 20 are there", n)
					}
					continue
				}
				if n, err := two.Purge(t.Context(), tt.m); n != tt.n || err != nil || left() != tt.left {
					t.Errorf("%+v: %d are gone, %v, %d are left", tt.m, n, err, left())
				}
			}
			lasting(one, t, "x", "h/x")
			if n, err := one.Purge(t.Context(), Match{All: true}); n != 1 || err != nil {
				t.Errorf("all: %d are gone, %v", n, err)
			}
		})
	}
}

func TestRedis_WhatIsThereGoesByItself(t *testing.T) {
	server := redistest.New(t)
	r := remote(t, "127.0.0.1:"+server.Port)
	stale := entryOf("stale", "", 10)
	r.Save(t.Context(), stale) // of no use to anybody
	if r.Load(t.Context(), []byte("stale")) != nil {
		t.Error("what cannot be used is kept")
	}
	lasting(r, t, "good", "h")
	ttl, err := redis.Int(r.client.Do(t.Context(), "TTL", r.nameOf([]byte("good"))))
	if err != nil || ttl < 3590 || ttl > 3600 {
		t.Errorf("it goes in %d s, %v", ttl, err)
	}
}

func TestRedis_ListsOfTagsLoseWhatIsOver(t *testing.T) {
	server := redistest.New(t)
	r := remote(t, "127.0.0.1:"+server.Port)
	if _, err := r.client.Do(t.Context(), "ZADD", r.tagged("news"), 1, "long over"); err != nil {
		t.Fatal(err)
	}
	r.saved.Store(sweepEvery - 1)
	lasting(r, t, "good", "h", "news")
	names, err := redis.Strings(r.client.Do(t.Context(), "ZRANGE", r.tagged("news"), 0, -1))
	if err != nil || len(names) != 1 || names[0] != r.nameOf([]byte("good")) {
		t.Errorf("got %q, %v", names, err)
	}
}

func TestRedis_WhileItIsAwayAllIsAMiss(t *testing.T) {
	server := redistest.New(t)
	r := remote(t, "127.0.0.1:"+server.Port)
	lasting(r, t, "a", "h/a")
	server.Stop()
	if r.Load(t.Context(), []byte("a")) != nil {
		t.Error("it is there")
	}
	began := time.Now()
	for range 1000 { // it is left alone
		r.Load(t.Context(), []byte("a"))
		lasting(r, t, "b", "h/b")
	}
	if took := time.Since(began); took > leftAlone*2 {
		t.Errorf("that took %v", took)
	}
	if _, err := r.Purge(t.Context(), Match{Tag: "x"}); err == nil {
		t.Error("a purge that did not happen is none")
	}
	server.Start()
	eventually(t, func() bool {
		lasting(r, t, "a", "h/a")
		return r.Load(t.Context(), []byte("a")) != nil
	})
}
