//go:build e2e

package test

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// redisServer is a real Redis with a password.
type redisServer struct {
	t    *testing.T
	port string
	args []string
	cmd  *exec.Cmd
}

func startRedis(t *testing.T, more ...string) *redisServer {
	t.Helper()
	needProgram(t, "redis-server")
	port := freePort(t)
	r := &redisServer{t: t, port: port, args: append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir(), "--requirepass", "s3cret"}, more...)}
	r.start()
	t.Cleanup(r.stop)
	return r
}

func (r *redisServer) start() {
	r.t.Helper()
	r.cmd = exec.Command("redis-server", r.args...)
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	awaitDial(r.t, "127.0.0.1:"+r.port)
}

func (r *redisServer) stop() {
	_ = r.cmd.Process.Signal(syscall.SIGKILL)
	_ = r.cmd.Wait()
}

// do runs commands of Redis, one to a line, as one transaction.
func (r *redisServer) do(commands ...string) {
	r.t.Helper()
	cmd := exec.Command("redis-cli", "-p", r.port, "-a", "s3cret", "--no-auth-warning")
	cmd.Stdin = strings.NewReader("MULTI\n" + strings.Join(commands, "\n") + "\nEXEC\n")
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "ERR") {
		r.t.Fatalf("%v: %v\n%s", commands, err, out)
	}
}

func route(root, name, url string) []string {
	return []string{
		"SET " + root + "/http/routers/" + name + "/rule Host(`" + name + ".test`)", "SET " + root + "/http/routers/" + name + "/service " + name,
		"SET " + root + "/http/services/" + name + "/loadbalancer/servers/0/url " + url,
	}
}

func TestRedis_KeysAndValues(t *testing.T) {
	for name, more := range map[string][]string{"told of changes": {"--notify-keyspace-events", "K$g"}, "not told": nil} {
		t.Run(name, func(t *testing.T) {
			r := startRedis(t, more...)
			r.do(route("traefik", "still", named(t, "still"))...)
			f := startFairway(t, "--providers.redis.endpoints=127.0.0.1:"+r.port, "--providers.redis.password=s3cret")
			f.await("the first keys", f.says("still.test", "still"))
			stop := f.untouched("still.test")
			one, two := named(t, "one"), named(t, "two")
			r.do(route("fairway", "shop", one)...)
			f.await("keys below fairway", f.says("shop.test", "one"))
			for i := range 20 {
				url := one
				if i%2 == 1 {
					url = two
				}
				r.do(append(route("fairway", "shop", url), "SET fairway/http/routers/shop/priority "+strconv.Itoa(i+1))...)
			}
			f.await("the last edit", f.says("shop.test", "two"))
			r.do("SET fairway/http/routers/shop/rulle x")
			f.problem("", "fairway/http/routers/shop/rulle", "no option")
			r.stop()
			f.problem("127.0.0.1:"+r.port, "", "their last known state stays in force")
			if got := f.get("still.test", "/"); got.text != "still" {
				t.Errorf("while the store is away: %d %q", got.status, got.text)
			}
			stop()
			r.start() // empty
			f.awaitStatus("still.test", 404)
			if strings.Contains(f.text(), "s3cret") {
				t.Error("the password is in the log")
			}
		})
	}
}
