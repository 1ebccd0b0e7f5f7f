//go:build e2e

package test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func hostPort(t *testing.T, address string) (host string, port int) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	host, text, err := net.SplitHostPort(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	port, err = strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

// named is a service that answers with its name.
func named(t *testing.T, name string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, name) }))
	t.Cleanup(s.Close)
	return s.URL
}

// says tells whether a host answers so.
func (f *fairway) says(host, want string) func() bool {
	return func() bool { a := f.get(host, "/"); return a.status == 200 && a.text == want }
}

// untouched asks for a route all the time until the test ends, or it is told to stop, and
// fails if it fails.
func (f *fairway) untouched(host string) (stop func()) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var asked atomic.Int64
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			a, err := ask(http.DefaultClient, "http://"+f.address("web")+"/", host)
			if err != nil || a.status != 200 {
				f.t.Errorf("the untouched route: %d %v", a.status, err)
				return
			}
			asked.Add(1)
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		done.Wait()
		f.t.Logf("the untouched route was asked %d times", asked.Load())
	})
	f.t.Cleanup(stop)
	return stop
}

func consulFairway(t *testing.T, c *consul, more ...string) *fairway {
	t.Helper()
	return startFairway(t, append([]string{"--providers.consulcatalog.endpoint.address=" + c.http, "--providers.consulcatalog.endpoint.token=" + c.token}, more...)...)
}

func TestConsul_FollowsTheCatalog(t *testing.T) {
	c := aloneConsul(t)
	c.register("still", "still", named(t, "still"), nil, "fairway.http.routers.still.rule=Host(`still.test`)")
	f := consulFairway(t, c)
	f.await("the first service", f.says("still.test", "still"))
	f.untouched("still.test")

	one, two := named(t, "one"), named(t, "two")
	c.register("shop", "shop-1", one, object{"Check": object{"CheckID": "shop-1", "TTL": "10m", "Status": "passing"}}, "traefik.http.routers.shop.rule=Host(`shop.test`)")
	f.await("a service that was registered", f.says("shop.test", "one"))
	c.register("shop", "shop-2", two, nil, "traefik.http.routers.shop.rule=Host(`shop.test`)")
	f.await("its second instance", f.says("shop.test", "two"))
	c.put("/v1/agent/check/fail/shop-1", nil)
	f.await("the failed instance to be left alone", func() bool {
		for range 4 {
			if !f.says("shop.test", "two")() {
				return false
			}
		}
		return true
	})
	c.put("/v1/agent/check/warn/shop-1", nil)
	f.await("the instance with a warning", f.says("shop.test", "one"))
	c.put("/v1/agent/service/maintenance/shop-2?enable=true", nil)
	f.await("the one in maintenance to be left alone", func() bool {
		for range 4 {
			if !f.says("shop.test", "one")() {
				return false
			}
		}
		return true
	})
	c.put("/v1/agent/service/maintenance/shop-2?enable=false", nil)
	f.await("it to be back", f.says("shop.test", "two"))
	c.register("shop", "shop-1", one, nil, "fairway.http.routers.shop.rule=Host(`moved.test`)")
	c.register("shop", "shop-2", two, nil, "fairway.http.routers.shop.rule=Host(`moved.test`)")
	f.await("the new tags", f.says("moved.test", "one"))
	f.awaitStatus("shop.test", 404)
	c.deregister("shop-1")
	f.await("one to be gone", func() bool {
		for range 4 {
			if !f.says("moved.test", "two")() {
				return false
			}
		}
		return true
	})
	c.deregister("shop-2")
	f.awaitStatus("moved.test", 404)

	c.register("plain", "plain", named(t, "plain"), nil)
	f.await("the default rule", f.says("plain", "plain"))
	c.register("wrong", "wrong", named(t, "wrong"), nil, "fairway.http.routers.wrong.rulle=Host(`wrong.test`)", "fairway.enable")
	f.await("what is wrong with tags", func() bool {
		var problems []problem
		f.api("/api/problems", &problems)
		text := fmt.Sprint(problems)
		return strings.Contains(text, "service wrong on one") && strings.Contains(text, "fairway.http.routers.wrong.rule") && strings.Contains(text, "is not written as KEY=VALUE")
	})
	c.register("heavy", "heavy-1", one, object{"Weights": object{"Passing": 3, "Warning": 1}}, "fairway.http.routers.heavy.rule=Host(`heavy.test`)")
	c.register("heavy", "heavy-2", two, nil, "fairway.http.routers.heavy.rule=Host(`heavy.test`)")
	f.await("weights of the catalog", func() bool {
		seen := map[string]int{}
		for range 8 {
			seen[f.get("heavy.test", "/").text]++
		}
		return seen["one"] == 6 && seen["two"] == 2
	})
}

