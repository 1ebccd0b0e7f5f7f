//go:build e2e

package test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"fairway/internal/certtest"
	"fairway/internal/redistest"
)

// postgres starts a real server of PostgreSQL, which speaks TLS if it has a certificate, and returns its port.
func postgres(t *testing.T, cert, key string) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		needProgram(t, "initdb")
	}
	bin := filepath.Dir(found[0])
	owner, err := user.Lookup("postgres") // it does not run as root
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(owner.Gid)
	dir, err := os.MkdirTemp("", "fairway-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir = dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := run("initdb", "-D", data, "--no-sync", "-A", "trust").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	port := freePort(t)
	args := []string{"-D", data, "-p", port, "-k", dir, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"}
	if cert != "" {
		for name, text := range map[string]string{"server.crt": cert, "server.key": key} {
			file := filepath.Join(data, name)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(file, uid, gid); err != nil {
				t.Fatal(err)
			}
		}
		args = append(args, "-c", "ssl=on")
	}
	server := run("postgres", args...)
	log := &strings.Builder{}
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGQUIT)
		_ = server.Wait()
		if t.Failed() {
			t.Logf("log of postgres:\n%s", log)
		}
	})
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if run("pg_isready", "-h", "127.0.0.1", "-p", port).Run() == nil {
			return port
		}
		if time.Now().After(end) {
			t.Fatal("postgres does not start")
		}
	}
}

