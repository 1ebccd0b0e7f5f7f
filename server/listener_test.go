package server

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fairway/config"
	"fairway/providers"
)

func TestServer_ReusePort(t *testing.T) {
	first := start(t, routeTo(telling(t)), "--entrypoints.web.reuseport")
	address := first.Addresses()["web"]
	second := start(t, routeTo(telling(t)), "--entrypoints.web.reuseport", "--entrypoints.web.address="+address)
	if got := second.Addresses()["web"]; got != address {
		t.Errorf("got %s, want %s", got, address)
	}
	first.stop()
	if got := second.ask(t, plainGet); got.status != 200 {
		t.Errorf("when the first is gone: got %d, %v", got.status, got.err)
	}
	l, err := net.Listen("tcp", address)
	if err == nil {
		_ = l.Close()
		t.Error("without the option the address is not taken")
	}
}

func TestServer_UDPEntryPoints(t *testing.T) {
	echo, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		buf := make([]byte, 100)
		for {
			n, from, err := echo.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = echo.WriteTo(append([]byte("heard "), buf[:n]...), from)
		}
	}()
	r := start(t, routeTo(telling(t))+`
udp:
  routers:
    dns: {entryPoints: [dns], service: dns}
    late: {entryPoints: [dns], service: dns}
    lost: {entryPoints: [dsn], service: dns}
    web: {entryPoints: [web], service: dns}
    nobody: {entryPoints: [dns], service: snd}
  services: {dns: {loadBalancer: {servers: [{address: '`+echo.LocalAddr().String()+`'}]}}}
`, "--entrypoints.dns.address=127.0.0.1:0/udp", "--entrypoints.dns.asdefault", "--entrypoints.dns.udp.timeout=1s")
	conn, err := net.Dial("udp", r.Addresses()["dns"])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(longest))
	buf := make([]byte, 100)
	_, _ = conn.Write([]byte("me"))
	if n, err := conn.Read(buf); string(buf[:n]) != "heard me" || err != nil {
		t.Errorf("got %q, %v", buf[:n], err)
	}
	if got := r.ask(t, plainGet); got.status != 200 {
		t.Errorf("the default entry point of a router is web: got %d", got.status)
	}
	found := ""
	for _, p := range r.problems() {
		found += p.String() + "\n"
	}
	for _, want := range []string{
		"udpRouter late@file: the entry point dns has the router dns@file already: nothing in a datagram tells them apart",
		`udpRouter lost@file: its entry point (of UDP) "dsn" does not exist (did you mean "dns"?)`,
		`udpRouter web@file: its entry point (of UDP) "web" does not exist`,
		`udpRouter nobody@file: its service "snd@file" does not exist`,
	} {
		if !strings.Contains(found, want) {
			t.Errorf("%s is not said: %s", want, found)
		}
	}
}

func TestServer_UDPEntryPointsAlone(t *testing.T) {
	loaded, err := config.Load([]string{"--entrypoints.dns.address=127.0.0.1:0/udp"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	log, _ := newLog()
	if _, err := New(Options{Config: loaded, Log: log, Extra: map[string]providers.Provider{}}); err != nil {
		t.Errorf("got %v", err)
	}
}

// asActivated is set in the environment of a child that plays the gateway which
// systemd starts: it tells what it was given, and serves one request at each.
const asActivated = "FAIRWAY_TEST_ACTIVATED"

func TestMain(m *testing.M) {
	if os.Getenv(asActivated) != "" {
		playActivated()
		return
	}
	os.Exit(m.Run())
}

func playActivated() {
	log, text := newLog()
	given := takeSockets(os.Getpid(), log)
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if _, set := os.LookupEnv(name); set {
			fmt.Println(name, "is left")
		}
	}
	var names []string
	for name := range given {
		names = append(names, name)
	}
	slices.Sort(names)
	fmt.Println(names)
	web, err := open("web", &config.EntryPoint{Address: "127.0.0.1:0"}, given)
	if err != nil {
		fmt.Println(err)
		return
	}
	given.closeRest(log)
	fmt.Print(strings.ReplaceAll(text.String(), "time=", "\ntime="), "\n", web.Addr(), "\n")
	conn, err := web.Accept()
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
	_ = conn.Close()
}

// activate starts the child with sockets, as systemd does: exec keeps the process,
// so that LISTEN_PID can be its own.
func activate(t *testing.T, pid, names string, files ...*os.File) io.Reader {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=`+pid+` exec "$0"`, os.Args[0])
	cmd.Env = append(os.Environ(), asActivated+"=1", "LISTEN_FDS="+strconv.Itoa(len(files)), "LISTEN_FDNAMES="+names)
	cmd.ExtraFiles = files
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return out
}

// socket opens a listener, and returns its address and its descriptor.
func socket(t *testing.T) (string, *os.File) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return l.Addr().String(), f
}

func TestTakeSockets(t *testing.T) {
	address, web := socket(t)
	_, other := socket(t)
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	datagrams, err := packets.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer datagrams.Close()
	out := activate(t, "$$", "dns:other:web:web", datagrams, other, web, other)
	got := make(chan string, 1)
	go func() {
		res, err := http.Get("http://" + address)
		if err != nil {
			got <- err.Error()
			return
		}
		_ = res.Body.Close()
		got <- res.Status
	}()
	text, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"[other web]\n", "\n" + address + "\n", `the socket \"dns\" of systemd is not used`, `the socket \"web\" of systemd is not used`, "there is another of that name",
		`the socket \"other\" of systemd is not used: there is no entry point of that name`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the child lacks %q: %s", want, text)
		}
	}
	if strings.Contains(string(text), "is left") {
		t.Errorf("variables are handed on: %s", text)
	}
	if got := <-got; got != "204 No Content" {
		t.Errorf("a client got %s", got)
	}
}

func TestTakeSockets_ForAnotherProcess(t *testing.T) {
	address, web := socket(t)
	out := activate(t, "1", "web", web)
	text := make([]byte, 1<<10)
	n, err := io.ReadAtLeast(out, text, len("[]\n\n\n127.0.0.1:1"))
	if err != nil || !strings.HasPrefix(string(text[:n]), "[]\n") || strings.Contains(string(text[:n]), address) {
		t.Errorf("got %q, %v", text[:n], err)
	}
}