func TestConsul_ThatGoesAwayChangesNothing(t *testing.T) {
	c := aloneConsul(t)
	c.register("shop", "shop", named(t, "shop"), nil, "fairway.http.routers.shop.rule=Host(`shop.test`)")
	f := consulFairway(t, c)
	f.await("the service", f.says("shop.test", "shop"))
	f.untouched("shop.test")
	c.stop()
	down := func(is bool) func() bool {
		return func() bool {
			var all []struct {
				Name  string
				Up    bool
				Error string
			}
			f.api("/api/providers", &all)
			for _, p := range all {
				if p.Name == "consulcatalog" {
					return p.Up == !is && strings.Contains(p.Error, "stays in force") == is
				}
			}
			return false
		}
	}
	f.await("the provider to be called down", down(true))
	c.start()
	c.awaitLeader()
	f.await("it to be up again", down(false))
	c.register("more", "more", named(t, "more"), nil, "fairway.http.routers.more.rule=Host(`more.test`)")
	f.await("what came afterwards", f.says("more.test", "more"))
}

func TestConsul_OptionsOfTheProvider(t *testing.T) {
	c := aloneConsul(t)
	on := []string{"shop.enable=true", "public"}
	c.register("a", "a", named(t, "a"), nil, append(on, "shop.http.routers.a.rule=Host(`a.test`)")...)
	c.register("b", "b", named(t, "b"), nil, "shop.enable=true", "shop.http.routers.b.rule=Host(`b.test`)")
	c.register("c", "c", named(t, "c"), nil, "public", "shop.http.routers.c.rule=Host(`c.test`)")
	c.register("d", "d", named(t, "d"), object{"Check": object{"TTL": "10m", "Status": "warning"}}, append(on, "shop.http.routers.d.rule=Host(`d.test`)")...)
	c.register("e", "e-1", named(t, "e-1"), nil, append(on, "shop.http.routers.e.rule=Host(`e.test`)")...)
	c.register("e", "e-2", named(t, "e-2"), nil, append(on, "shop.consulcatalog.canary=true", "shop.http.routers.canary.rule=Host(`canary.test`)")...)
	f := consulFairway(t, c, "--providers.consulcatalog.prefix=shop", "--providers.consulcatalog.exposedbydefault=false", "--providers.consulcatalog.constraints=Tag(`public`)",
		"--providers.consulcatalog.strictchecks=passing", "--providers.consulcatalog.watch=false", "--providers.consulcatalog.refreshinterval=200ms", "--providers.consulcatalog.stale")
	f.await("the one that is shown", f.says("a.test", "a"))
	f.await("a canary beside the others", func() bool { return f.says("canary.test", "e-2")() && f.says("e.test", "e-1")() })
	for host := range map[string]bool{"b.test": true, "c.test": true, "d.test": true} {
		if got := f.get(host, "/").status; got != 404 {
			t.Errorf("%s: got %d", host, got)
		}
	}
	c.register("late", "late", named(t, "late"), nil, append(on, "shop.http.routers.late.rule=Host(`late.test`)")...)
	f.await("what comes between two looks", f.says("late.test", "late"))
}

func TestConsul_Rights(t *testing.T) {
	c := newConsul(t, "-server", "-bootstrap-expect=1", "-node=one", `-hcl=acl { enabled = true, default_policy = "deny", tokens { initial_management = "root-of-all", agent = "root-of-all" } }`)
	c.token = "root-of-all"
	c.awaitLeader()
	await(t, "the token that may do everything", func() bool {
		status, _ := c.try("PUT", "/v1/acl/policy", object{"Name": "fairway", "Rules": `service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }`})
		return status == 200
	})
	var token struct{ SecretID string }
	if err := json.Unmarshal([]byte(c.put("/v1/acl/token", object{"Policies": []object{{"Name": "fairway"}}})), &token); err != nil {
		t.Fatal(err)
	}
	c.register("shop", "shop", named(t, "shop"), nil, "fairway.http.routers.shop.rule=Host(`shop.test`)")
	f := startFairway(t, "--providers.consulcatalog.endpoint.address="+c.http, "--providers.consulcatalog.endpoint.token="+token.SecretID)
	f.await("the service, by the least rights", f.says("shop.test", "shop"))

	wrong := startFairway(t, "--providers.consulcatalog.endpoint.address="+c.http, "--providers.consulcatalog.endpoint.token=00000000-0000-0000-0000-000000000000")
	wrong.await("the token to be called wrong", func() bool {
		var problems []problem
		wrong.api("/api/problems", &problems)
		return strings.Contains(fmt.Sprint(problems), `the token has to have the rights service_prefix`)
	})
	if strings.Contains(f.text()+wrong.text(), token.SecretID) {
		t.Error("the token is in the log")
	}
}