// psql asks a server by a name, at an address.
func psql(t *testing.T, name, address, mode string) (string, error) {
	t.Helper()
	host, port, _ := net.SplitHostPort(address)
	cmd := exec.Command("psql", fmt.Sprintf("host=%s hostaddr=%s port=%s user=postgres dbname=postgres sslmode=%s connect_timeout=10", name, host, port, mode), "-Atc", "select count(*) || ' ' || (select ssl from pg_stat_ssl where pid = pg_backend_pid()) from generate_series(1, 100000)")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func writeRoutes(t *testing.T, text string) string {
	t.Helper()
	return certtest.File(t, "routes.yml", text)
}

// A real PostgreSQL: plain, with TLS that ends at fairway, and with TLS that is handed on, at two entry points.
func TestTCP_Postgres(t *testing.T) {
	cert, key := certtest.NewAuthority(t, "postgres").Issue(time.Now().Add(time.Hour), "passed.test")
	open, secure := postgres(t, "", ""), postgres(t, cert, key)
	f := startFairway(t, "--entrypoints.db.address=127.0.0.1:0", "--entrypoints.both.address=127.0.0.1:0", "--providers.file.filename="+writeRoutes(t, `
tcp:
  routers:
    plain: {entryPoints: [db], rule: 'HostSNI(`+"`*`"+`)', service: open}
    ended: {entryPoints: [both], rule: 'HostSNI(`+"`ended.test`"+`)', service: open, tls: {}}
    passed: {entryPoints: [both], rule: 'HostSNI(`+"`passed.test`"+`)', service: secure, tls: {passthrough: true}}
  services:
    open: {loadBalancer: {servers: [{address: '127.0.0.1:`+open+`'}]}}
    secure: {loadBalancer: {servers: [{address: '127.0.0.1:`+secure+`'}]}}
`))
	f.await("the entry points", func() bool { return f.address("db") != "" && f.address("both") != "" })
	for _, tt := range []struct{ name, entryPoint, mode, want string }{
		{"db.test", "db", "disable", "100000 false"}, {"ended.test", "both", "require", "100000 false"}, {"passed.test", "both", "require", "100000 true"},
	} {
		if got, err := psql(t, tt.name, f.address(tt.entryPoint), tt.mode); err != nil || got != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
	if got, err := psql(t, "other.test", f.address("both"), "require"); err == nil {
		t.Errorf("a name that nobody has: got %q", got)
	}
}

// A real Redis, by TLS that ends at fairway and by TLS that is handed on.
func TestTCP_RedisByTLS(t *testing.T) {
	cert, key := certtest.NewAuthority(t, "redis").Files(time.Now().Add(time.Hour), "passed.test")
	open, secure := redistest.New(t), redistest.NewTLS(t, cert, key)
	f := startFairway(t, "--entrypoints.store.address=127.0.0.1:0", "--providers.file.filename="+writeRoutes(t, `
tcp:
  routers:
    ended: {entryPoints: [store], rule: 'HostSNI(`+"`ended.test`"+`)', service: open, tls: {}}
    passed: {entryPoints: [store], rule: 'HostSNI(`+"`*.test`"+`)', service: secure, tls: {passthrough: true}}
  services:
    open: {loadBalancer: {servers: [{address: '`+open.Address+`'}]}}
    secure: {loadBalancer: {servers: [{address: '`+secure.Address+`'}]}}
`))
	f.await("the entry point", func() bool { return f.address("store") != "" })
	host, port, _ := net.SplitHostPort(f.address("store"))
	for _, name := range []string{"ended.test", "passed.test"} {
		cmd := exec.Command("redis-cli", "-h", host, "-p", port, "-a", redistest.Password, "--no-auth-warning", "--tls", "--insecure", "--sni", name, "SET", "k", name)
		if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "OK" {
			t.Errorf("%s: got %s, %v", name, out, err)
		}
	}
}

// DNS by UDP, and the server of it is another one for another client.
func TestUDP_DNS(t *testing.T) {
	names := make([]string, 2)
	for i := range names {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
			a := new(dns.Msg)
			a.SetReply(q)
			rr, _ := dns.NewRR(fmt.Sprintf("%s 60 IN A 192.0.2.%d", q.Question[0].Name, i+1))
			a.Answer = append(a.Answer, rr)
			_ = w.WriteMsg(a)
		})}
		go func() { _ = s.ActivateAndServe() }()
		t.Cleanup(func() { _ = s.Shutdown() })
		names[i] = conn.LocalAddr().String()
	}
	f := startFairway(t, "--entrypoints.dns.address=127.0.0.1:0/udp", "--providers.file.filename="+writeRoutes(t, `
udp:
  routers: {dns: {entryPoints: [dns], service: dns}}
  services: {dns: {loadBalancer: {servers: [{address: '`+names[0]+`'}, {address: '`+names[1]+`'}]}}}
`))
	f.await("the entry point", func() bool { return f.address("dns") != "" })
	seen := map[string]int{}
	for range 10 {
		q := new(dns.Msg)
		q.SetQuestion("shop.example.", dns.TypeA)
		a, _, err := (&dns.Client{Timeout: 10 * time.Second}).Exchange(q, f.address("dns"))
		if err != nil || len(a.Answer) != 1 {
			t.Fatalf("got %v, %v", a, err)
		}
		seen[a.Answer[0].(*dns.A).A.String()]++
	}
	if seen["192.0.2.1"] != 5 || seen["192.0.2.2"] != 5 {
		t.Errorf("got %v", seen)
	}
}

