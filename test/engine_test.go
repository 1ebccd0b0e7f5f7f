//go:build e2e

// Package test has the end-to-end tests: the real binary, a real Docker engine,
// real containers, and a client that sees what a user would see.
package test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The paths of what the tests run, made once by TestMain.
var (
	binary   string  // fairway itself
	docker   *engine // nil when there can be none; then noDocker says why
	noDocker string
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "fairway-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "fairway")
	if err := build(binary, "../cmd/fairway"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	docker, err = startEngine(dir)
	if err != nil {
		docker = nil
		noDocker = err.Error()
		fmt.Fprintf(os.Stderr, "\n*** NO DOCKER ENGINE: the tests on real containers do not run: %v\n\n", err)
		if os.Getenv("CI") != "" {
			return 1 // in CI, skipping is failing
		}
	}
	if docker != nil {
		defer docker.end()
	}
	return m.Run()
}

// build compiles a static binary.
func build(out, pkg string) error {
	cmd := exec.Command("go", "build", "-pgo=off", "-o", out, pkg) // guided, it takes half a minute more
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, text)
	}
	return nil
}

// engine is a Docker engine of the tests' own.
type engine struct {
	dir    string
	bridge string // the network of its containers
	subnet string // as in "10.231.7"
	swarm  bool   // is a manager of a swarm, whose containers do not outlive the daemon
	cmd    *exec.Cmd
}

func (e *engine) socket() string  { return filepath.Join(e.dir, "docker.sock") }
func (e *engine) address() string { return "unix://" + e.socket() }

// startEngine starts an engine and puts the image of the backend into it.
func startEngine(dir string) (*engine, error) {
	if _, err := exec.LookPath("dockerd"); err != nil {
		return nil, err
	}
	e := &engine{dir: filepath.Join(dir, "engine")}
	return e, e.prepare()
}

// prepare starts the daemon, and builds the backend.
func (e *engine) prepare() error {
	if err := os.MkdirAll(filepath.Join(e.dir, "image"), 0o755); err != nil {
		return err
	}
	if err := e.ownNetwork(); err != nil {
		return err
	}
	if err := e.start(); err != nil {
		e.removeNetwork()
		return err
	}
	context := filepath.Join(e.dir, "image")
	if err := build(filepath.Join(context, "backend"), "./backend"); err != nil {
		return err
	}
	recipe := "FROM scratch\nCOPY backend /backend\nEXPOSE 80\nENTRYPOINT [\"/backend\"]\n"
	if err := os.WriteFile(filepath.Join(context, "Dockerfile"), []byte(recipe), 0o644); err != nil {
		return err
	}
	if _, err := e.docker("build", "-q", "-t", "backend", context); err != nil {
		e.end()
		return err
	}
	return nil
}

// ownNetwork makes a bridge with addresses that nobody has: another engine of this machine
// gives the usual ones to containers of its own.
func (e *engine) ownNetwork() error {
	local, err := net.InterfaceAddrs()
	if err != nil {
		return err
	}
	taken := fmt.Sprint(local)
	for i := range 250 {
		n := (os.Getpid() + i) % 250
		e.subnet, e.bridge = fmt.Sprintf("10.231.%d", n), fmt.Sprintf("fw-test-%d", n)
		if !strings.Contains(taken, e.subnet+".") {
			break
		}
	}
	for _, args := range [][]string{
		{"link", "add", e.bridge, "type", "bridge"}, {"addr", "add", e.subnet + ".1/24", "dev", e.bridge}, {"link", "set", e.bridge, "up"},
	} {
		if text, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w\n%s", strings.Join(args, " "), err, text)
		}
	}
	return nil
}

func (e *engine) removeNetwork() { _ = exec.Command("ip", "link", "del", e.bridge).Run() }

// start starts the daemon. Containers outlive it, so that it can be restarted.
func (e *engine) start() error {
	log, err := os.OpenFile(filepath.Join(e.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	e.cmd = exec.Command("dockerd", fmt.Sprintf("--live-restore=%t", !e.swarm), "-H", e.address(), "--data-root", filepath.Join(e.dir, "data"),
		"--exec-root", filepath.Join(e.dir, "run"), "--pidfile", filepath.Join(e.dir, "pid"),
		"--bridge", e.bridge, "--default-address-pool", strings.Replace(e.subnet, "10.231.", "base=10.", 1)+".0.0/16,size=24")
	e.cmd.Stdout, e.cmd.Stderr = log, log
	if err := e.cmd.Start(); err != nil {
		return err
	}
	deadline := time.Now().Add(60 * time.Second)
	for {
		if _, err = e.docker("version"); err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			e.stop()
			text, _ := os.ReadFile(filepath.Join(e.dir, "log"))
			return fmt.Errorf("dockerd does not answer: %w\n%s", err, text[max(0, len(text)-2000):])
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (e *engine) stop() {
	_ = e.cmd.Process.Signal(syscall.SIGTERM)
	_ = e.cmd.Wait()
}

// end removes everything and stops the daemon.
func (e *engine) end() {
	if ids, err := e.docker("ps", "-aq"); err == nil && ids != "" {
		_, _ = e.docker(append([]string{"rm", "-f"}, strings.Fields(ids)...)...)
	}
	_, _ = e.docker("network", "prune", "-f")
	e.stop()
	e.removeNetwork()
}

func (e *engine) docker(args ...string) (string, error) { return e.command("docker", args...) }

func (e *engine) command(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+e.address(), "DOCKER_BUILDKIT=0")
	out, err := cmd.Output()
	if err != nil {
		exit := &exec.ExitError{}
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// needDocker skips a test where there is no engine. In CI that cannot happen.
func needDocker(t *testing.T) *engine {
	t.Helper()
	if docker == nil {
		t.Skipf("no Docker engine: %s", noDocker)
	}
	return docker
}

// needProgram skips a test where a program is not installed. In CI that is a failure.
func needProgram(t *testing.T, name string) {
	t.Helper()
	_, err := exec.LookPath(name)
	switch {
	case err != nil && os.Getenv("CI") != "":
		t.Fatal(err)
	case err != nil:
		t.Skip(err)
	}
}

// do runs a docker command that must succeed.
func (e *engine) do(t *testing.T, args ...string) string {
	t.Helper()
	out, err := e.docker(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// container starts a backend under a name, with further docker options (labels,
// networks, environment), and removes it at the end of the test.
func (e *engine) container(t *testing.T, name string, options ...string) {
	t.Helper()
	args := append([]string{"run", "-d", "--name", name, "-e", "NAME=" + name}, options...)
	id := e.do(t, append(args, "backend")...)
	t.Cleanup(func() { _, _ = e.docker("rm", "-f", id) })
}

// freePort finds a port that nothing listens on at the moment.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
