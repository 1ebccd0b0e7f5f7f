package server

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"fairway/config"
	"fairway/config/dynamic"
	"fairway/internal/certtest"
	"fairway/internal/decode"
)

// speaker is a server that says its name first, and then what it hears.
func speaker(t *testing.T, name string, over *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if over != nil {
		l = tls.NewListener(l, over)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.WriteString(conn, name+"\n")
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return l.Addr().String()
}

// streamDocument has a service for each server, by its name, in front of the routers.
func streamDocument(servers map[string]string, rest string) string {
	var b strings.Builder
	b.WriteString("tcp:\n  services:\n")
	for name, address := range servers {
		fmt.Fprintf(&b, "    %s: {loadBalancer: {servers: [{address: '%s'}]}}\n", name, address)
	}
	return b.String() + rest
}

// call connects, says something, and returns the first line that comes.
func call(t *testing.T, address, name string, protocols ...string) (net.Conn, string) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, longest)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(longest))
	if name != "plain" {
		conn = tls.Client(conn, &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: protocols})
	}
	line, err := bufio.NewReaderSize(io.LimitReader(conn, 1<<10), 16).ReadString('\n')
	if err != nil {
		return conn, "error"
	}
	return conn, strings.TrimSpace(line)
}

func nothing(*http.Request) {}

func serverCert(t *testing.T) tls.Certificate {
	t.Helper()
	return certtest.NewAuthority(t, "servers").Pair("server.test")
}

func TestStream_GoesAtOnceWhereNothingSpeaksTLS(t *testing.T) {
	r := start(t, streamDocument(map[string]string{"one": speaker(t, "one", nil)}, "  routers: {all: {rule: 'HostSNI(`*`)', service: one, entryPoints: [web]}}\n"))
	conn, line := call(t, r.Addresses()["web"], "plain")
	if line != "one" {
		t.Fatalf("got %q", line)
	}
	_, _ = io.WriteString(conn, "echo")
	_ = conn.(*net.TCPConn).CloseWrite()
	if rest, err := io.ReadAll(conn); string(rest) != "echo" || err != nil {
		t.Errorf("got %q, %v", rest, err)
	}
}

// The order of decisions at an entry point that serves all of it.
func TestStream_OrderOfDecisions(t *testing.T) {
	cert := serverCert(t)
	r := start(t, strings.Replace(routeTo(backend(t, nothing)), "service: all}", "service: all}, named: {rule: 'Host(`web.test`)', service: all, tls: {}}", 1)+streamDocument(map[string]string{
		"plain": speaker(t, "plain", nil), "ended": speaker(t, "ended", nil), "wild": speaker(t, "wild", nil), "alpn": speaker(t, "alpn", nil),
		"passed": speaker(t, "passed", &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"acme-tls/1"}}), "rest": speaker(t, "rest", nil),
	}, `  routers:
    plain: {rule: 'HostSNI(`+"`*`"+`)', service: plain}
    ended: {rule: 'HostSNI(`+"`ended.test`"+`)', service: ended, tls: {}}
    clash: {rule: 'HostSNI(`+"`web.test`"+`)', service: ended, tls: {}}
    wild: {rule: 'HostSNI(`+"`*.test`"+`)', service: wild, tls: {}}
    alpn: {rule: 'HostSNI(`+"`*.test`"+`) && ALPN(`+"`mine`"+`)', service: alpn, tls: {}}
    passed: {rule: 'HostSNI(`+"`passed.test`"+`)', service: passed, tls: {passthrough: true}}
    rest: {rule: 'HostSNI(`+"`*`"+`)', service: rest, tls: {}}
`))
	for _, p := range r.problems() {
		if p.Name != "plain@file" || !strings.Contains(p.Reason, "it takes all connections at the entry point web that are not by TLS") {
			t.Error(p)
		}
	}
	at := r.Addresses()["web"]
	for _, tt := range []struct {
		name, protocol, want string
	}{
		{"plain", "", "plain"},
		{"ended.test", "", "ended"},
		{"ENDED.test", "", "ended"},
		{"other.test", "", "wild"},
		{"other.test", "mine", "alpn"},
		{"passed.test", "acme-tls/1", "passed"},
		{"deep.er.test", "", "rest"},
		{"passed.test", "", "passed"},
		{"unknown.example", "", "rest"},
	} {
		var protocols []string
		if tt.protocol != "" {
			protocols = []string{tt.protocol}
		}
		conn, got := call(t, at, tt.name, protocols...)
		if got != tt.want {
			t.Errorf("%s %s: got %q, want %q", tt.name, tt.protocol, got, tt.want)
			continue
		}
		if c, ok := conn.(*tls.Conn); ok && c.ConnectionState().NegotiatedProtocol != tt.protocol && tt.want != "passed" {
			t.Errorf("%s: spoken is %q", tt.name, c.ConnectionState().NegotiatedProtocol)
		}
		_, _ = io.WriteString(conn, "echo\n")
		echo := make([]byte, 5)
		if _, err := io.ReadFull(conn, echo); err != nil || string(echo) != "echo\n" {
			t.Errorf("%s: the echo is %q, %v", tt.name, echo, err)
		}
	}
	// Routers of HTTP that name the host go first.
	conn := tls.Client(dial(t, at), &tls.Config{ServerName: "web.test", InsecureSkipVerify: true})
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: web.test\r\nConnection: close\r\n\r\n")
	if text, err := io.ReadAll(conn); !strings.HasPrefix(string(text), "HTTP/1.1 200") || err != nil {
		t.Errorf("the page: got %q, %v", text, err)
	}
}

