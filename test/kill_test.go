//go:build e2e

package test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// One of three servers is killed (kill -9) under load, comes back, and is killed
// again, while the configuration goes on naming it. No request that may be
// repeated fails. Of those that may not, only some that were on their way to that
// server do: each client has at most one.
func TestKill_OneOfThreeServers(t *testing.T) {
	program := filepath.Join(t.TempDir(), "backend")
	if err := build(program, "./backend"); err != nil {
		t.Fatal(err)
	}
	var servers [3]*child
	list := ""
	for i := range servers {
		servers[i] = &child{t: t, program: program, name: fmt.Sprintf("server-%d", i), port: freePort(t)}
		servers[i].start()
		list += fmt.Sprintf("{url: \"http://127.0.0.1:%s\"}, ", servers[i].port)
	}
	text := "http:\n  routers: {a: {rule: \"Host(`a.test`)\", service: a}}\n  services: {a: {loadBalancer: {servers: [" + strings.TrimSuffix(list, ", ") + "]}}}\n"
	f := startFairway(t, "--providers.file.filename="+writeFile(t, "routes.yml", text))
	f.awaitStatus("a.test", http.StatusOK)

	const (
		workers = 4
		kills   = 3
		phase   = 500 // requests, with each server there or not
	)
	l := &mixedLoad{t: t, address: f.address("web"), stopped: make(chan struct{}), answers: map[string]int{}}
	for i := range workers {
		l.done.Go(func() { l.work(i) })
	}
	defer l.end()
	victim := servers[1]
	more := func(what string) {
		t.Helper()
		until := l.count() + phase
		f.await(what, func() bool { return l.count() >= until || t.Failed() })
	}
	for range kills {
		more("load on three servers")
		victim.kill()
		more("load on two servers")
		victim.start()
		before := l.answersOf(victim.name)
		f.await("the server to be used again", func() bool { return l.answersOf(victim.name) > before || t.Failed() })
	}
	more("load on three servers")
	l.end()
	t.Logf("%d requests, answered by %v; %d of %d POST requests failed", l.requests, l.answers, l.failedPosts, l.posts)
	if l.requests < 3000 || l.posts == 0 {
		t.Errorf("%d requests, %d of them POST: too few to say anything", l.requests, l.posts)
	}
	if l.failedPosts > workers*kills {
		t.Errorf("%d POST requests failed, want at most %d", l.failedPosts, workers*kills)
	}
}

// child is a server in a process of its own.
type child struct {
	t                   *testing.T
	program, name, port string
	cmd                 *exec.Cmd
}

// start runs it, and waits until it serves.
func (c *child) start() {
	c.t.Helper()
	c.cmd = exec.Command(c.program)
	c.cmd.Env = append(os.Environ(), "PORTS="+c.port, "NAME="+c.name)
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	cmd := c.cmd
	c.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	deadline := time.Now().Add(20 * time.Second)
	for {
		conn, err := dialTCP("127.0.0.1:" + c.port)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s does not serve: %v", c.name, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// kill ends it as it stands.
func (c *child) kill() {
	c.t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
	_ = c.cmd.Wait()
}

// mixedLoad asks in several ways, on connections that clients keep and on fresh
// ones. It does so itself: the client of the standard library would repeat requests.
type mixedLoad struct {
	t       *testing.T
	address string
	stopped chan struct{}
	once    sync.Once
	done    sync.WaitGroup

	mu          sync.Mutex
	requests    int
	posts       int
	failedPosts int
	answers     map[string]int // by the name of the server
}

// mix are the requests of which the load is made. Those without a body of a method
// that does no more when repeated (RFC 9110, section 9.2.2) must not fail.
var mix = []struct{ method, fields, body string }{
	{"GET", "", ""},
	{"HEAD", "", ""},
	{"PUT", "Content-Length: 0\r\n", ""},
	{"GET", "Connection: close\r\n", ""},
	{"DELETE", "", ""},
	{"POST", "Content-Length: 5\r\n", "hello"},
}

// mostRequests bounds the load of one client.
const mostRequests = 50_000

func (l *mixedLoad) work(i int) {
	var conn net.Conn
	var r *bufio.Reader
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	for n := i; n < mostRequests; n++ {
		select {
		case <-l.stopped:
			return
		default:
		}
		if conn == nil {
			var err error
			if conn, err = dialTCP(l.address); err != nil {
				l.t.Error(err)
				return
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			r = bufio.NewReader(conn)
		}
		m := mix[n%len(mix)]
		_, _ = fmt.Fprintf(conn, "%s / HTTP/1.1\r\nHost: a.test\r\n%s\r\n%s", m.method, m.fields, m.body)
		res, err := http.ReadResponse(r, &http.Request{Method: m.method})
		if err != nil {
			l.t.Errorf("%s: %v", m.method, err)
			return
		}
		var told struct{ Name, Method, Body string }
		text, err := io.ReadAll(res.Body)
		if err == nil && res.StatusCode == http.StatusOK && m.method != "HEAD" {
			if err = json.Unmarshal(text, &told); told.Method != m.method || told.Body != m.body {
				l.t.Errorf("%s: the server got %+v", m.method, told)
			}
		}
		if err != nil || res.StatusCode != http.StatusOK && (m.method != "POST" || res.StatusCode != http.StatusBadGateway) {
			l.t.Errorf("%s: got %d %q, %v", m.method, res.StatusCode, text, err)
		}
		l.note(m.method, told.Name, res.StatusCode)
		if res.Close {
			_ = conn.Close()
			conn = nil
		}
	}
}

func (l *mixedLoad) note(method, server string, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	if method == "POST" {
		l.posts++
		if status != http.StatusOK {
			l.failedPosts++
		}
	}
	if server != "" {
		l.answers[server]++
	}
}

func (l *mixedLoad) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests
}

func (l *mixedLoad) answersOf(server string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answers[server]
}

// end stops the load and waits for it.
func (l *mixedLoad) end() {
	l.once.Do(func() { close(l.stopped) })
	l.done.Wait()
}
