//go:build e2e

package test

import (
	"strings"
	"testing"
)

// What compose files for the image of Traefik rely on. Each of these is a line that
// stands in many of them.

func needGateway(t *testing.T) *engine {
	t.Helper()
	e := needDocker(t)
	if err := gatewayImages(); err != nil {
		t.Fatal(err)
	}
	return e
}

// user: root
func TestImage_KnowsRoot(t *testing.T) {
	e := needGateway(t)
	if out := e.do(t, "run", "--rm", "--user", "root", "traefik:v3.6", "version"); !strings.HasPrefix(out, "fairway") {
		t.Errorf("got %s", out)
	}
}

// healthcheck: {test: [CMD, traefik, healthcheck, --ping]}
func TestImage_HasAProgramOfTraefiksName(t *testing.T) {
	e := needGateway(t)
	id := e.do(t, "run", "-d", "traefik:v3.6", "--ping=true", "--entrypoints.web.address=:80")
	t.Cleanup(func() { _, _ = e.docker("rm", "-f", id) })
	var err error
	await(t, "fairway to say that it is well, as traefik", func() bool {
		_, err = e.docker("exec", id, "traefik", "healthcheck", "--ping")
		return err == nil || strings.Contains(err.Error(), "exit status 12") // 126 and 127: there is none
	})
	if err != nil {
		t.Error(err)
	}
}

// What is shared by all, such as the middleware that asks for a login, has its labels
// on the container of the gateway. The image of Traefik has no health check of its
// own, so they count from the beginning; here the first check is far away.
func TestImage_LabelsOfTheGatewayDoNotWaitForItsHealth(t *testing.T) {
	e := needGateway(t)
	id := e.do(t, "run", "-d", "--user", "0", "-v", e.socket()+":/var/run/docker.sock:ro", "-p", "127.0.0.1::80", "--health-interval=1h",
		"-l", "traefik.http.routers.own.rule=Host(`own.test`)", "-l", "traefik.http.routers.own.service=api@internal",
		"traefik:v3.6", "--api=true", "--providers.docker=true", "--entrypoints.web.address=:80")
	t.Cleanup(func() { _, _ = e.docker("rm", "-f", id) })
	address := e.do(t, "port", id, "80/tcp")
	await(t, "a router by the gateway's own labels", func() bool {
		a, err := ask(fresh, "http://"+address+"/api/version", "own.test")
		return err == nil && a.status == 200
	})
}
