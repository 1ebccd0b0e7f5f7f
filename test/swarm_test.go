//go:build e2e

package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// swarmStack is the example of examples/swarm on a swarm of one machine.
type swarmStack struct {
	t        *testing.T
	e        *engine
	web, api string // addresses of fairway's ports
}

// startSwarm starts an engine of its own, makes it the manager of a swarm, and deploys the
// example as it stands there, but for what belongs to the machine: the port, the place of
// Docker's socket, the backend for whoami, and the API to look into.
func startSwarm(t *testing.T) *swarmStack {
	t.Helper()
	needDocker(t)
	e := &engine{dir: filepath.Join(t.TempDir(), "e"), swarm: true}
	if err := e.prepare(); err != nil {
		t.Fatal(err)
	}
	gateways := "gw-" + strings.TrimPrefix(e.bridge, "fw-test-")
	t.Cleanup(func() {
		_, _ = e.docker("swarm", "leave", "--force")
		e.end()
		_ = exec.Command("ip", "link", "del", gateways).Run()
	})
	if err := e.gatewayImages(); err != nil {
		t.Fatal(err)
	}
	// The bridge by which tasks reach their machine has a fixed name else, also for engines of others.
	e.do(t, "network", "create", "-o", "com.docker.network.bridge.name="+gateways, "-o", "com.docker.network.bridge.enable_icc=false", "docker_gwbridge")
	address := e.subnet + ".1"
	e.do(t, "swarm", "init", "--advertise-addr", address, "--listen-addr", address+":"+freePort(t),
		"--default-addr-pool", strings.Replace(e.subnet, "10.231.", "10.", 1)+".128.0/17", "--default-addr-pool-mask-length", "24")
	s := &swarmStack{t: t, e: e, web: address + ":" + freePort(t), api: address + ":" + freePort(t)}
	text, err := os.ReadFile("../examples/swarm/compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	port := func(address string) string { return address[strings.LastIndex(address, ":")+1:] }
	file := filepath.Join(t.TempDir(), "compose.yml")
	stack := strings.NewReplacer("- /var/run/docker.sock:", "- "+e.socket()+":", "image: traefik/whoami", "image: backend",
		"published: 80", "published: "+port(s.web)+"\n        mode: host\n      - target: 8080\n        published: "+port(s.api),
		"FAIRWAY_PING:", "FAIRWAY_API_INSECURE: \"true\"\n      FAIRWAY_PING:").Replace(string(text))
	if err := os.WriteFile(file, []byte("version: \"3.8\"\n"+stack), 0o644); err != nil {
		t.Fatal(err)
	}
	e.do(t, "stack", "deploy", "--resolve-image", "never", "-c", file, "web")
	return s
}

func (s *swarmStack) await(what string, condition func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(90 * time.Second); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			tasks, _ := s.e.docker("service", "ps", "--no-trunc", "web_whoami", "web_fairway")
			log, _ := s.e.docker("service", "logs", "--tail", "50", "web_fairway")
			s.t.Fatalf("waited in vain for %s\n%s\n%s", what, tasks, log)
		}
	}
}

// servers are those of whoami that fairway knows.
func (s *swarmStack) servers() (urls []string) {
	a, err := ask(fresh, "http://"+s.api+"/api/http/services/whoami@swarm", "")
	if err != nil || a.status != http.StatusOK {
		return nil
	}
	var service struct {
		LoadBalancer struct{ Servers []struct{ URL string } }
	}
	if err := json.Unmarshal([]byte(a.text), &service); err != nil {
		s.t.Fatal(err)
	}
	for _, server := range service.LoadBalancer.Servers {
		urls = append(urls, server.URL)
	}
	return urls
}

// answering are the tasks that answer n times as many requests as there should be tasks.
func (s *swarmStack) answering(n int) int {
	seen := map[string]bool{}
	for range 4 * n {
		if a, err := ask(fresh, "http://"+s.web+"/", "whoami.localhost"); err == nil && a.status == http.StatusOK {
			seen[a.Hostname] = true
		}
	}
	return len(seen)
}

func (s *swarmStack) scale(n int) {
	s.t.Helper()
	s.e.do(s.t, "service", "scale", "--detach", fmt.Sprint("web_whoami=", n))
}

