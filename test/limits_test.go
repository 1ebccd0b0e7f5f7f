//go:build e2e

package test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"fairway/internal/redistest"
)

// limitedBy has routes at any host, with a middleware of these options in YAML.
func limitedBy(t *testing.T, middleware string) string {
	t.Helper()
	return routesIn(t, strings.NewReplacer("MIDDLEWARE", middleware, "BACKEND", named(t, "service")).Replace(`http:
  routers:
    one: {rule: 'HostRegexp(`+"`.+`"+`)', service: s, middlewares: [limit], entryPoints: [web]}
    two: {rule: 'PathPrefix(`+"`/two`"+`)', priority: 1000, service: s, middlewares: [limit], entryPoints: [web]}
  middlewares:
    limit: {MIDDLEWARE}
  services:
    s: {loadBalancer: {servers: [{url: 'BACKEND'}]}}
`))
}

// storm is what 64 clients get that send to several gateways at once.
func storm(t *testing.T, each int, gateways ...*fairway) (passed, refused int64) {
	t.Helper()
	var ok, no atomic.Int64
	var all sync.WaitGroup
	for i := range 64 {
		f := gateways[i%len(gateways)]
		all.Go(func() {
			for n := range each {
				got, err := ask(fresh, "http://"+f.address("web")+[]string{"/", "/two"}[n%2], "limited.test")
				if err != nil {
					t.Error(err)
					return
				}
				switch got.status {
				case http.StatusOK:
					ok.Add(1)
				case http.StatusTooManyRequests:
					no.Add(1)
				default:
					t.Errorf("got %d", got.status)
				}
			}
		})
	}
	all.Wait()
	return ok.Load(), no.Load()
}

// patient has decisions take the time that they take on a busy machine.
const patient = "timeout: 20s, readTimeout: 20s, "

func TestLimits_AreExact(t *testing.T) {
	s := redistest.New(t)
	nodes := redistest.NewCluster(t, 3)
	redis := "redis: {" + patient + "whenAway: closed, password: " + redistest.Password + ", endpoints: ['" + s.Address + "']}"
	cluster := "redis: {" + patient + "whenAway: closed, password: " + redistest.Password + ", endpoints: ['" + nodes[0].Address + "', '" + nodes[1].Address + "']}"
	for name, tt := range map[string]struct {
		middleware string
		gateways   int
	}{
		"here, bucket":      {"rateLimit: {average: 100, burst: 100, period: 1h}", 1},
		"here, window":      {"rateLimit: {average: 100, algorithm: slidingWindow, period: 1h}", 1},
		"here, quota":       {"quota: {amount: 100, per: month}", 1},
		"redis, bucket":     {"rateLimit: {average: 100, burst: 100, period: 1h, " + redis + "}", 2},
		"redis, window":     {"rateLimit: {average: 100, algorithm: slidingWindow, period: 1h, " + redis + "}", 2},
		"redis, quota":      {"quota: {amount: 100, per: month, " + redis + "}", 2},
		"a cluster, bucket": {"rateLimit: {average: 100, burst: 100, period: 1h, " + cluster + "}", 2},
	} {
		t.Run(name, func(t *testing.T) {
			s.Do("FLUSHALL")
			routes := limitedBy(t, tt.middleware)
			var gateways []*fairway
			for range tt.gateways {
				f := startFairway(t, routes)
				f.await("the routes", func() bool { return len(f.routers()) > 0 })
				gateways = append(gateways, f)
			}
			if passed, refused := storm(t, 5, gateways...); passed != 100 || refused != 64*5-100 {
				t.Errorf("%d pass and %d are refused, want 100 and %d", passed, refused, 64*5-100)
			}
		})
	}
}

// routers are the names of those that the gateway has from files.
func (f *fairway) routers() (names []string) {
	var all []struct {
		Name string `json:"name"`
	}
	f.api("/api/http/routers", &all)
	for _, r := range all {
		if strings.HasSuffix(r.Name, "@file") {
			names = append(names, r.Name)
		}
	}
	return names
}

func TestLimits_WhileRedisIsAway(t *testing.T) {
	for mode, want := range map[string][]int{"local": {200, 200, 429}, "open": {200, 200, 200}, "closed": {503, 503, 503}} {
		t.Run(mode, func(t *testing.T) {
			s := redistest.New(t)
			line := redistest.NewLine(t, s.Address)
			f := startFairway(t, limitedBy(t, "rateLimit: {average: 2, burst: 2, period: 1h, sourceCriterion: {requestHost: true}, redis: {timeout: 1s, whenAway: "+mode+", password: "+redistest.Password+", endpoints: ['"+line.Address+"']}}"), "--metrics.prometheus")
			f.awaitStatus("begin.test", 200)
			statuses := func(host string) (got []int) {
				for range 3 {
					got = append(got, f.get(host, "/").status)
				}
				return got
			}
			equal := func(what string, got, want []int) {
				t.Helper()
				for i := range want {
					if got[i] != want[i] {
						t.Errorf("%s: got %v, want %v", what, got, want)
						return
					}
				}
			}
			equal("redis is there", statuses("there.test"), []int{200, 200, 429})
			s.Stop()
			equal("killed", statuses("killed.test"), want)
			f.problem("limit@file", line.Address+" is away")
			if text := f.metrics(); !strings.Contains(text, `fairway_limit_missed_total{kind="rateLimit",middleware="limit@file"}`) || strings.Contains(text, `fairway_limit_missed_total{kind="rateLimit",middleware="limit@file"} 0`) {
				t.Errorf("the metrics do not count it")
			}
			s.Start()
			f.await("redis to be back", func() bool {
				f.get("again.test", "/")
				return !strings.Contains(f.problemsText(), "is away")
			})
			equal("started anew", statuses("anew.test"), []int{200, 200, 429})
			line.Delay(3e9)
			equal("slow", statuses("slow.test"), want)
			f.problem("limit@file", line.Address+" is away")
			line.Delay(0)
			f.await("redis to be quick", func() bool {
				f.get("quick.test", "/")
				return !strings.Contains(f.problemsText(), "is away")
			})
			if strings.Contains(f.text(), redistest.Password) {
				t.Error("the password is in the log")
			}
		})
	}
}