func TestConsul_KeysAndValues(t *testing.T) {
	c := aloneConsul(t)
	set := func(key, value string) object {
		return object{"KV": object{"Verb": "set", "Key": key, "Value": []byte(value)}}
	}
	route := func(root, name, url string) []object {
		return []object{
			set(root+"/http/routers/"+name+"/rule", "Host(`"+name+".test`)"), set(root+"/http/routers/"+name+"/service", name),
			set(root+"/http/services/"+name+"/loadbalancer/servers/0/url", url),
		}
	}
	c.put("/v1/txn", route("traefik", "still", named(t, "still")))
	f := startFairway(t, "--providers.consul.endpoints=127.0.0.1:1,"+c.http)
	f.await("the first keys, by the agent that answers", f.says("still.test", "still"))
	f.untouched("still.test")
	one, two := named(t, "one"), named(t, "two")
	c.put("/v1/txn", route("fairway", "shop", one))
	f.await("keys below fairway", f.says("shop.test", "one"))
	for i := range 30 { // edited under load: every state is whole
		url, want := one, "one"
		if i%2 == 0 {
			url, want = two, "two"
		}
		c.put("/v1/txn", append(route("fairway", "shop", url), set("fairway/http/routers/shop/priority", strconv.Itoa(i+1))))
		if i%10 == 0 {
			f.await("an edit", f.says("shop.test", want))
		}
	}
	f.await("the last edit", f.edited("consul", 30))
	f.await("its server", f.says("shop.test", "one"))
	c.put("/v1/kv/fairway/http/routers/shop/rulle", "x")
	f.await("a key that is mistyped", func() bool {
		var problems []problem
		f.api("/api/problems", &problems)
		text := fmt.Sprint(problems)
		return strings.Contains(text, "fairway/http/routers/shop/rulle") && strings.Contains(text, "fairway/http/routers/shop/rule ")
	})
	if status, _ := c.try("DELETE", "/v1/kv/fairway/?recurse", nil); status != 200 {
		t.Fatal(status)
	}
	f.awaitStatus("shop.test", 404)
	c.stop()
	f.await("the store to be called away", func() bool {
		var problems []problem
		f.api("/api/problems", &problems)
		return strings.Contains(fmt.Sprint(problems), "their last known state stays in force")
	})
	if got := f.get("still.test", "/"); got.text != "still" {
		t.Errorf("while the store is away: %d %q", got.status, got.text)
	}
}

// One service, of which a part are containers and a part is in the catalog.
func TestConsul_AndDockerInOneService(t *testing.T) {
	e := needDocker(t)
	c := aloneConsul(t)
	f := consulFairway(t, c, "--providers.docker.endpoint="+e.address())
	labels := []string{
		"-l", "fairway.http.routers.both.rule=Host(`both.test`)", "-l", "fairway.http.routers.both.service=both@docker,consulcatalog",
		"-l", "fairway.http.services.both.loadbalancer.server.port=80",
	}
	e.container(t, "both-1", labels...)
	f.await("the container alone", func() bool { return f.get("both.test", "/").Name == "both-1" })
	f.await("the missing half to be said", func() bool {
		var problems []problem
		f.api("/api/problems", &problems)
		return strings.Contains(fmt.Sprint(problems), `the service "both@consulcatalog" does not exist`)
	})
	f.untouched("both.test")
	seen := func(want ...string) func() bool {
		return func() bool {
			got := map[string]bool{}
			for range 8 {
				a := f.get("both.test", "/")
				got[a.Name+a.text[:min(len(a.text), 7)]] = true
			}
			for _, w := range want {
				ok := false
				for g := range got {
					ok = ok || strings.HasPrefix(g, w)
				}
				if !ok {
					return false
				}
			}
			return len(got) == len(want)
		}
	}
	c.register("both", "both-2", named(t, "catalog"), nil, "fairway.http.services.both.loadbalancer.passhostheader=true")
	f.await("the instance of the catalog beside it", seen("both-1", "catalog"))
	e.container(t, "both-3", labels...)
	f.await("three of them", seen("both-1", "both-3", "catalog"))
	c.deregister("both-2")
	f.await("the containers alone", seen("both-1", "both-3"))
}
