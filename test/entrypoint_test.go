//go:build e2e

package test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tellingClient starts a server that answers with the X-Forwarded-For it got, and
// returns the options that route everything to it.
func tellingClient(t *testing.T) string {
	t.Helper()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "client "+r.Header.Get("X-Forwarded-For"))
	}))
	t.Cleanup(backend.Close)
	routes := fmt.Sprintf("http:\n  routers: {all: {rule: \"PathPrefix(`/`)\", service: all}}\n  services: {all: {loadBalancer: {servers: [{url: %q}]}}}\n", backend.URL)
	return "--providers.file.filename=" + writeFile(t, "r.yml", routes)
}

// say sends bytes to an address, and returns the first response and its body.
func say(t *testing.T, address, bytes string) (status int, body string) {
	t.Helper()
	conn, err := dialTCP(address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, bytes); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

const request = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"

func TestEntryPoint_ProxyProtocol(t *testing.T) {
	const (
		line   = "PROXY TCP4 203.0.113.7 198.51.100.2 1234 443\r\n"
		binary = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x07\xc6\x33\x64\x02\x04\xd2\x01\xbb"
	)
	f := startFairway(t, tellingClient(t), "--entrypoints.web.proxyprotocol.trustedips=127.0.0.0/8",
		"--entrypoints.strict.address=127.0.0.1:0", "--entrypoints.strict.proxyprotocol.trustedips=192.0.2.1")
	f.await("the entry point strict", func() bool { return f.address("strict") != "" })
	for header, want := range map[string]string{"": "client 127.0.0.1", line: "client 203.0.113.7", binary: "client 203.0.113.7"} {
		if status, body := say(t, f.address("web"), header+request); status != 200 || body != want {
			t.Errorf("%q: got %d %q, want %q", header, status, body, want)
		}
	}
	if status, _ := say(t, f.address("strict"), line+request); status != 400 {
		t.Errorf("from a peer who is not trusted: got %d, want 400", status)
	}
	if status, body := say(t, f.address("web"), "PROXY TCP4 nobody 198.51.100.2 1 2\r\n"+request); status != 0 {
		t.Errorf("a malformed header: got %d %q, want no answer", status, body)
	}
}

func TestEntryPoint_ReusePort(t *testing.T) {
	address := "--entrypoints.web.address=127.0.0.1:" + freePort(t)
	routes := tellingClient(t)
	first := startFairway(t, address, "--entrypoints.web.reuseport", routes)
	second := startFairway(t, address, "--entrypoints.web.reuseport", routes)
	if first.address("web") != second.address("web") {
		t.Errorf("got %s and %s", first.address("web"), second.address("web"))
	}
	if err := first.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	first.wait()
	if status, body := say(t, second.address("web"), request); status != 200 {
		t.Errorf("the second alone: got %d %q", status, body)
	}
	if code, out := fairwayCommand(t, address); code != 1 || !strings.Contains(out, "address already in use") {
		t.Errorf("one without the option: got exit code %d\n%s", code, out)
	}
}

// TestEntryPoint_SocketActivation hands sockets over as systemd does. exec keeps the
// process, so that LISTEN_PID can be its own.
func TestEntryPoint_SocketActivation(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	f := &fairway{t: t, addresses: map[string]string{}, exited: make(chan error, 1)}
	f.cmd = exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, binary,
		"--entrypoints.web.address=127.0.0.1:1", "--entrypoints.traefik.address=127.0.0.1:0", "--ping", "--log.format=json", tellingClient(t))
	f.cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "LISTEN_FDS=1", "LISTEN_FDNAMES=web")
	f.cmd.ExtraFiles = []*os.File{socket}
	stderr, err := f.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go f.follow(stderr)
	t.Cleanup(func() { _ = f.cmd.Process.Kill() })
	// The socket is open already: a connection from before the start is served, too.
	if status, body := say(t, l.Addr().String(), request); status != 200 || body != "client 127.0.0.1" {
		t.Errorf("got %d %q\n%s", status, body, f.text())
	}
	f.await("the address in the log", func() bool { return f.address("web") == l.Addr().String() })
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := f.wait(); code != 0 {
		t.Errorf("got exit code %d", code)
	}
}

func TestEntryPoint_UDP(t *testing.T) {
	f := startFairway(t, "--entrypoints.dns.address=127.0.0.1:0/udp", "--entrypoints.dns.udp.timeout=3s", tellingClient(t))
	if status, _ := say(t, f.address("web"), request); status != 200 {
		t.Errorf("got %d", status)
	}
	f.await("the entry point", func() bool { return f.address("dns") != "" })
	if strings.Contains(f.text(), "warning") {
		t.Errorf("the log has\n%s", f.text())
	}
}
