//go:build e2e

package test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

func dialTCP(address string) (net.Conn, error) {
	return net.DialTimeout("tcp", address, 5*time.Second)
}

// fairwayCommand runs a command to its end.
func fairwayCommand(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	text, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), string(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, string(text)
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommands(t *testing.T) {
	good := "http:\n  routers: {a: {rule: \"Host(`a.test`)\", service: a}}\n  services: {a: {loadBalancer: {servers: [{url: \"http://127.0.0.1:1\"}]}}}\n"
	tests := []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"version", []string{"version"}, 0, []string{"fairway "}},
		{"help", []string{"--help"}, 0, []string{"fairway check"}},
		{"unknown command", []string{"chek"}, 1, []string{`no command "chek"`}},
		{"unknown option names the nearest", []string{"--entrypoints.web.adress=:80"}, 1, []string{"entrypoints.web.adress", `did you mean "--entrypoints.web.address"?`}},
		{"missing configuration file", []string{"--configFile=/nowhere.yml"}, 1, []string{"/nowhere.yml"}},
		{"a good file", []string{"check", writeFile(t, "good.yml", good)}, 0, []string{"ok"}},
		{
			"a mistyped option",
			[]string{"check", writeFile(t, "typo.yml", strings.Replace(good, "service: a}", "servce: a}", 1))},
			1,
			[]string{"typo.yml:2", `there is no option "servce"`, `did you mean "http.routers.a.service"?`},
		},
		{
			"a rule that cannot be read",
			[]string{"check", writeFile(t, "rule.yml", strings.Replace(good, "Host(`a.test`)", "Host(`a.test`) && Pth(`/`)", 1))},
			1,
			[]string{"at byte", "Path"},
		},
		{
			"a missing middleware",
			[]string{"check", writeFile(t, "mw.yml", strings.Replace(good, "service: a}", "service: a, middlewares: [nope]}", 1))},
			1,
			[]string{`the middleware "nope@file" does not exist`},
		},
		{"a broken file", []string{"check", writeFile(t, "broken.yml", "http: [\n")}, 1, []string{"broken.yml:"}},
		{"a file that is not there", []string{"check", "/nowhere"}, 2, []string{"/nowhere"}},
		{
			"a compose file",
			[]string{"check", "--labels", writeFile(t, "compose.yml",
				"services:\n  web:\n    image: x\n    labels:\n      - traefik.http.routers.web.rule=Host(`a.test`)\n      - traefik.http.routers.web.entrypoint=web\n")},
			1,
			[]string{"service web", "traefik.http.routers.web.entrypoint", `did you mean "traefik.http.routers.web.entryPoints"?`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, out := fairwayCommand(t, tt.args...)
			if code != tt.code {
				t.Errorf("got exit code %d, want %d", code, tt.code)
			}
			for _, want := range tt.want {
				if !strings.Contains(out, want) {
					t.Errorf("the output lacks %q:\n%s", want, out)
				}
			}
		})
	}
}

func TestHealthcheck(t *testing.T) {
	port := freePort(t)
	options := []string{"--entrypoints.web.address=127.0.0.1:0", "--entrypoints.traefik.address=127.0.0.1:" + port, "--ping"}
	if code, out := fairwayCommand(t, append([]string{"healthcheck"}, options...)...); code != 1 {
		t.Errorf("nothing runs: got exit code %d\n%s", code, out)
	}
	startFairway(t, "--entrypoints.traefik.address=127.0.0.1:"+port)
	for _, asked := range [][]string{{"healthcheck"}, {"healthcheck", "--ready"}} {
		if code, out := fairwayCommand(t, append(asked, options...)...); code != 0 {
			t.Errorf("it runs: %s: got exit code %d\n%s", asked, code, out)
		}
	}
	if code, out := fairwayCommand(t, "healthcheck", "--ready", options[0], options[1]); code != 1 || !strings.Contains(out, "option ping") {
		t.Errorf("--ready without ping: got exit code %d\n%s", code, out)
	}
}