// Containers by labels, for TCP and UDP: replicas, and one that stops; a server that speaks first shares its entry point
// with HTTPS.
func TestTCP_ByLabels(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e, "--entrypoints.mixed.address=127.0.0.1:0", "--entrypoints.echo.address=127.0.0.1:0/udp")
	f.await("the entry points", func() bool { return f.address("mixed") != "" && f.address("echo") != "" })
	for _, name := range []string{"tcp_one", "tcp_two"} {
		e.container(t, name, "-e", "GREETER=22", "-e", "UDP=53", "-l", "com.docker.compose.project=tcp", "-l", "com.docker.compose.service=tcp",
			"-l", "traefik.tcp.routers.ssh.rule=HostSNI(`*`)", "-l", "traefik.tcp.routers.ssh.entrypoints=mixed", "-l", "traefik.tcp.routers.ssh.service=ssh", "-l", "traefik.tcp.services.ssh.loadbalancer.server.port=22",
			"-l", "fairway.udp.routers.echo.entrypoints=echo", "-l", "fairway.udp.services.echo.loadbalancer.server.port=53")
	}
	e.container(t, "tcp_web", "-l", "traefik.http.routers.secure.rule=Host(`secure.test`)", "-l", "traefik.http.routers.secure.entrypoints=mixed", "-l", "traefik.http.routers.secure.tls=true")
	greeted := func() string {
		conn, err := dialTCP(f.address("mixed"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		line, _ := bufio.NewReader(conn).ReadString('\n')
		return strings.TrimSpace(line)
	}
	of := func(n int) map[string]bool {
		names := map[string]bool{}
		for range n {
			names[greeted()] = true
		}
		return names
	}
	f.await("both containers", func() bool { names := of(2); return names["I am tcp_one"] && names["I am tcp_two"] })
	f.await("the page by TLS", func() bool {
		conn, err := tls.Dial("tcp", f.address("mixed"), &tls.Config{ServerName: "secure.test", InsecureSkipVerify: true})
		if err != nil {
			return false
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: secure.test\r\nConnection: close\r\n\r\n")
		text, _ := io.ReadAll(conn)
		return strings.Contains(string(text), "tcp_web")
	})
	e.do(t, "stop", "-t", "1", "tcp_one")
	f.await("only the other one", func() bool {
		names := of(4)
		return len(names) == 1 && names["I am tcp_two"]
	})
	datagram, err := net.Dial("udp", f.address("echo"))
	if err != nil {
		t.Fatal(err)
	}
	defer datagram.Close()
	f.await("an answer by UDP", func() bool {
		_ = datagram.SetDeadline(time.Now().Add(time.Second))
		_, _ = datagram.Write([]byte("hello"))
		buf := make([]byte, 100)
		n, _ := datagram.Read(buf)
		return string(buf[:n]) == "tcp_two hello"
	})
	var routers []struct{ Name, Status string }
	if f.api("/api/tcp/routers", &routers); len(routers) != 1 || routers[0].Name != "ssh@docker" || routers[0].Status != "enabled" {
		t.Errorf("the API shows %+v", routers)
	}
}

// A gibibyte by TCP takes no memory, in either direction.
func TestTCP_AGibibyte(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const much = 1 << 30
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	f := startFairway(t, "--entrypoints.raw.address=127.0.0.1:0", "--providers.file.filename="+writeRoutes(t, `
tcp:
  routers:
    raw: {entryPoints: [raw], rule: 'HostSNI(`+"`*`"+`)', service: echo}
    ended: {entryPoints: [raw], rule: 'HostSNI(`+"`ended.test`"+`)', service: echo, tls: {}}
  services: {echo: {loadBalancer: {servers: [{address: '`+l.Addr().String()+`'}]}}}
`))
	f.await("the entry point", func() bool { return f.address("raw") != "" })
	for _, name := range []string{"", "ended.test"} {
		conn, err := dialTCP(f.address("raw"))
		if err != nil {
			t.Fatal(err)
		}
		if name != "" {
			conn = tls.Client(conn, &tls.Config{ServerName: name, InsecureSkipVerify: true})
		}
		sent := make(chan error, 1)
		go func() {
			_, err := io.CopyN(conn, zeros{}, much)
			sent <- err
		}()
		n, err := io.CopyN(io.Discard, conn, much)
		if err != nil || n != much || <-sent != nil {
			t.Errorf("%s: got %d bytes, %v", name, n, err)
		}
		_ = conn.Close()
	}
	if peak := f.peakMemory(); peak > 200<<20 {
		t.Errorf("it took %d MiB of memory", peak>>20)
	}
}

// zeros have no end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// peakMemory is the most that the program has had, in bytes.
func (f *fairway) peakMemory() int64 {
	f.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", f.cmd.Process.Pid))
	if err != nil {
		f.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	fields := strings.Fields(rest)
	n, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		f.t.Fatal(err)
	}
	return n << 10
}