// virtualIP is that of whoami in the network of the stack, and the addresses of its tasks.
func (s *swarmStack) virtualIP() (virtual string, tasks []string) {
	s.t.Helper()
	virtual, _, _ = strings.Cut(s.e.do(s.t, "service", "inspect", "--format", "{{range .Endpoint.VirtualIPs}}{{.Addr}}{{end}}", "web_whoami"), "/")
	for id := range strings.FieldsSeq(s.e.do(s.t, "service", "ps", "--filter", "desired-state=running", "-q", "web_whoami")) {
		address, _, _ := strings.Cut(s.e.do(s.t, "inspect", "--format", "{{range .NetworksAttachments}}{{index .Addresses 0}}{{end}}", id), "/")
		tasks = append(tasks, address)
	}
	return virtual, tasks
}

// balance sees that the virtual IP leads somewhere. That is the work of IPVS in the kernel;
// where there is none, rules in the network of fairway do instead what it does.
func (s *swarmStack) balance(virtual string, tasks []string) {
	s.t.Helper()
	if _, err := os.Stat("/proc/net/ip_vs"); err == nil {
		return
	}
	s.t.Log("this kernel has no IPVS: iptables stand in for it")
	pid := s.e.do(s.t, "inspect", "--format", "{{.State.Pid}}", s.e.do(s.t, "ps", "-q", "--filter", "name=web_fairway"))
	within := func(args ...string) {
		if text, err := exec.Command("nsenter", append([]string{"-t", pid, "-n", "iptables", "-t", "nat"}, args...)...).CombinedOutput(); err != nil {
			s.t.Fatalf("iptables %s: %v\n%s", strings.Join(args, " "), err, text)
		}
	}
	for i, task := range tasks {
		args := []string{"-I", "OUTPUT", "1", "-d", virtual, "-p", "tcp"}
		if i > 0 { // the first is what is left, at the end
			args = append(args, "-m", "statistic", "--mode", "nth", "--every", fmt.Sprint(i+1), "--packet", "0")
		}
		within(append(args, "-j", "DNAT", "--to-destination", task)...)
	}
}

func TestSwarm_ScalesByTasksAndByVirtualIP(t *testing.T) {
	s := startSwarm(t)
	s.await("two tasks to answer", func() bool { return s.answering(2) == 2 })
	s.scale(1)
	s.await("one task to answer", func() bool { return s.answering(1) == 1 && len(s.servers()) == 1 })
	l := startLoad("http://"+s.web+"/", "whoami.localhost", 2)
	for _, n := range []int{4, 2} {
		s.scale(n)
		s.await(fmt.Sprint(n, " tasks to answer, and no other"), func() bool { return len(s.servers()) == n && s.answering(n) == n })
		virtual, tasks := s.virtualIP()
		slices.Sort(tasks)
		var want []string
		for _, task := range tasks {
			want = append(want, "http://"+task+":80")
		}
		got := s.servers()
		slices.Sort(got)
		if !slices.Equal(got, want) || slices.Contains(tasks, virtual) {
			t.Errorf("the servers are %v, the tasks %v", got, want)
		}
	}
	l.stop(t)

	virtual, tasks := s.virtualIP()
	s.balance(virtual, tasks)
	s.e.do(t, "service", "update", "--detach", "--label-add", "fairway.swarm.lbswarm=true", "web_whoami")
	only := []string{"http://" + virtual + ":80"}
	s.await("the virtual IP to be the only server", func() bool { return slices.Equal(s.servers(), only) })
	if s.answering(2) == 0 { // which of them is decided for a connection, and fairway keeps its own
		t.Error("no task answers by the virtual IP")
	}
	for _, n := range []int{1, 4, 2} {
		s.scale(n)
		s.await(fmt.Sprint(n, " tasks"), func() bool { _, tasks := s.virtualIP(); return len(tasks) == n })
		if got := s.servers(); !slices.Equal(got, only) {
			t.Errorf("with %d tasks the servers are %v", n, got)
		}
	}
	s.scale(0)
	s.await("no route, without a task", func() bool {
		a, err := ask(fresh, "http://"+s.web+"/", "whoami.localhost")
		return err == nil && a.status == http.StatusNotFound
	})
}
