//go:build e2e

package test

import (
	"net/http"
	"strings"
	"testing"
)

// Health checks by labels: a container that says that it is ill gets no requests, and
// gets them again when it is well.
func TestServices_HealthCheckByLabels(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e)
	for _, name := range []string{"checked_one", "checked_two"} {
		e.container(t, name,
			"-l", "traefik.http.routers.checked.rule=Host(`checked.test`)",
			"-l", "traefik.http.routers.checked.service=checked",
			"-l", "com.docker.compose.project=checks", "-l", "com.docker.compose.service=checked",
			"-l", "traefik.http.services.checked.loadbalancer.healthcheck.path=/health",
			"-l", "traefik.http.services.checked.loadbalancer.healthcheck.interval=20ms",
			"-l", "traefik.http.services.checked.loadbalancer.server.port=80")
	}
	seen := func() map[string]bool {
		names := map[string]bool{}
		for range 6 {
			if a := f.get("checked.test", "/"); a.status == http.StatusOK {
				names[a.Name] = true
			}
		}
		return names
	}
	f.await("both containers", func() bool { return len(seen()) == 2 })
	ill := f.get("checked.test", "/").Name
	f.await("one to fall ill", func() bool { return f.get("checked.test", "/ill").status == http.StatusOK })
	f.await("one to be left out", func() bool { return len(seen()) == 1 })
	if got := f.get("checked.test", "/").status; got != http.StatusOK {
		t.Errorf("with one that is well (%s was asked first): got %d", ill, got)
	}
	f.get("checked.test", "/ill")
	f.await("none", func() bool { return f.get("checked.test", "/").status == http.StatusServiceUnavailable })
}

// Services made of others, and what keeps a client at its server, by labels.
func TestServices_OfServicesAndStickyByLabels(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e)
	e.container(t, "part_old",
		"-l", "fairway.http.routers.shop.rule=Host(`parts.test`)", "-l", "fairway.http.routers.shop.service=shop",
		"-l", "fairway.http.services.old.loadbalancer.server.port=80",
		"-l", "fairway.http.services.shop.weighted.services[0].name=old",
		"-l", "fairway.http.services.shop.weighted.services[0].weight=3",
		"-l", "fairway.http.services.shop.weighted.services[1].name=new",
		"-l", "fairway.http.services.shop.weighted.sticky=true")
	e.container(t, "part_new",
		"-l", "fairway.http.routers.new.rule=Host(`new.test`)",
		"-l", "fairway.http.services.new.loadbalancer.server.port=80",
		"-l", "fairway.http.services.new.loadbalancer.passivehealthcheck=true")
	f.awaitStatus("parts.test", http.StatusOK)
	count := map[string]int{}
	var cookie string
	for range 8 {
		a := f.get("parts.test", "/")
		count[a.Name]++
		cookie = a.header.Get("Set-Cookie")
	}
	if count["part_old"] != 6 || count["part_new"] != 2 {
		t.Errorf("got %v, want 6 and 2", count)
	}
	if cookie == "" {
		t.Error("no cookie was given")
	}
	e.do(t, "stop", "-t", "1", "part_new")
	f.await("the rest to go on alone", func() bool {
		for range 8 {
			if f.get("parts.test", "/").Name != "part_old" {
				return false
			}
		}
		return true
	})
	f.problem("shop", "goes on without one of its services", "new@docker")
}

// One answer of two containers, and of one that is not there, by labels.
func TestServices_AggregateByLabels(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e)
	const page = "fairway.http.services.page.aggregate."
	e.container(t, "agg_one", "-l", "fairway.http.services.one.loadbalancer.server.port=80",
		"-l", "fairway.http.routers.page.rule=Host(`page.test`)", "-l", "fairway.http.routers.page.service=page",
		"-l", page+"path=/pages/{id}",
		"-l", page+"parts.first.service=one", "-l", page+"parts.first.path=/first/{path.id}", "-l", page+"parts.first.query.lang={query.lang|de}",
		"-l", page+"parts.second.service=one", "-l", page+"parts.second.path=/second", "-l", page+"parts.second.headers.X-From={parts.first.path}",
		"-l", page+"parts.broken.service=two", "-l", page+"parts.broken.path=/status/503", "-l", page+"parts.broken.required=false", "-l", page+"parts.broken.fallback=[]",
		"-l", page+`result={first: .parts.first.path, second: [.parts.second.name, .parts.second.headers["X-From"][0]], broken: .parts.broken, partial: [.partial[].status]}`)
	e.container(t, "agg_two", "-l", "fairway.http.services.two.loadbalancer.server.port=80")
	f.awaitStatus("page.test", http.StatusNotFound) // the path is none of its
	f.await("the page", func() bool { return f.get("page.test", "/pages/7").status == http.StatusOK })
	a := f.get("page.test", "/pages/a%2Fb")
	if want := `{"broken":[],"first":"/first/a%2Fb?lang=de","partial":[503],"second":["agg_one","/first/a%2Fb?lang=de"]}` + "\n"; a.text != want {
		t.Errorf("got %s, want %s", a.text, want)
	}
	if got := a.header.Get("Fairway-Partial"); !strings.HasPrefix(got, "broken;status=503;") {
		t.Errorf("got %s", got)
	}
	e.do(t, "stop", "-t", "1", "agg_two")
	f.await("the page to go on without it", func() bool {
		a := f.get("page.test", "/pages/7")
		return a.status == http.StatusOK && a.header.Get("Fairway-Partial") == `broken;cause="its service does not exist";ms=0` && strings.Contains(a.text, `"broken":[]`)
	})
}
