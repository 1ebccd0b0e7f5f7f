//go:build e2e

package test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func dockerFairway(t *testing.T, e *engine, options ...string) *fairway {
	t.Helper()
	return startFairway(t, append([]string{"--providers.docker.endpoint=" + e.address()}, options...)...)
}

func TestDocker_LabelsBecomeRoutes(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e)
	e.container(t, "labelled", "-e", "PORTS=8000,9000",
		"-l", "traefik.http.routers.api.rule=Host(`api.test`) && PathPrefix(`/v1`)",
		"-l", "traefik.http.routers.api.middlewares=strip,marks",
		"-l", "traefik.http.middlewares.strip.stripprefix.prefixes=/v1",
		"-l", "traefik.http.middlewares.marks.headers.customrequestheaders.X-Mark=yes",
		"-l", "traefik.http.services.api.loadbalancer.server.port=9000")
	f.await("the route", func() bool { return f.get("api.test", "/v1/x").status == 200 })
	a := f.get("api.test", "/v1/users?q=1")
	if a.Path != "/users?q=1" || a.Headers.Get("X-Mark") != "yes" || a.Headers.Get("X-Forwarded-Prefix") != "/v1" {
		t.Errorf("the backend received path %q, headers %v", a.Path, a.Headers)
	}
	if got := a.header.Get("X-Backend-Port"); got != "9000" {
		t.Errorf("got port %s, want 9000", got)
	}
	if a.Headers.Get("X-Forwarded-For") != "127.0.0.1" || a.Headers.Get("X-Forwarded-Host") != "api.test" {
		t.Errorf("forwarded headers: %v", a.Headers)
	}
	if got := f.get("api.test", "/other").status; got != http.StatusNotFound {
		t.Errorf("a path outside the rule: got %d, want 404", got)
	}
}

func TestDocker_DefaultsNeedNoLabels(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e)
	e.container(t, "plain_one")
	if a := f.awaitStatus("plain-one", 200); a.Name != "plain_one" {
		t.Errorf("answered by %q", a.Name)
	}
}

func TestDocker_ExposedByDefaultFalseNeedsEnable(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e, "--providers.docker.exposedbydefault=false")
	e.container(t, "hidden", "-l", "traefik.http.routers.hidden.rule=Host(`hidden.test`)")
	e.container(t, "shown", "-l", "traefik.enable=true", "-l", "traefik.http.routers.shown.rule=Host(`shown.test`)")
	f.awaitStatus("shown.test", 200)
	if got := f.get("hidden.test", "/").status; got != 404 {
		t.Errorf("hidden container: got %d, want 404", got)
	}
}

func TestDocker_StopStartPause(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e)
	e.container(t, "cycle")
	f.awaitStatus("cycle", 200)
	e.do(t, "pause", "cycle")
	f.awaitStatus("cycle", 404)
	e.do(t, "unpause", "cycle")
	f.awaitStatus("cycle", 200)
	e.do(t, "stop", "-t", "5", "cycle")
	f.awaitStatus("cycle", 404)
	e.do(t, "start", "cycle")
	f.awaitStatus("cycle", 200)
	e.do(t, "rename", "cycle", "renamed")
	f.awaitStatus("renamed", 200)
	if got := f.get("cycle", "/").status; got != 404 {
		t.Errorf("the old name: got %d, want 404", got)
	}
	e.do(t, "kill", "-s", "HUP", "renamed")
	e.container(t, "after-hup")
	f.awaitStatus("after-hup", 200) // by now the HUP has been seen
	if got := f.get("renamed", "/").status; got != 200 {
		t.Errorf("after SIGHUP: got %d, want 200", got)
	}
	e.do(t, "rm", "-f", "renamed")
	f.awaitStatus("renamed", 404)
}

// A container that is told to stop must be out before its process ends: requests
// that arrive meanwhile would be lost.
func TestDocker_StoppingTakesAReplicaOutAtOnce(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e)
	labels := []string{"-l", "traefik.http.routers.pair.rule=Host(`pair.test`)", "-l", "traefik.http.services.pair.loadbalancer.server.port=80"}
	e.container(t, "pair-a", labels...)
	e.container(t, "pair-b", append(labels, "-e", "LINGER=2s")...)
	f.await("both replicas", func() bool {
		seen := map[string]bool{}
		for range 4 {
			seen[f.get("pair.test", "/").Name] = true
		}
		return seen["pair-a"] && seen["pair-b"]
	})
	l := startLoad("http://"+f.address("web")+"/", "pair.test", 4)
	f.await("load", func() bool { return l.count() > 100 })
	e.do(t, "stop", "-t", "10", "pair-b")
	at := l.count()
	f.await("more load", func() bool { return l.count() > at+100 })
	l.stop(t)
}

