//go:build e2e

package test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

const composeStack = `version: "3"
services:
  app:
    image: backend
    environment: {LINGER: 1s}
    labels:
      - traefik.http.routers.scaled.rule=Host(` + "`scaled.test`" + `)
  plain:
    image: backend
`

// project is a compose project of a test.
type project struct {
	t    *testing.T
	e    *engine
	args []string
}

func newProject(t *testing.T, e *engine, name, stack string) *project {
	t.Helper()
	file := filepath.Join(t.TempDir(), "compose.yml")
	if err := os.WriteFile(file, []byte(stack), 0o644); err != nil {
		t.Fatal(err)
	}
	p := &project{t: t, e: e, args: []string{"-p", name, "-f", file}}
	t.Cleanup(func() { _, _ = e.command("docker-compose", append(p.args, "down", "-t", "1")...) })
	return p
}

func (p *project) do(args ...string) {
	p.t.Helper()
	if _, err := p.e.command("docker-compose", append(p.args, args...)...); err != nil {
		p.t.Fatal(err)
	}
}

func TestCompose_ScalingUpAndDownUnderLoad(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e)
	p := newProject(t, e, "scales", composeStack)
	p.do("up", "-d")
	f.awaitStatus("scaled.test", 200)
	f.awaitStatus("plain-scales", 200)
	l := startLoad("http://"+f.address("web")+"/", "scaled.test", 2)
	for _, n := range []int{5, 2} {
		p.do("up", "-d", "-t", "2", "--scale", fmt.Sprintf("app=%d", n))
		f.await(fmt.Sprintf("%d replicas to answer, and no other", n), func() bool {
			seen := map[string]bool{}
			for range 4 * n {
				seen[f.get("scaled.test", "/").Hostname] = true
			}
			var s struct {
				LoadBalancer struct{ Servers []struct{ URL string } }
			}
			f.api("/api/http/services/app-scales@docker", &s)
			return len(seen) == n && len(s.LoadBalancer.Servers) == n
		})
	}
	l.stop(t)
}

func TestCompose_TwoProjectsDoNotMixSilently(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e)
	stack := func(host string) string {
		return `version: "3"
services:
  app:
    image: backend
    environment: {NAME: ` + host + `}
    labels:
      traefik.http.routers.` + host + `.rule: Host(` + "`" + host + ".test`" + `)
      traefik.http.services.same.loadbalancer.server.port: "80"
`
	}
	newProject(t, e, "first", stack("first")).do("up", "-d")
	f.awaitStatus("first.test", 200)
	// Containers are as old as their second: the next project must be younger.
	f.await("the next second", func() bool { return youngerThan(t, e, "first_app_1") })
	newProject(t, e, "second", stack("second")).do("up", "-d")
	problem := f.problem("second_app_1", `"same"`)
	if problem.Severity != "error" {
		t.Errorf("got %+v", problem)
	}
	for range 8 {
		if a := f.get("first.test", "/"); a.Name != "first" {
			t.Fatalf("first.test is answered by %q", a.Name)
		}
	}
	if a := f.get("second.test", "/"); a.status == 200 {
		t.Errorf("second.test is answered by %q", a.Name)
	}
}
