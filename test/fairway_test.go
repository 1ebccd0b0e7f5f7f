//go:build e2e

package test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// fairway is a running gateway.
type fairway struct {
	t      *testing.T
	cmd    *exec.Cmd
	exited chan error

	mu        sync.Mutex
	log       strings.Builder
	addresses map[string]string // of the entry points that are open
}

// startFairway starts the binary with an entry point web, the API, and the given
// options, and waits until it serves.
func startFairway(t *testing.T, options ...string) *fairway {
	t.Helper()
	args := append([]string{
		"--entrypoints.web.address=127.0.0.1:0", "--entrypoints.traefik.address=127.0.0.1:0",
		"--api.insecure", "--ping", "--log.format=json",
	}, options...)
	f := &fairway{t: t, cmd: exec.Command(binary, args...), addresses: map[string]string{}, exited: make(chan error, 1)}
	f.cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	stderr, err := f.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go f.follow(stderr)
	t.Cleanup(func() {
		_ = f.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("log of fairway:\n%s", f.text())
		}
	})
	f.await("fairway to serve", func() bool { return f.address("web") != "" && f.address("traefik") != "" })
	return f
}

// follow reads the log and learns the addresses from it.
func (f *fairway) follow(stderr io.Reader) {
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct{ Msg, EntryPoint, Address string }
		f.mu.Lock()
		f.log.WriteString(lines.Text() + "\n")
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "entry point is open" {
			f.addresses[line.EntryPoint] = line.Address
		}
		f.mu.Unlock()
	}
	f.exited <- f.cmd.Wait()
}

// address is where an entry point is open; nothing while it is not.
func (f *fairway) address(entryPoint string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.addresses[entryPoint]
}

func (f *fairway) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log.String()
}

// await waits until a condition holds.
func (f *fairway) await(what string, condition func() bool) {
	f.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			f.t.Fatalf("waited in vain for %s\nlog:\n%s", what, f.text())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// wait waits until fairway has ended, and returns its exit code.
func (f *fairway) wait() int {
	f.t.Helper()
	select {
	case <-f.exited:
		return f.cmd.ProcessState.ExitCode()
	case <-time.After(30 * time.Second):
		f.t.Fatalf("fairway does not end\nlog:\n%s", f.text())
		return -1
	}
}

// answer is what a client saw: of an echoing backend also what that received.
type answer struct {
	status int
	header http.Header
	text   string

	Name     string
	Hostname string
	Path     string
	Host     string
	Headers  http.Header
}

// fresh asks on a new connection each time, as curl does.
var fresh = &http.Client{
	Timeout:       10 * time.Second,
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// get asks the entry point web for a path at a host.
func (f *fairway) get(host, path string) answer {
	f.t.Helper()
	a, err := ask(fresh, "http://"+f.address("web")+path, host)
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

func ask(client *http.Client, url, host string) (answer, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	req.Host = host
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: res.StatusCode, header: res.Header, text: string(body)}
	_ = json.Unmarshal(body, &a)
	return a, nil
}

// api reads a path of the API into v.
func (f *fairway) api(path string, v any) {
	f.t.Helper()
	a, err := ask(fresh, "http://"+f.address("traefik")+path, "")
	if err != nil {
		f.t.Fatal(err)
	}
	if a.status != http.StatusOK {
		f.t.Fatalf("GET %s: %d %s", path, a.status, a.text)
	}
	if err := json.Unmarshal([]byte(a.text), v); err != nil {
		f.t.Fatalf("GET %s: %v in %s", path, err, a.text)
	}
}

type problem struct {
	Severity, Provider, Kind, Name, Source, Key, Reason, Nearest string
	Line                                                         int
}

// problem waits for a problem whose source, key and reason contain the words.
func (f *fairway) problem(words ...string) problem {
	f.t.Helper()
	var found problem
	f.await(fmt.Sprintf("a problem with %q", words), func() bool {
		var all []problem
		f.api("/api/problems", &all)
		for _, p := range all {
			text := p.Source + " " + p.Key + " " + p.Name + " " + p.Reason
			matches := true
			for _, w := range words {
				matches = matches && strings.Contains(text, w)
			}
			if matches {
				found = p
				return true
			}
		}
		return false
	})
	return found
}

// awaitStatus waits until a host answers with a status, and returns that answer.
// A request that a paused or dying container holds is given up after a second.
func (f *fairway) awaitStatus(host string, status int) answer {
	f.t.Helper()
	var a answer
	impatient := &http.Client{Timeout: time.Second, Transport: fresh.Transport}
	f.await(fmt.Sprintf("%s to answer %d", host, status), func() bool {
		var err error
		a, err = ask(impatient, "http://"+f.address("web")+"/", host)
		return err == nil && a.status == status
	})
	return a
}

// load is a client that asks one URL over and over, on connections that it keeps.
type load struct {
	stopped chan struct{}
	done    sync.WaitGroup

	mu       sync.Mutex
	requests int
	dials    int
	failures []string
}

// startLoad asks from several goroutines until stop.
func startLoad(url, host string, workers int) *load {
	l := &load{stopped: make(chan struct{})}
	for range workers {
		l.done.Go(func() { l.work(url, host) })
	}
	return l
}

func (l *load) work(url, host string) {
	dialer := &net.Dialer{}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			l.mu.Lock()
			l.dials++
			l.mu.Unlock()
			return dialer.DialContext(ctx, network, address)
		},
	}}
	defer client.CloseIdleConnections()
	for {
		select {
		case <-l.stopped:
			return
		default:
		}
		a, err := ask(client, url, host)
		l.mu.Lock()
		l.requests++
		if err != nil {
			l.failures = append(l.failures, err.Error())
		} else if a.status != http.StatusOK {
			l.failures = append(l.failures, fmt.Sprintf("status %d: %s", a.status, a.text))
		}
		l.mu.Unlock()
		time.Sleep(time.Millisecond) // steady, not as much as possible
	}
}

// count returns how many requests have been made so far.
func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests
}

// stop ends the load and fails the test when a request failed.
func (l *load) stop(t *testing.T) {
	t.Helper()
	close(l.stopped)
	l.done.Wait()
	t.Logf("%d requests, %d connections, %d failures", l.requests, l.dials, len(l.failures))
	if len(l.failures) > 0 {
		t.Errorf("%d of %d requests failed, the first: %s", len(l.failures), l.requests, l.failures[0])
	}
}