func TestStream_AnyHostOfHTTPGoesBeforeAnyHostOfTCP(t *testing.T) {
	r := start(t, strings.Replace(routeTo(backend(t, nothing)), "service: all}", "service: all, tls: {}}", 1)+
		streamDocument(map[string]string{"one": speaker(t, "one", nil)}, "  routers:\n    any: {rule: 'HostSNI(`*`)', service: one, tls: {}}\n    named: {rule: 'HostSNI(`a.test`)', service: one, tls: {}}\n"))
	if _, got := call(t, r.Addresses()["web"], "a.test"); got != "one" {
		t.Errorf("a router of TCP that names the host: got %q", got)
	}
	conn := tls.Client(dial(t, r.Addresses()["web"]), &tls.Config{ServerName: "b.test", InsecureSkipVerify: true})
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n")
	if text, err := io.ReadAll(conn); !strings.HasPrefix(string(text), "HTTP/1.1 200") || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

// A rule of TCP that says more than any host goes before routers of HTTP for any host, an exact name before a wildcard.
func TestStream_WhatSaysMoreGoesFirst(t *testing.T) {
	r := start(t, strings.Replace(routeTo(backend(t, nothing)), "service: all}", "service: all, tls: {}}, wild: {rule: 'Host(`*.corp.test`)', service: all, tls: {}}", 1)+
		streamDocument(map[string]string{"one": speaker(t, "one", nil)}, "  routers:\n    alpn: {rule: 'HostSNI(`*`) && ALPN(`mqtt`)', service: one, tls: {}}\n    exact: {rule: 'HostSNI(`db.corp.test`)', service: one, tls: {}}\n    wild: {rule: 'HostSNI(`*.corp.test`)', service: one, tls: {}}\n"))
	for _, tt := range []struct{ name, protocol, want string }{
		{"x.test", "mqtt", "one"}, {"db.corp.test", "", "one"}, {"x.test", "http/1.1", "error"}, {"web.corp.test", "", "error"},
	} {
		var protocols []string
		if tt.protocol != "" {
			protocols = []string{tt.protocol}
		}
		conn := tls.Client(dial(t, r.Addresses()["web"]), &tls.Config{ServerName: tt.name, InsecureSkipVerify: true, NextProtos: protocols})
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+tt.name+"\r\nConnection: close\r\n\r\n")
		line, _ := bufio.NewReader(conn).ReadString('\n')
		if got := strings.TrimSpace(line); tt.want == "one" && got != "one" || tt.want != "one" && !strings.HasPrefix(got, "HTTP/1.1 ") {
			t.Errorf("%s %s: got %q", tt.name, tt.protocol, got)
		}
	}
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, longest)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(longest))
	return conn
}

// A server of PostgreSQL, as far as that matters: it is asked for TLS before TLS is spoken.
func postgres(t *testing.T, secure bool) string {
	t.Helper()
	cert := serverCert(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if secure {
					asked := make([]byte, 8)
					if _, err := io.ReadFull(conn, asked); err != nil || string(asked) != string(postgresTLS) {
						return
					}
					_, _ = conn.Write([]byte{'S'})
					conn = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}})
				}
				_, _ = io.WriteString(conn, "postgres\n")
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return l.Addr().String()
}