func TestDocker_HealthDecides(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e)
	image := "backend-health"
	buildVariant(t, e, image, `HEALTHCHECK --interval=300ms --timeout=2s --retries=1 CMD ["/backend","health"]`)
	id := e.do(t, "run", "-d", "--name", "sickly", "-e", "NAME=sickly", "-e", "ILL=1", image)
	t.Cleanup(func() { _, _ = e.docker("rm", "-f", id) })
	f.await("docker to see it is ill", func() bool {
		return e.do(t, "inspect", "-f", "{{.State.Health.Status}}", "sickly") == "unhealthy"
	})
	if got := f.get("sickly", "/").status; got != 404 {
		t.Errorf("unhealthy: got %d, want 404", got)
	}
	ip := e.do(t, "inspect", "-f", "{{.NetworkSettings.IPAddress}}", "sickly")
	if _, err := ask(fresh, "http://"+ip+"/well", ""); err != nil {
		t.Fatal(err)
	}
	f.awaitStatus("sickly", 200)
	if _, err := ask(fresh, "http://"+ip+"/ill", ""); err != nil {
		t.Fatal(err)
	}
	f.awaitStatus("sickly", 404)
}

func TestDocker_AllowEmptyServicesAnswers503(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e, "--providers.docker.allowemptyservices")
	buildVariant(t, e, "backend-ill", `HEALTHCHECK --interval=300ms --timeout=2s --retries=1 CMD ["/backend","health"]`)
	id := e.do(t, "run", "-d", "--name", "empty", "-e", "ILL=1", "backend-ill")
	t.Cleanup(func() { _, _ = e.docker("rm", "-f", id) })
	if a := f.awaitStatus("empty", 503); strings.TrimSpace(a.text) != "no available server" {
		t.Errorf("got body %q", a.text)
	}
}

func TestDocker_SeveralNetworks(t *testing.T) {
	e := needDocker(t)
	for _, n := range []string{"net-a", "net-b"} {
		e.do(t, "network", "create", n)
		t.Cleanup(func() { _, _ = e.docker("network", "rm", n) })
	}
	f := dockerFairway(t, e, "--providers.docker.network=net-a")
	server := func(service string) string {
		var s struct{ ServerStatus map[string]string }
		f.api("/api/http/services/"+service+"@docker", &s)
		for url := range s.ServerStatus {
			return url
		}
		return ""
	}
	address := func(container, network string) string {
		return "http://" + e.do(t, "inspect", "-f", `{{(index .NetworkSettings.Networks "`+network+`").IPAddress}}`, container) + ":80"
	}
	e.container(t, "two-nets", "--network", "net-b")
	e.do(t, "network", "connect", "net-a", "two-nets")
	f.awaitStatus("two-nets", 200)
	f.await("the provider's network", func() bool { return server("two-nets") == address("two-nets", "net-a") })

	e.container(t, "own-choice", "--network", "net-a", "-l", "traefik.docker.network=net-b")
	p := f.problem("own-choice", "net-b")
	if p.Severity != "warning" || p.Nearest != "net-a" {
		t.Errorf("a wrong network: got %+v", p)
	}
	e.do(t, "network", "connect", "net-b", "own-choice")
	f.await("the label's network", func() bool { return server("own-choice") == address("own-choice", "net-b") })
	e.do(t, "network", "disconnect", "net-b", "own-choice")
	f.await("the next best network", func() bool { return server("own-choice") == address("own-choice", "net-a") })
}

