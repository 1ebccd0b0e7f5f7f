//go:build e2e

package test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// consulProgram is a real Consul, built once.
var consulProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fairway-consul")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "consul")
	cmd := exec.Command("go", "build", "-modfile=consul.mod", "-o", file, "github.com/hashicorp/consul")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build Consul: %w\n%s", err, out)
	}
	return file, nil
})

// consul is an agent, with what it takes to start it again.
type consul struct {
	t     *testing.T
	http  string // its address
	args  []string
	token string
	cmd   *exec.Cmd
}

// newConsul starts a server that is alone, unless more says otherwise.
func newConsul(t *testing.T, more ...string) *consul {
	t.Helper()
	program, err := consulProgram()
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	c := &consul{t: t, http: "127.0.0.1:" + port}
	c.args = append([]string{
		program, "agent", "-bind=127.0.0.1", "-client=127.0.0.1", "-data-dir=" + t.TempDir(), "-http-port=" + port, "-dns-port=-1",
		"-grpc-port=-1", "-grpc-tls-port=-1", "-server-port=" + freePort(t), "-serf-lan-port=" + freePort(t), "-serf-wan-port=-1", "-log-level=error",
	}, more...)
	c.start()
	t.Cleanup(c.stop)
	return c
}

// aloneConsul is a server that needs no others.
func aloneConsul(t *testing.T, more ...string) *consul {
	t.Helper()
	c := newConsul(t, append([]string{"-server", "-bootstrap-expect=1", "-node=one"}, more...)...)
	c.awaitLeader()
	return c
}

func (c *consul) start() {
	c.t.Helper()
	c.cmd = exec.Command(c.args[0], c.args[1:]...)
	c.cmd.Stderr, c.cmd.Stdout = os.Stderr, io.Discard
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *consul) stop() {
	_ = c.cmd.Process.Signal(syscall.SIGKILL)
	_ = c.cmd.Wait()
}

func (c *consul) awaitLeader() {
	c.t.Helper()
	await(c.t, "a leader of Consul", func() bool {
		status, text := c.try(http.MethodGet, "/v1/status/leader", nil)
		return status == 200 && strings.Contains(text, ":")
	})
}

func (c *consul) try(method, path string, body any) (status int, text string) {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			c.t.Fatal(err)
		}
		reader = strings.NewReader(string(raw))
	}
	r, err := http.NewRequest(method, "http://"+c.http+path, reader)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("X-Consul-Token", c.token)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(raw)
}

// put asks the agent for something that must work.
func (c *consul) put(path string, body any) string {
	c.t.Helper()
	status, text := c.try(http.MethodPut, path, body)
	if status != 200 {
		c.t.Fatalf("PUT %s: %d %s", path, status, text)
	}
	return text
}

// object is JSON to be.
type object map[string]any

// register adds an instance of a service to the agent.
func (c *consul) register(name, id, url string, more object, tags ...string) {
	c.t.Helper()
	host, port := hostPort(c.t, url)
	o := object{"Name": name, "ID": id, "Address": host, "Port": port, "Tags": tags}
	maps.Copy(o, more)
	c.put("/v1/agent/service/register", o)
}

func (c *consul) deregister(id string) {
	c.t.Helper()
	c.put("/v1/agent/service/deregister/"+id, nil)
}
