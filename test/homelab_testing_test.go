//go:build e2e

package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// standins are the images of the example stacks, by the name that their compose
// files have for them, with what the program in test/standin serves in their place.
// The ports are those that the real images expose.
var standins = map[string]string{
	"tecnativa/docker-socket-proxy:latest":        "docker:2375",
	"jellyfin/jellyfin:latest":                    "app:8096",
	"fallenbagel/jellyseerr:latest":               "app:5055",
	"lscr.io/linuxserver/sonarr:latest":           "app:8989",
	"lscr.io/linuxserver/radarr:latest":           "app:7878",
	"lscr.io/linuxserver/qbittorrent:latest":      "app:8080 app:6881",
	"binwiederhier/ntfy:latest":                   "app:80",
	"ghcr.io/gethomepage/homepage:latest":         "app:3000",
	"grafana/grafana:latest":                      "app:3000",
	"prom/prometheus:latest":                      "app:9090",
	"prom/alertmanager:latest":                    "app:9093",
	"prom/node-exporter:latest":                   "app:9100",
	"grafana/loki:latest":                         "app:3100",
	"louislam/uptime-kuma:1":                      "app:3001",
	"otel/opentelemetry-collector-contrib:latest": "grpc:4317 app:4318",
	"portainer/portainer-ce:latest":               "app:8000 app:9000 tls:9443",
	"authelia/authelia:4":                         "auth:9091",
	"traefik/whoami:latest":                       "app:80",
}

// standinImage makes the image that all stand-ins are made from.
var standinImage = sync.OnceValue(func() error {
	dir := filepath.Join(docker.dir, "standin")
	if err := build(filepath.Join(dir, "standin"), "./standin"); err != nil {
		return err
	}
	return docker.image(dir, "standin", "FROM scratch\nCOPY standin /standin\nENTRYPOINT [\"/standin\"]\n")
})

// gatewayImages makes the image of fairway as the repository makes it, under its own
// name and under that of the image which it is to replace. Its context is what the
// recipe copies, with the program of these tests in the place of bin/fairway.
var gatewayImages = sync.OnceValue(func() error { return docker.gatewayImages() })

func (e *engine) gatewayImages() error {
	dir := filepath.Join(e.dir, "gateway")
	recipe, err := os.ReadFile("../Dockerfile")
	if err != nil {
		return err
	}
	for _, copied := range regexp.MustCompile(`(?m)^COPY (\S+)`).FindAllStringSubmatch(string(recipe), -1) {
		to := filepath.Join(dir, copied[1])
		if err = os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if copied[1] == "bin/fairway" {
			err = os.Link(binary, to)
		} else {
			err = os.CopyFS(to, os.DirFS(filepath.Join("..", copied[1])))
		}
		if err != nil {
			return err
		}
	}
	if err := e.image(dir, "fairway/fairway:latest", string(recipe)); err != nil {
		return err
	}
	_, err = e.docker("tag", "fairway/fairway:latest", "traefik:v3.6")
	return err
}

// image builds an image from a recipe in a folder.
func (e *engine) image(dir, name, recipe string) error {
	file := filepath.Join(dir, "Dockerfile")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(recipe), 0o644); err != nil {
		return err
	}
	_, err := e.docker("build", "-q", "-t", name, dir)
	return err
}