func TestStream_PostgresAsksForTLS(t *testing.T) {
	r := start(t, streamDocument(map[string]string{"secure": postgres(t, true), "open": postgres(t, false)}, "  routers:\n"+
		"    passed: {rule: 'HostSNI(`passed.test`)', service: secure, tls: {passthrough: true}}\n    ended: {rule: 'HostSNI(`ended.test`)', service: open, tls: {}}\n"))
	for _, tt := range []struct {
		name string
		gss  bool
		want string
	}{{"passed.test", false, "postgres"}, {"ended.test", true, "postgres"}, {"other.test", false, "error"}} {
		conn := dial(t, r.Addresses()["web"])
		answer := make([]byte, 1)
		if tt.gss {
			_, _ = conn.Write(postgresGSS)
			if _, err := io.ReadFull(conn, answer); err != nil || answer[0] != 'N' {
				t.Fatalf("a wish for GSSAPI: got %q, %v", answer, err)
			}
		}
		for _, b := range postgresTLS { // TCP may bring it in pieces
			_, _ = conn.Write([]byte{b})
		}
		if _, err := io.ReadFull(conn, answer); err != nil || answer[0] != 'S' {
			t.Fatalf("a wish for TLS: got %q, %v", answer, err)
		}
		secure := tls.Client(conn, &tls.Config{ServerName: tt.name, InsecureSkipVerify: true})
		line, err := bufio.NewReader(secure).ReadString('\n')
		if got := strings.TrimSpace(line); err == nil && got != tt.want || err != nil && tt.want != "error" {
			t.Errorf("%s: got %q, %v", tt.name, line, err)
		}
	}
}

func TestStream_Guards(t *testing.T) {
	one := speaker(t, "one", nil)
	r := start(t, streamDocument(map[string]string{"one": one}, `  middlewares:
    few: {inFlightConn: {amount: 1}}
    nobody: {ipAllowList: {sourceRange: [192.0.2.0/24]}}
    us: {ipDenyList: {sourceRange: [127.0.0.1]}}
  routers:
    few: {rule: 'HostSNI(`+"`few.test`"+`)', service: one, middlewares: [few], tls: {}}
    nobody: {rule: 'HostSNI(`+"`nobody.test`"+`)', service: one, middlewares: [nobody], tls: {}}
    us: {rule: 'HostSNI(`+"`us.test`"+`)', service: one, middlewares: [us], tls: {}}
    broken: {rule: 'HostSNI(`+"`broken.test`"+`)', service: one, middlewares: [gone], tls: {}}
    any: {rule: 'HostSNI(`+"`*`"+`)', service: one, tls: {}}
`))
	at := r.Addresses()["web"]
	first, line := call(t, at, "few.test")
	if line != "one" {
		t.Errorf("the first one: got %q", line)
	}
	for _, name := range []string{"few.test", "nobody.test", "us.test", "broken.test"} {
		if _, line := call(t, at, name); line != "error" {
			t.Errorf("%s: got %q", name, line)
		}
	}
	_ = first.Close()
	await(t, "room for another one", func() bool { _, line := call(t, at, "few.test"); return line == "one" })
	found := ""
	for _, p := range r.problems() {
		found += p.String() + "\n"
	}
	if want := `tcpRouter broken@file: its middleware "gone@file" does not exist`; !strings.Contains(found, want) {
		t.Errorf("got %s", found)
	}
}

// Connections go on when their router is gone, and other ones are not touched.
func TestStream_ConnectionsSurviveAReload(t *testing.T) {
	r := start(t, streamDocument(map[string]string{"one": speaker(t, "one", nil)}, "  routers: {all: {rule: 'HostSNI(`*`)', service: one}}\n"))
	conn, line := call(t, r.Addresses()["web"], "plain")
	if line != "one" {
		t.Fatalf("got %q", line)
	}
	tree, err := decode.Document([]byte(routeTo(backend(t, nothing))), ".yml")
	if err != nil {
		t.Fatal(err)
	}
	var cfg dynamic.Configuration
	tree.Into(&cfg, nil)
	r.apply(cfg.Qualified("file"))
	_, _ = io.WriteString(conn, "still\n")
	if text, err := bufio.NewReader(conn).ReadString('\n'); text != "still\n" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	if res, _ := r.get(t, "a.test", "/"); res.StatusCode != 200 {
		t.Errorf("and HTTP now: got %d", res.StatusCode)
	}
}

func TestStream_TheStopCutsOff(t *testing.T) {
	r := start(t, streamDocument(map[string]string{"one": speaker(t, "one", nil)}, "  routers: {all: {rule: 'HostSNI(`*`)', service: one}}\n"), "--entrypoints.web.transport.lifecycle.gracetimeout=50ms")
	conn, line := call(t, r.Addresses()["web"], "plain")
	if line != "one" {
		t.Fatalf("got %q", line)
	}
	r.stop()
	if _, err := io.ReadAll(conn); err != nil {
		t.Logf("it ends with %v", err)
	}
	if !strings.Contains(r.log.String(), "connections were cut off") {
		t.Error("the log does not say so")
	}
}

