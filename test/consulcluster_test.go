//go:build e2e

package test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// cluster is three servers of one Consul.
func cluster(t *testing.T) (all [3]*consul, servers [3]string) {
	t.Helper()
	var serf [3]string
	var join []string
	for i := range serf {
		serf[i], servers[i] = freePort(t), freePort(t)
		join = append(join, "-retry-join=127.0.0.1:"+serf[i])
	}
	for i := range all {
		all[i] = newConsul(t, append([]string{
			"-server", "-bootstrap-expect=3", fmt.Sprint("-node=n", i), "-serf-lan-port=" + serf[i], "-server-port=" + servers[i],
			"-hcl=performance { raft_multiplier = 1 }", "-retry-interval=200ms",
		}, join...)...)
	}
	for _, c := range all {
		c.awaitLeader()
	}
	return all, servers
}

func TestConsul_AClusterThatLosesItsLeader(t *testing.T) {
	all, servers := cluster(t)
	_, text := all[0].try(http.MethodGet, "/v1/status/leader", nil)
	leader := -1
	for i, port := range servers {
		if strings.Contains(text, ":"+port) {
			leader = i
		}
	}
	if leader < 0 {
		t.Fatalf("the leader is %s", text)
	}
	mine := all[(leader+1)%3]
	mine.register("shop", "shop", named(t, "shop"), nil, "fairway.http.routers.shop.rule=Host(`shop.test`)")
	f := consulFairway(t, mine)
	f.await("the service", f.says("shop.test", "shop"))
	f.untouched("shop.test")
	all[leader].stop()
	await(t, "another leader", func() bool {
		status, now := mine.try(http.MethodGet, "/v1/status/leader", nil)
		return status == 200 && strings.Contains(now, ":") && now != text
	})
	mine.register("more", "more", named(t, "more"), nil, "fairway.http.routers.more.rule=Host(`more.test`)")
	f.await("what came under the new leader", f.says("more.test", "more"))
	all[leader].start()
	all[leader].awaitLeader()
	mine.deregister("more")
	f.awaitStatus("more.test", 404)
}

// everywhere is the port of a service at all addresses of this machine, which answers with its
// name.
func everywhere(t *testing.T, name string) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, name) })}}
	s.Start()
	t.Cleanup(s.Close)
	return l.Addr().(*net.TCPAddr).Port
}

// counted is an agent that counts what it is asked.
func counted(t *testing.T, c *consul) (address string, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: c.http})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.CloseClientConnections)
	return s.Listener.Addr().String(), asked
}

// TestConsul_ManyServices has 500 services with three instances each. What is asked of Consul
// is one question for each service, and then one for each service that changes.
func TestConsul_ManyServices(t *testing.T) {
	c := aloneConsul(t)
	port := everywhere(t, "many")
	const services, instances = 500, 3
	for s := range services {
		for i := range instances {
			c.put("/v1/catalog/register", object{"Node": fmt.Sprint("node-", i), "Address": fmt.Sprint("127.0.0.", 1+i), "SkipNodeUpdate": s > 0, "Service": object{
				"Service": fmt.Sprint("s", s), "ID": fmt.Sprint("s", s, "-", i), "Port": port, "Tags": []string{fmt.Sprintf("fairway.http.routers.s%d.rule=Host(`s%d.test`)", s, s)},
			}})
		}
	}
	address, asked := counted(t, c)
	began := time.Now()
	f := startFairway(t, "--providers.consulcatalog.endpoint.address="+address)
	f.await("the last service", f.says("s499.test", "many"))
	first := asked.Load()
	t.Logf("%d services of %d instances after %v, by %d questions", services, instances, time.Since(began).Round(10*time.Millisecond), first)
	if first > services+20 {
		t.Errorf("%d questions for %d services", first, services)
	}
	f.untouched("s1.test")
	serversOf := func(n int) func() bool {
		return func() bool {
			var s struct {
				Load struct {
					Servers []any `json:"servers"`
				} `json:"loadBalancer"`
			}
			f.api("/api/http/services/s7@consulcatalog", &s)
			return len(s.Load.Servers) == n
		}
	}
	f.await("all instances", serversOf(instances))
	check := object{"Node": "node-1", "CheckID": "s7-1", "Name": "s7", "ServiceID": "s7-1", "Status": "critical"}
	c.put("/v1/catalog/register", object{"Node": "node-1", "SkipNodeUpdate": true, "Check": check})
	f.await("the one whose check fails to be gone", serversOf(instances-1))
	if more := asked.Load() - first; more > 10 {
		t.Errorf("%d questions for one change", more)
	}
}