// needImages builds what the services of a compose file name. The image of a
// stand-in carries what tells it apart: its name, what it serves, and its ports.
func needImages(t *testing.T, e *engine, compose string) {
	t.Helper()
	if err := standinImage(); err != nil {
		t.Fatal(err)
	}
	if err := gatewayImages(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, found := range regexp.MustCompile(`(?m)^    image: (\S+)`).FindAllStringSubmatch(compose, -1) {
		image := found[1]
		serves, ok := standins[image]
		if !ok {
			continue // the gateway; else docker says that there is no such image
		}
		name := regexp.MustCompile(`^(.*/)?|:[^:]*$`).ReplaceAllString(image, "")
		ports := regexp.MustCompile(`[a-z]+:`).ReplaceAllString(serves, "")
		recipe := fmt.Sprintf("FROM standin\nENV STANDIN=%s STANDIN_SERVES=%q\nEXPOSE %s\n", name, serves, ports)
		if err := e.image(dir, image, recipe); err != nil {
			t.Fatal(err)
		}
	}
}

// stack is an example that runs, and a client that resolves its names.
type stack struct {
	*browser
	e       *engine
	dir     string
	project *project
	gateway string // the container
}

// startStack starts an example as it stands there, but for what belongs to the
// machine: the ports of the host and the place of Docker's socket. edits are pairs
// of old and new text of the compose file.
func startStack(t *testing.T, name string, edits ...string) *stack {
	t.Helper()
	e := needDocker(t)
	s := &stack{browser: newBrowser(t), e: e, dir: t.TempDir()}
	if err := os.CopyFS(s.dir, os.DirFS("../examples/"+name)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.dir, "compose.yml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	compose := strings.NewReplacer(append(edits, "- /var/run/docker.sock:", "- "+e.socket()+":")...).Replace(string(text))
	compose = regexp.MustCompile(`- "\d+:(\d+(?:/udp)?)"`).ReplaceAllString(compose, `- "127.0.0.1::$1"`)
	if err := os.WriteFile(file, []byte(compose), 0o644); err != nil {
		t.Fatal(err)
	}
	needImages(t, e, compose)
	s.project = &project{t: t, e: e, args: []string{"-p", name, "-f", file}}
	t.Cleanup(func() {
		if t.Failed() && s.gateway != "" {
			t.Logf("log of the gateway:\n%s", s.log())
		}
		_, _ = e.command("docker-compose", append(s.project.args, "down", "-v", "-t", "1")...)
	})
	s.project.do("up", "-d")
	s.findGateway()
	s.await("the labels of the gateway itself", func() bool {
		a, err := s.ask(http.MethodGet, "https://traefik.example.com/api/version", "")
		return err == nil && a.status == http.StatusUnauthorized
	})
	return s
}

func (s *stack) findGateway() {
	s.t.Helper()
	id, err := s.e.command("docker-compose", append(s.project.args, "ps", "-q", "traefik")...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.gateway = id
	for _, port := range []string{"80", "443"} {
		published := s.e.do(s.t, "port", s.gateway, port+"/tcp")
		s.ports[port], _, _ = strings.Cut(published, "\n")
	}
}

func (s *stack) log() string {
	text, _ := s.e.command("sh", "-c", "docker logs "+s.gateway+" 2>&1")
	return text
}

// checkSecure asks by http for a page, and is sent to the same by https.
func (s *stack) checkSecure(host string) {
	s.t.Helper()
	s.tour([]visit{
		{name: "http " + host, url: "http://" + host + "/a/b?c=d", status: 301, shown: map[string]string{"Location": "https://" + host + "/a/b?c=d"}},
		{name: "http post " + host, method: http.MethodPost, url: "http://" + host + "/", body: "x", status: 308, shown: map[string]string{"Location": "https://" + host + "/"}},
	})
}

// certificateLine is what is said of a certificate that cannot be got.
var certificateLine = regexp.MustCompile(`^resolver \S+: (certificate .*: )?cannot be `)

// checkSaid looks at what fairway says of the stack: at what the API shows by the
// stack's own router, in the log, and before the start. Only what is not there yet
// may be spoken of, what is deprecated, and that no certificate can be got: the
// stacks name Let's Encrypt, and no test asks it for anything.
func (s *stack) checkSaid(api string, headers ...string) {
	s.t.Helper()
	expected := func(text string) bool {
		return strings.Contains(text, "that fairway does not have yet") || strings.Contains(text, "is deprecated")
	}
	var problems []problem
	a := s.get(api+"/api/problems", headers...)
	if err := json.Unmarshal([]byte(a.text), &problems); err != nil || a.status != 200 {
		s.t.Fatalf("the problems: %d, %v, %.300s", a.status, err, a.text)
	}
	for _, p := range problems {
		if noCertificate := p.Provider == "acme" && p.Kind == "certificate"; !noCertificate && (p.Severity == "error" || !expected(p.Reason)) {
			s.t.Errorf("a problem: %+v", p)
		}
	}
	log := s.log()
	for line := range strings.Lines(log) {
		if !strings.Contains(line, "level=error") && !strings.Contains(line, "level=fatal") {
			continue
		}
		// While containers start one after the other, one may name what is not there yet.
		said := regexp.MustCompile(`msg="((?:[^"\\]|\\.)*)"`).FindStringSubmatch(line)
		if said != nil && certificateLine.MatchString(said[1]) {
			continue
		}
		if said == nil || !strings.Contains(log, `msg="mended: `+said[1]+`"`) {
			s.t.Errorf("in the log: %s", line)
		}
	}
	_, out := fairwayCommand(s.t, "check", filepath.Join(s.dir, "compose.yml"))
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "ok") && !expected(line) {
			s.t.Errorf("fairway check: %s", line)
		}
	}
	if a := s.get(api+"/dashboard/", headers...); a.status != 200 || !strings.Contains(a.header.Get("Content-Type"), "text/html") {
		s.t.Errorf("the dashboard: %d %v", a.status, a.header)
	}
}
