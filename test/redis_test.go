//go:build e2e

package test

import (
	"strconv"
	"strings"
	"testing"

	"fairway/internal/redistest"
)

func route(root, name, url string) []string {
	return []string{
		"SET " + root + "/http/routers/" + name + "/rule Host(`" + name + ".test`)", "SET " + root + "/http/routers/" + name + "/service " + name,
		"SET " + root + "/http/services/" + name + "/loadbalancer/servers/0/url " + url,
	}
}

func TestRedis_KeysAndValues(t *testing.T) {
	for name, more := range map[string][]string{"told of changes": {"--notify-keyspace-events", "K$g"}, "not told": nil} {
		t.Run(name, func(t *testing.T) {
			r := redistest.New(t, more...)
			r.Together(route("traefik", "still", named(t, "still"))...)
			f := startFairway(t, "--providers.redis.endpoints=127.0.0.1:"+r.Port, "--providers.redis.password="+redistest.Password)
			f.await("the first keys", f.says("still.test", "still"))
			stop := f.untouched("still.test")
			one, two := named(t, "one"), named(t, "two")
			r.Together(route("fairway", "shop", one)...)
			f.await("keys below fairway", f.says("shop.test", "one"))
			for i := range 20 {
				url := one
				if i%2 == 1 {
					url = two
				}
				r.Together(append(route("fairway", "shop", url), "SET fairway/http/routers/shop/priority "+strconv.Itoa(i+1))...)
			}
			f.await("the last edit", f.edited("redis", 20))
			if !f.says("shop.test", "two")() {
				t.Error("the last edit has another server")
			}
			r.Together("SET fairway/http/routers/shop/rulle x")
			f.problem("", "fairway/http/routers/shop/rulle", "no option")
			r.Stop()
			f.problem("127.0.0.1:"+r.Port, "", "their last known state stays in force")
			if got := f.get("still.test", "/"); got.text != "still" {
				t.Errorf("while the store is away: %d %q", got.status, got.text)
			}
			stop()
			r.Start() // empty
			f.awaitStatus("still.test", 404)
			if strings.Contains(f.text(), redistest.Password) {
				t.Error("the password is in the log")
			}
		})
	}
}

// TestRedis_KeysAndValuesOfACluster has keys at all of its nodes.
func TestRedis_KeysAndValuesOfACluster(t *testing.T) {
	nodes := redistest.NewCluster(t, 3)
	put := func(root, name string) {
		t.Helper()
		for _, command := range route(root, name, named(t, name)) {
			words := strings.Fields(command)
			for _, n := range nodes {
				c := n.Dial(0)
				if _, err := c.Do(words[0], words[1], words[2]); err == nil {
					break
				} else if !strings.HasPrefix(err.Error(), "MOVED") {
					t.Fatal(err)
				}
			}
		}
	}
	put("fairway", "shop")
	f := startFairway(t, "--providers.redis.endpoints="+nodes[0].Address+","+nodes[1].Address, "--providers.redis.password="+redistest.Password)
	f.await("the first keys", f.says("shop.test", "shop"))
	put("fairway", "later")
	f.await("further keys", f.says("later.test", "later"))
}

// TestRedis_KeysAndValuesBySentinels goes on when another server has become the master.
func TestRedis_KeysAndValuesBySentinels(t *testing.T) {
	master, replica, sentinels := redistest.NewSentinels(t)
	master.Together(route("fairway", "shop", named(t, "shop"))...)
	f := startFairway(t, "--providers.redis.endpoints="+strings.Join(sentinels, ","), "--providers.redis.password="+redistest.Password,
		"--providers.redis.sentinel.masterName=main", "--providers.redis.sentinel.password="+redistest.SentinelPassword)
	f.await("the first keys", f.says("shop.test", "shop"))
	stop := f.untouched("shop.test")
	master.Stop()
	redistest.Await(t, "the replica to be the master", replica.Leads)
	replica.Together(route("fairway", "later", named(t, "later"))...)
	f.await("keys of the new master", f.says("later.test", "later"))
	stop()
}