func TestSIGTERM_RequestsUnderWayEnd(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		fmt.Fprint(w, "done")
	}))
	defer backend.Close()
	file := writeFile(t, "r.yml", fmt.Sprintf("http:\n  routers: {s: {rule: \"Host(`s.test`)\", service: s}}\n  services: {s: {loadBalancer: {servers: [{url: %q}]}}}\n", backend.URL))
	f := startFairway(t, "--providers.file.filename="+file)
	answers := make(chan answer, 1)
	go func() {
		a, err := ask(fresh, "http://"+f.address("web")+"/", "s.test")
		if err != nil {
			a.text = err.Error()
		}
		answers <- a
	}()
	select {
	case <-arrived:
	case a := <-answers:
		t.Fatalf("the request never arrived: got %d %q", a.status, a.text)
	}
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	f.await("new connections to be refused", func() bool {
		conn, err := dialTCP(f.address("web"))
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	close(release)
	if a := <-answers; a.status != 200 || a.text != "done" {
		t.Errorf("the request under way: got %d %q", a.status, a.text)
	}
	if code := f.wait(); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
}

func TestDemo_ShowsTheMainJob(t *testing.T) {
	web, api := freePort(t), freePort(t)
	cmd := exec.Command(binary, "demo", "--entrypoints.web.address=127.0.0.1:"+web, "--entrypoints.traefik.address=127.0.0.1:"+api)
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f := &fairway{t: t, cmd: cmd, addresses: map[string]string{"web": "127.0.0.1:" + web, "traefik": "127.0.0.1:" + api}}
	f.await("the demo to serve", func() bool {
		a, err := ask(fresh, "http://127.0.0.1:"+web+"/", "whoami.localhost")
		return err == nil && a.status == 200
	})
	seen := map[string]int{}
	for range 9 {
		seen[regexp.MustCompile(`whoami-\d`).FindString(f.get("whoami.localhost", "/").text)]++
	}
	if len(seen) != 3 || seen["whoami-1"] != 3 {
		t.Errorf("round robin: got %v", seen)
	}
	if a := f.get("shop.localhost", "/api/cart"); a.Path != "/cart" {
		t.Errorf("prefix: the service received %q", a.Path)
	}
	if a := f.get("old.localhost:"+web, "/cart"); a.status != 302 || a.header.Get("Location") != "http://shop.localhost:"+web+"/api/cart" {
		t.Errorf("redirect: got %d to %q", a.status, a.header.Get("Location"))
	}
	if a := f.get("vault.localhost", "/"); a.status != 401 {
		t.Errorf("without a login: got %d, want 401", a.status)
	}
	a := f.get("shop.localhost", "/page/7")
	if want := `"user":{"address":{"city":"Ulm"},"id":7,"name":"Ann"}`; a.status != 200 || !strings.Contains(a.text, want) || !strings.HasPrefix(a.header.Get("Fairway-Partial"), "stars;") {
		t.Errorf("a page of several services: got %d %s, %v", a.status, a.text, a.header)
	}
	f.problem("fairway.http.routers.typo.middleware")
	_ = cmd.Process.Signal(syscall.SIGINT)
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
	for _, want := range []string{"curl", "127.0.0.1:" + web, "127.0.0.1:" + api} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the welcome lacks %q:\n%s", want, out.String())
		}
	}
}

func TestHealthcheck_OverTLS(t *testing.T) {
	port := freePort(t)
	options := []string{"--entrypoints.web.address=127.0.0.1:0", "--entrypoints.safe.address=127.0.0.1:" + port, "--entrypoints.safe.http.tls", "--ping.entrypoint=safe"}
	startFairway(t, options[1:]...)
	if code, out := fairwayCommand(t, append([]string{"healthcheck"}, options...)...); code != 0 {
		t.Errorf("got exit code %d\n%s", code, out)
	}
}

func TestCheck_WhatWasWrittenForTraefik(t *testing.T) {
	code, out := fairwayCommand(t, "check", "--traefik", "../examples/homelab-media/compose.yml")
	if code != 0 || !strings.Contains(out, "same") || !strings.Contains(out, " 0 lost, 0 wrong") {
		t.Errorf("a stack that runs unchanged: got exit code %d and\n%s", code, out)
	}
	file := filepath.Join(t.TempDir(), "traefik.yml")
	if err := os.WriteFile(file, []byte("entryPoints: {web: {address: ':80'}}\nproviders: {kubernetesCRD: {}, rest: {insecure: true}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out = fairwayCommand(t, "check", "--traefik", file); code != 1 || !strings.Contains(out, ":2: providers.rest.insecure: not there: files are read again") {
		t.Errorf("a file with what is lost: got exit code %d and\n%s", code, out)
	}
}
