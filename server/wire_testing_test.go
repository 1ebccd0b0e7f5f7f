package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// longest is how long a test waits for what must come: it ends tests that hang.
const longest = 20 * time.Second

// scripted starts a server that hands each connection to serve and then closes it.
// All connections are closed at the end of the test. It returns the address as URL.
func scripted(t *testing.T, serve func(c net.Conn, r *bufio.Reader)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	t.Cleanup(func() { close(over); _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			ended := make(chan struct{})
			go func() { defer close(ended); defer c.Close(); serve(c, bufio.NewReader(c)) }()
			go func() {
				select {
				case <-over:
					_ = c.Close()
				case <-ended:
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// peer is a client that says exactly what it is told.
type peer struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func (r *running) dial(t testing.TB) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", r.Addresses()["web"])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(longest))
	return &peer{t: t, Conn: conn, r: bufio.NewReader(conn)}
}

func (p *peer) say(text string) *peer {
	p.t.Helper()
	if _, err := io.WriteString(p.Conn, text); err != nil {
		p.t.Error(err)
	}
	return p
}

// reply is what a client gets for one request.
type reply struct {
	informed []string // informational responses
	status   int
	proto    string
	header   http.Header
	body     string
	cut      bool // the end is missing
	trailer  http.Header
	err      error // there was none
}

// hear reads one response.
func (p *peer) hear(method string) (got reply) {
	p.t.Helper()
	for {
		res, err := http.ReadResponse(p.r, &http.Request{Method: method})
		if err != nil {
			if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
				p.t.Error("no response in a long time")
			}
			got.err = err
			return got
		}
		if res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols {
			got.informed = append(got.informed, fmt.Sprint(res.StatusCode, res.Header))
			continue
		}
		got.status, got.proto, got.header = res.StatusCode, res.Proto, res.Header
		got.header.Del("Date")
		if res.StatusCode == http.StatusSwitchingProtocols {
			return got
		}
		text, err := io.ReadAll(res.Body)
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			p.t.Error("the response did not end in a long time")
		}
		got.body, got.cut, got.trailer = string(text), err != nil, res.Trailer
		return got
	}
}

// mustEnd waits until the gateway closes the connection.
func (p *peer) mustEnd() {
	p.t.Helper()
	if _, err := io.Copy(io.Discard, p.r); err != nil {
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			p.t.Error("the connection was not closed")
		}
	}
}

// ask sends one request over a connection of its own.
func (r *running) ask(t testing.TB, request string) reply {
	t.Helper()
	method, _, _ := strings.Cut(request, " ")
	return r.dial(t).say(request).hear(method)
}

const plainGet = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"

// await waits for a condition.
func await(t testing.TB, what string, met func() bool) {
	t.Helper()
	for end := time.Now().Add(longest); !met(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: did not come about", what)
		}
	}
}

// wrapped adds a middleware that wraps the writer of responses to a document.
func wrapped(routes string) string {
	return strings.Replace(routes, "service: all}", "service: all, middlewares: [mark]}", 1) +
		"  middlewares: {mark: {headers: {customResponseHeaders: {X-Mark: 'yes'}}}}\n"
}

// engines runs a test with each way through the gateway: fairway's engine, with
// and without a middleware around the writer, and the standard library.
func engines(t *testing.T, url string, test func(t *testing.T, r *running)) {
	t.Run("plain", func(t *testing.T) { test(t, start(t, routeTo(url))) })
	t.Run("wrapped", func(t *testing.T) { test(t, start(t, wrapped(routeTo(url)))) })
	t.Run("std", func(t *testing.T) { test(t, start(t, routeTo(url), "--entrypoints.web.engine=std")) })
}