func (f *fairway) problemsText() string {
	var all []problem
	f.api("/api/problems", &all)
	var text strings.Builder
	for _, p := range all {
		text.WriteString(p.Name + " " + p.Reason + "\n")
	}
	return text.String()
}

func (f *fairway) metrics() string {
	f.t.Helper()
	a, err := ask(fresh, "http://"+f.address("traefik")+"/metrics", "")
	if err != nil {
		f.t.Fatal(err)
	}
	return a.text
}

func TestQuota_SurvivesARestart(t *testing.T) {
	routes := limitedBy(t, "quota: {amount: 7, per: month, file: '"+filepath.Join(t.TempDir(), "counts")+"'}")
	total := 0
	for range 5 {
		f := startFairway(t, routes)
		f.await("the routes", func() bool { return len(f.routers()) > 0 })
		for range 2 {
			if f.get("a.test", "/").status == 200 {
				total++
			}
		}
		_ = f.cmd.Process.Signal(syscall.SIGTERM)
		if code := f.wait(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
	if total != 7 {
		t.Errorf("%d pass, want 7", total)
	}
}

func TestQuota_SurvivesACrash(t *testing.T) {
	file := filepath.Join(t.TempDir(), "counts")
	routes := limitedBy(t, "quota: {amount: 5, per: month, rolling: true, file: '"+file+"'}")
	f := startFairway(t, routes)
	f.await("the routes", func() bool { return len(f.routers()) > 0 })
	for range 3 {
		f.get("a.test", "/")
	}
	f.await("the counts to be written", func() bool {
		text, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(text), `"c":[3`)
	})
	_ = f.cmd.Process.Kill()
	f.wait()
	f = startFairway(t, routes)
	f.await("the routes", func() bool { return len(f.routers()) > 0 })
	for i, want := range []int{200, 200, 429} {
		if got := f.get("a.test", "/"); got.status != want {
			t.Errorf("request %d after the crash: got %d, want %d", i, got.status, want)
		}
	}
}

func TestPlans_AreThoseOfTheConsumers(t *testing.T) {
	f := startFairway(t, routesIn(t, strings.NewReplacer("@", "`", "BACKEND", named(t, "service")).Replace(`http:
  routers:
    api: {rule: Host(@api.test@), service: s, middlewares: [keys, plans], entryPoints: [web]}
  middlewares:
    keys: {apiKey: {optional: true}}
    plans: {plan: {default: free, headers: true}}
  plans:
    gold: {rateLimit: {average: 1, period: 1h, burst: 5}, quota: {amount: 3, per: month}}
    small: {quota: {amount: 2, per: month}}
    free: {quota: {amount: 1, per: month}}
    broken: {quota: {amount: 1, per: year}}
  consumers:
    gold: {apiKeys: ['sha256:24d7f03d8dc3c3666969e6fa5bb1fac4736d3f1353c28307ed51b320f9dc42d3'], plan: gold}
    odd: {apiKeys: ['sha256:0000000000000000000000000000000000000000000000000000000000000000'], plan: glod}
  services:
    s: {loadBalancer: {servers: [{url: 'BACKEND'}]}}
`)))
	f.problem("broken@file", "none of hour, day, week and month")
	f.problem("odd@file", `there is no plan "glod@file"`)
	if got := f.awaitStatus("api.test", 200); got.header.Get("Ratelimit-Policy") != `"free-quota";q=1;w=2592000` {
		t.Errorf("got %v", got.header)
	}
	if got := f.get("api.test", "/"); got.status != 429 || got.header.Get("Retry-After") == "" {
		t.Errorf("without a key: got %d", got.status)
	}
	gold := func() int {
		req, err := http.NewRequest(http.MethodGet, "http://"+f.address("web")+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "api.test"
		req.Header.Set("X-API-Key", "gold")
		res, err := fresh.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	for i, want := range []int{200, 200, 200, 429, 429, 429} {
		if got := gold(); got != want {
			t.Errorf("request %d of gold: got %d, want %d", i, got, want)
		}
	}
}
