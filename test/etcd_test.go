//go:build e2e

package test

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// etcdServer is a real etcd that is alone.
type etcdServer struct {
	t    *testing.T
	url  string
	args []string
	cmd  *exec.Cmd
}

func startEtcd(t *testing.T) *etcdServer {
	t.Helper()
	needProgram(t, "etcd")
	client, peer := "http://127.0.0.1:"+freePort(t), "http://127.0.0.1:"+freePort(t)
	e := &etcdServer{t: t, url: client, args: []string{
		"--data-dir", t.TempDir(), "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
		"--initial-cluster", "default=" + peer, "--log-level", "error",
	}}
	e.start()
	t.Cleanup(e.stop)
	return e
}

func (e *etcdServer) start() {
	e.t.Helper()
	e.cmd = exec.Command("etcd", e.args...)
	if err := e.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	awaitDial(e.t, strings.TrimPrefix(e.url, "http://"))
	await(e.t, "etcd to serve", func() bool { return e.ctl("", "get", "x") == nil })
}

func (e *etcdServer) stop() {
	_ = e.cmd.Process.Signal(syscall.SIGKILL)
	_ = e.cmd.Wait()
}

func (e *etcdServer) ctl(input string, args ...string) error {
	cmd := exec.Command("etcdctl", append([]string{"--endpoints", e.url}, args...)...)
	cmd.Env = append(cmd.Environ(), "ETCDCTL_API=3")
	cmd.Stdin = strings.NewReader(input)
	return cmd.Run()
}

// put writes keys in one transaction: they are written as commands of Redis are.
func (e *etcdServer) put(commands ...string) {
	e.t.Helper()
	var puts []string
	for _, c := range commands {
		_, rest, _ := strings.Cut(c, " ")
		key, value, _ := strings.Cut(rest, " ")
		puts = append(puts, "put "+key+" "+strconv.Quote(value))
	}
	if err := e.ctl("\n"+strings.Join(puts, "\n")+"\n\n\n", "txn"); err != nil {
		e.t.Fatal(err)
	}
}

// edited tells whether the edit of the router shop with that number is in force: those before it may say
// the same of its server.
func (f *fairway) edited(provider string, n int) func() bool {
	return func() bool {
		var routers []struct {
			Name     string `json:"name"`
			Priority int    `json:"priority"`
		}
		f.api("/api/http/routers", &routers)
		for _, r := range routers {
			if r.Name == "shop@"+provider {
				return r.Priority == n
			}
		}
		return false
	}
}

func TestEtcd_KeysAndValues(t *testing.T) {
	e := startEtcd(t)
	e.put(route("traefik", "still", named(t, "still"))...)
	f := startFairway(t, "--providers.etcd.endpoints="+strings.TrimPrefix(e.url, "http://"))
	f.await("the first keys", f.says("still.test", "still"))
	f.untouched("still.test")
	one, two := named(t, "one"), named(t, "two")
	e.put(route("fairway", "shop", one)...)
	f.await("keys below fairway", f.says("shop.test", "one"))
	for i := range 10 {
		url := one
		if i%2 == 1 {
			url = two
		}
		e.put(append(route("fairway", "shop", url), "SET fairway/http/routers/shop/priority "+strconv.Itoa(i+1))...)
	}
	f.await("the last edit", f.edited("etcd", 10))
	if !f.says("shop.test", "two")() {
		t.Error("the last edit has another server")
	}
	e.stop()
	f.problem(strings.TrimPrefix(e.url, "http://"), "their last known state stays in force")
	if got := f.get("shop.test", "/"); got.text != "two" {
		t.Errorf("while the store is away: %d %q", got.status, got.text)
	}
	e.start()
	e.put(route("fairway", "more", named(t, "more"))...)
	f.await("what came afterwards", f.says("more.test", "more"))
}