// Whoever says nothing, or half of something, costs the others nothing.
func TestStream_SilentClients(t *testing.T) {
	r := start(t, streamDocument(map[string]string{"one": speaker(t, "one", nil)}, "  routers: {all: {rule: 'HostSNI(`a.test`)', service: one, tls: {}}}\n"), "--entrypoints.web.transport.respondingtimeouts.readheadertimeout=20s")
	at := r.Addresses()["web"]
	before := heap()
	for i := range 2000 {
		conn := dial(t, at)
		switch i % 4 {
		case 1:
			_, _ = conn.Write([]byte{22})
		case 2:
			_, _ = conn.Write(postgresTLS[:5])
		case 3:
			_, _ = conn.Write([]byte{22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xff})
		}
	}
	if _, line := call(t, at, "a.test"); line != "one" {
		t.Errorf("got %q", line)
	}
	if grown := heap() - before; grown > 64<<20 {
		t.Errorf("they take %d MiB", grown>>20)
	}
}

// heap is how much memory is in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// Whoever connects to what a new configuration does not touch notices nothing of it.
func TestStream_ReloadsCostNoConnection(t *testing.T) {
	r := start(t, streamDocument(map[string]string{"one": speaker(t, "one", nil)}, "  routers: {all: {rule: 'HostSNI(`a.test`)', service: one, tls: {}}}\n"))
	at, one := r.Addresses()["web"], speaker(t, "one", nil)
	stop := make(chan struct{})
	ended := make(chan int)
	go func() {
		failed := 0
		defer func() { ended <- failed }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			conn, err := tls.Dial("tcp", at, &tls.Config{ServerName: "a.test", InsecureSkipVerify: true})
			if err != nil {
				failed++
				continue
			}
			if line, err := bufio.NewReader(conn).ReadString('\n'); line != "one\n" || err != nil {
				failed++
			}
			_ = conn.Close()
		}
	}()
	for i := range 100 {
		tree, err := decode.Document([]byte(streamDocument(map[string]string{"one": one, "other": one}, fmt.Sprintf("  routers: {all: {rule: 'HostSNI(`a.test`)', service: one, tls: {}}, r%d: {rule: 'HostSNI(`b%d.test`)', service: other, tls: {}}}\n", i, i))), ".yml")
		if err != nil {
			t.Fatal(err)
		}
		var cfg dynamic.Configuration
		tree.Into(&cfg, nil)
		r.apply(cfg.Qualified("file"))
	}
	close(stop)
	if failed := <-ended; failed > 0 {
		t.Errorf("%d connections failed", failed)
	}
}

// The install configuration says how servers are reached, and a mistake in it is one of the start.
func TestStream_TransportOfTheInstallConfiguration(t *testing.T) {
	heard := make(chan string, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if conn, err := l.Accept(); err == nil {
			line, _ := bufio.NewReader(conn).ReadString('\n')
			heard <- line
			_ = conn.Close()
		}
	}()
	r := start(t, streamDocument(map[string]string{"one": l.Addr().String()}, "  routers: {all: {rule: 'HostSNI(`*`)', service: one}}\n"), "--tcpserverstransport.proxyprotocol.version=1")
	dial(t, r.Addresses()["web"])
	if line := <-heard; !strings.HasPrefix(line, "PROXY TCP4 127.0.0.1 127.0.0.1 ") {
		t.Errorf("got %q", line)
	}
	loaded, err := config.Load([]string{"--entrypoints.web.address=127.0.0.1:0", "--tcpserverstransport.tls.rootcas=/nowhere.pem"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	log, _ := newLog()
	if _, err := New(Options{Config: loaded, Log: log}); err == nil || !strings.HasPrefix(err.Error(), "option tcpServersTransport.tls.rootCAs[0]: ") {
		t.Errorf("got %v", err)
	}
}

func FuzzReadHello(f *testing.F) {
	client, server := net.Pipe()
	go func() {
		_ = tls.Client(client, &tls.Config{ServerName: "a.test", NextProtos: []string{"h2"}}).Handshake()
	}()
	buf := make([]byte, 4<<10)
	n, _ := server.Read(buf)
	_ = server.Close()
	f.Add(buf[:n])
	f.Add(buf[:n/2])
	f.Add([]byte{22, 3, 1, 0, 1, 1})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		hello, read, err := readHello(&given{rest: text})
		if (hello == nil) != (err != nil) {
			t.Errorf("got %v, %v", hello, err)
		}
		if err == nil && string(read) != string(text[:len(read)]) {
			t.Error("what was read is not what came")
		}
	})
}

// given is a connection with some bytes.
type given struct {
	net.Conn
	rest []byte
}

func (g *given) Read(p []byte) (int, error) {
	if len(g.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, g.rest)
	g.rest = g.rest[n:]
	return n, nil
}
