// Package bench measures the way of a request through the whole gateway: entry
// point, router, middlewares and forwarder, on loopback. Client and server do
// nothing but write and read fixed bytes, and allocate nothing, so that the
// allocations that are reported are fairway's.
//
// The figures of one machine compare versions of fairway with each other. What it
// costs beside other proxies is measured by bench/peers.
package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/config"
	"fairway/server"
)

// way is one way through the gateway, as the client asks for it.
type way struct {
	name    string
	path    string
	body    int // length of the request's body
	secure  bool
	options []string
}

var ways = []way{
	{name: "GET", path: "/"},
	{name: "POST", path: "/", body: 16 << 10},
	{name: "middlewares", path: "/changed/"},
	{name: "limits", path: "/limited/"},
	{name: "retry", path: "/retried/"},
	{name: "TLS", path: "/", secure: true},
	{name: "std", path: "/", options: []string{"--entrypoints.web.engine=std"}},
}

// routes has one route without middlewares, in plain text and by TLS, and some with.
const routes = `
http:
  routers:
    plain: {rule: "Host(` + "`a.test`" + `)", service: all}
    secure: {rule: "Host(` + "`a.test`" + `)", service: all, tls: {}}
    changed: {rule: "Host(` + "`a.test`) && PathPrefix(`/changed`" + `)", service: all, middlewares: [strip, headers]}
    limited: {rule: "Host(` + "`a.test`) && PathPrefix(`/limited`" + `)", service: all, middlewares: [headers, limit, inflight, compress]}
    retried: {rule: "Host(` + "`a.test`) && PathPrefix(`/retried`" + `)", service: all, middlewares: [retry]}
  middlewares:
    strip: {stripPrefix: {prefixes: [/changed]}}
    headers: {headers: {customRequestHeaders: {X-Asked: by}, customResponseHeaders: {X-Answered: by}}}
    limit: {rateLimit: {average: 100000000, burst: 100000000}}
    inflight: {inFlightReq: {amount: 100}}
    compress: {compress: {}}
    retry: {retry: {attempts: 2}}
  services:
    all: {loadBalancer: {servers: [{url: "http://%s"}]}}
`

func BenchmarkRoute(b *testing.B) {
	for _, w := range ways {
		b.Run(w.name, func(b *testing.B) {
			c := w.open(b)
			b.SetBytes(int64(w.body + answerBody))
			b.ReportAllocs()
			for b.Loop() {
				c.ask()
			}
		})
	}
}

// client asks for the same thing again and again on one connection.
type client struct {
	tb      testing.TB
	conn    net.Conn
	request []byte
	buffer  []byte
}

// open starts server and gateway, and connects. The first request has been
// answered when it returns.
func (w way) open(tb testing.TB) *client {
	tb.Helper()
	address := gateway(tb, fmt.Sprintf(routes, fixedServer(tb, w.body)), w.options...)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		tb.Fatal(err)
	}
	if w.secure {
		conn = tls.Client(conn, &tls.Config{ServerName: "a.test", InsecureSkipVerify: true})
	}
	method, length := "GET", ""
	if w.body > 0 {
		method, length = "POST", fmt.Sprintf("Content-Length: %d\r\n", w.body)
	}
	c := &client{tb: tb, conn: conn, buffer: make([]byte, 64<<10)}
	c.request = []byte(method + " " + w.path + " HTTP/1.1\r\nHost: a.test\r\nUser-Agent: bench\r\nAccept: */*\r\n" + length + "\r\n" + strings.Repeat("x", w.body))
	c.ask()
	return c
}

// ask sends the request and reads the whole answer.
func (c *client) ask() {
	if _, err := c.conn.Write(c.request); err != nil {
		c.tb.Fatal(err)
	}
	head, err := message(c.conn, c.buffer, answerBody)
	if err != nil {
		c.tb.Fatal(err)
	}
	if !bytes.HasPrefix(head, ok) {
		c.tb.Fatalf("got %q", head)
	}
}

var ok = []byte("HTTP/1.1 200 OK\r\n")

// message reads a head and a body of known length, and returns what it has read.
func message(r io.Reader, buffer []byte, body int) ([]byte, error) {
	n, want := 0, -1
	for n != want {
		m, err := r.Read(buffer[n:])
		if n += m; err != nil {
			return nil, err
		}
		if i := bytes.Index(buffer[:n], endOfHead); want < 0 && i >= 0 {
			want = i + len(endOfHead) + body
		}
		if n == len(buffer) || want >= 0 && n > want {
			return nil, errors.New("the message is longer than it should be")
		}
	}
	return buffer[:n], nil
}

var endOfHead = []byte("\r\n\r\n")

const answerBody = 1 << 10

// fixedServer answers every request, which has a body of known length, with the
// same kilobyte. It returns its address.
func fixedServer(tb testing.TB, body int) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	answer := []byte(string(ok) + "Server: fixed\r\nDate: Wed, 25 Nov 2026 19:42:48 GMT\r\nContent-Type: text/plain\r\n" +
		fmt.Sprintf("Content-Length: %d\r\n\r\n", answerBody) + strings.Repeat("x", answerBody))
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // ends when the gateway closes the connection
				defer func() { _ = conn.Close() }()
				for buffer := make([]byte, 64<<10); ; {
					if _, err := message(conn, buffer, body); err != nil {
						return
					}
					if _, err := conn.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// gateway runs fairway in this process, with an entry point web and the given
// routes, and returns the address of the entry point.
func gateway(tb testing.TB, routes string, options ...string) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "routes.yml")
	if err := os.WriteFile(file, []byte(routes), 0o600); err != nil {
		tb.Fatal(err)
	}
	loaded, err := config.Load(append([]string{"--entrypoints.web.address=127.0.0.1:0", "--providers.file.filename=" + file}, options...), nil)
	if err != nil {
		tb.Fatal(err)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	s, err := server.New(server.Options{Config: loaded, Log: log, Version: "bench"})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	})
	return s.Addresses()["web"]
}