func TestDocker_AWrongLabelIsExplainedAndCostsOnlyItself(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e)
	e.container(t, "typo",
		"-l", "traefik.http.routers.good.rule=Host(`good.test`)",
		"-l", "traefik.http.routers.bad.rule=Host(`bad.test`)",
		"-l", "traefik.http.routers.bad.entrypoint=web",
		"-l", "traefik.http.routers.wrongrule.rule=Hst(`wrong.test`)")
	f.awaitStatus("good.test", 200)
	p := f.problem("typo", "routers.bad")
	if p.Key != "traefik.http.routers.bad.entrypoint" || p.Nearest != "traefik.http.routers.bad.entryPoints" || p.Source != "container typo" {
		t.Errorf("got %+v", p)
	}
	if p := f.problem("wrongrule", "at byte 0"); !strings.Contains(p.Reason, "Host") {
		t.Errorf("a wrong rule: got %+v", p)
	}
	var router struct {
		Status string
		Error  []string
	}
	f.api("/api/http/routers/bad@docker", &router)
	if router.Status != "disabled" || len(router.Error) == 0 {
		t.Errorf("the API shows %+v", router)
	}
	if !strings.Contains(f.text(), "traefik.http.routers.bad.entrypoint") {
		t.Error("the log does not name the label")
	}
}

func TestDocker_TwoRootsOnOneContainer(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e)
	e.container(t, "roots",
		"-l", "traefik.http.routers.roots.rule=Host(`old.test`)",
		"-l", "fairway.http.routers.roots.rule=Host(`new.test`)")
	f.awaitStatus("new.test", 200)
	if got := f.get("old.test", "/").status; got != 404 {
		t.Errorf("the weaker root: got %d, want 404", got)
	}
	if p := f.problem("roots", "wins"); p.Severity != "notice" {
		t.Errorf("got %+v", p)
	}
}

func TestDocker_APIOnlyContainerNeedsNoPort(t *testing.T) {
	e := needDocker(t)
	buildVariant(t, e, "backend-portless", "", "EXPOSE")
	f := dockerFairway(t, e)
	id := e.do(t, "run", "-d", "--name", "apionly",
		"-l", "traefik.http.routers.dash.rule=Host(`dash.test`)", "-l", "traefik.http.routers.dash.service=api@internal", "backend-portless")
	t.Cleanup(func() { _, _ = e.docker("rm", "-f", id) })
	f.await("the API at its own host", func() bool { return f.get("dash.test", "/api/version").status == 200 })
}

// Visible to a client soon after the engine's event: the best of a few tries,
// since the machine has other things to do as well.
func TestDocker_AChangeIsVisibleWithin300Milliseconds(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e)
	best := time.Hour
	for range 5 {
		e.do(t, "create", "--name", "quick", "-e", "NAME=quick", "backend")
		e.do(t, "start", "quick")
		started, err := time.Parse(time.RFC3339Nano, e.do(t, "inspect", "-f", "{{.State.StartedAt}}", "quick"))
		if err != nil {
			t.Fatal(err)
		}
		f.awaitStatus("quick", 200)
		best = min(best, time.Since(started))
		e.do(t, "rm", "-f", "quick")
		f.awaitStatus("quick", 404)
	}
	t.Logf("visible after %v, counted from the start of the container's process", best)
	if best > 300*time.Millisecond {
		t.Errorf("visible after %v at best, want 300ms", best)
	}
}

func TestDocker_NothingFailsWhileTheEngineRestarts(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e)
	e.container(t, "steady")
	f.awaitStatus("steady", 200)
	l := startLoad("http://"+f.address("web")+"/", "steady", 4)
	e.stop()
	f.problem("cannot be followed")
	at := l.count()
	f.await("requests while the engine is down", func() bool { return l.count() > at+200 })
	if err := e.start(); err != nil {
		t.Fatal(err)
	}
	e.container(t, "late")
	f.awaitStatus("late", 200) // the engine is followed again
	f.await("the problem to go", func() bool {
		var all []problem
		f.api("/api/problems", &all)
		for _, p := range all {
			if strings.Contains(p.Reason, "cannot be followed") {
				return false
			}
		}
		return true
	})
	l.stop(t)
}

// youngerThan tells whether a container made now would be younger than another.
func youngerThan(t *testing.T, e *engine, name string) bool {
	t.Helper()
	created, err := time.Parse(time.RFC3339Nano, e.do(t, "inspect", "-f", "{{.Created}}", name))
	if err != nil {
		t.Fatal(err)
	}
	return time.Now().Unix() > created.Unix()
}
