//go:build e2e

package test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const (
	kilobyte = int64(1) << 10
	megabyte = int64(1) << 20
	gigabyte = int64(1) << 30

	// bounded is the most that fairway's memory may grow by, whatever a client or a
	// server does. Garbage that has not been collected yet is in it.
	bounded = 20 * megabyte

	// patience ends connections of tests that hang.
	patience = 30 * time.Second
)

// abused is a fairway between well-behaved others and those who are not.
type abused struct {
	*fairway
	t *testing.T
}

// startAbused routes /, in plain text and by TLS, to the server at an address;
// below /wrapped a middleware stands in the way that wraps the writer of responses.
// ok.test leads to another server, whose clients must not notice anything.
func startAbused(t *testing.T, server string, options ...string) *abused {
	t.Helper()
	well := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	t.Cleanup(well.Close)
	text := "http:\n  routers:\n    ok: {rule: \"Host(`ok.test`)\", service: ok}\n"
	for _, where := range []string{"", ", tls: {}"} {
		text += fmt.Sprintf("    plain%d: {rule: \"Host(`a.test`)\", service: a%s}\n", len(where), where)
		text += fmt.Sprintf("    wrapped%d: {rule: \"Host(`a.test`) && PathPrefix(`/wrapped`)\", service: a, middlewares: [wrap]%s}\n", len(where), where)
	}
	text += "  middlewares: {wrap: {headers: {customResponseHeaders: {X-Wrapped: \"yes\"}}}}\n"
	text += fmt.Sprintf("  services:\n    a: {loadBalancer: {servers: [{url: \"http://%s\"}]}}\n    ok: {loadBalancer: {servers: [{url: %q}]}}\n", server, well.URL)
	f := startFairway(t, append([]string{"--providers.file.filename=" + writeFile(t, "routes.yml", text), "--api.debug"}, options...)...)
	f.awaitStatus("ok.test", http.StatusOK)
	return &abused{fairway: f, t: t}
}

// served checks that others are served.
func (f *abused) served() {
	f.t.Helper()
	for range 20 {
		if got := f.get("ok.test", "/"); got.status != http.StatusOK || got.text != "ok" {
			f.t.Fatalf("another client got %d %q", got.status, got.text)
		}
	}
}

// grows returns by how much the memory of fairway grew at most while something was
// done. What was garbage before does not count.
func (f *abused) grows(do func()) int64 {
	f.t.Helper()
	f.collect()
	forget := fmt.Sprintf("/proc/%d/clear_refs", f.cmd.Process.Pid)
	if err := os.WriteFile(forget, []byte("5"), 0); err != nil { // VmHWM begins anew
		f.t.Fatal(err)
	}
	before := f.memory("VmRSS")
	do()
	return f.memory("VmHWM") - before
}

// boundedWhile checks that the memory does not grow without bound.
func (f *abused) boundedWhile(do func()) {
	f.t.Helper()
	if grown := f.grows(do); grown > bounded {
		f.t.Errorf("the memory grew by %d KiB, want at most %d", grown/kilobyte, bounded/kilobyte)
	} else {
		f.t.Logf("the memory grew by %d KiB", grown/kilobyte)
	}
}

// collect has fairway collect its garbage.
func (f *abused) collect() { f.debug("/debug/pprof/heap?gc=1") }

// live is the memory that the program itself accounts for, without garbage.
func (f *abused) live() int64 {
	f.t.Helper()
	f.collect()
	var vars struct {
		Memstats struct{ HeapAlloc, StackInuse int64 }
	}
	if err := json.Unmarshal([]byte(f.debug("/debug/vars")), &vars); err != nil {
		f.t.Fatal(err)
	}
	return vars.Memstats.HeapAlloc + vars.Memstats.StackInuse
}

func (f *abused) debug(path string) string {
	f.t.Helper()
	a, err := ask(fresh, "http://"+f.address("traefik")+path, "")
	if err != nil || a.status != http.StatusOK {
		f.t.Fatalf("GET %s: %d, %v", path, a.status, err)
	}
	return a.text
}

// memory reads VmRSS (resident now) or VmHWM (its peak), in bytes.
func (f *abused) memory(field string) int64 {
	f.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", f.cmd.Process.Pid))
	if err != nil {
		f.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), field+":")
	number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		f.t.Fatal(err)
	}
	return n * kilobyte
}

// held returns how many goroutines and file descriptors fairway has.
func (f *abused) held() (goroutines, descriptors int) {
	f.t.Helper()
	line, _, _ := strings.Cut(f.debug("/debug/pprof/goroutine?debug=1"), "\n")
	if _, err := fmt.Sscanf(line, "goroutine profile: total %d", &goroutines); err != nil {
		f.t.Fatalf("%q: %v", line, err)
	}
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", f.cmd.Process.Pid))
	if err != nil {
		f.t.Fatal(err)
	}
	return goroutines, len(list)
}

// returnsTo waits until fairway holds no more than it did before, but for what
// the other clients and the API need.
func (f *abused) returnsTo(goroutines, descriptors int) {
	f.t.Helper()
	const spare = 12
	var g, d int
	f.await("goroutines and descriptors to be given back", func() bool {
		g, d = f.held()
		return g <= goroutines+spare && d <= descriptors+spare
	})
	f.t.Logf("%d goroutines and %d descriptors, before %d and %d", g, d, goroutines, descriptors)
}

// dial connects to the entry point, by TLS or not.
func (f *abused) dial(secure bool) (net.Conn, error) {
	conn, err := dialTCP(f.address("web"))
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	if !secure {
		return conn, nil
	}
	c := tls.Client(conn, &tls.Config{ServerName: "a.test", InsecureSkipVerify: true})
	if err := c.Handshake(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return c, nil
}

// versions are the ways to speak to an entry point.
var versions = []string{"HTTP/1.1", "HTTPS", "HTTP/2"}

// stream is a request under way. Its length is -1 for one that is not told.
type stream struct {
	f       *abused
	version string
	path    string
	length  int64
	sent    atomic.Int64 // bytes of the body
}

// do asks: with POST if there is a body. The caller closes the body of the response.
func (s *stream) do(ctx context.Context, body int64) (*http.Response, error) {
	switch s.version {
	case "HTTP/2":
		return s.two(ctx, body)
	default:
		return s.one(ctx, body)
	}
}

// one speaks HTTP/1.1 itself: it listens to the answer while it still sends.
func (s *stream) one(ctx context.Context, body int64) (*http.Response, error) {
	conn, err := s.f.dial(s.version == "HTTPS")
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	s.f.t.Cleanup(func() { stop(); _ = conn.Close() })
	method, framing := "GET", ""
	switch {
	case body > 0 && s.length >= 0:
		method, framing = "POST", fmt.Sprintf("Content-Length: %d\r\n", s.length)
	case body > 0:
		method, framing = "POST", "Transfer-Encoding: chunked\r\n"
	}
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: a.test\r\n%s\r\n", method, s.path, framing); err != nil {
		return nil, err
	}
	if body > 0 {
		go func() { // ends with the connection
			to := io.Writer(conn)
			if s.length < 0 {
				to = inChunks{conn}
			}
			_, err := io.CopyBuffer(to, s.content(body), make([]byte, 32<<10))
			if err == nil && s.length < 0 {
				_, _ = io.WriteString(conn, "0\r\n\r\n")
			}
		}()
	}
	req, _ := http.NewRequest(method, "http://a.test", nil)
	return http.ReadResponse(bufio.NewReader(conn), req)
}

func (s *stream) two(ctx context.Context, body int64) (*http.Response, error) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	s.f.t.Cleanup(transport.CloseIdleConnections)
	method, content := "GET", io.Reader(nil)
	if body > 0 {
		method, content = "POST", s.content(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, "https://"+s.f.address("web")+s.path, content)
	if err != nil {
		return nil, err
	}
	req.Host = "a.test"
	if body > 0 {
		req.ContentLength = s.length
	}
	res, err := transport.RoundTrip(req)
	if err == nil && res.ProtoMajor != 2 {
		return res, fmt.Errorf("the answer came by %s", res.Proto)
	}
	return res, err
}

// content is a body of n bytes. It counts what is taken of it.
func (s *stream) content(n int64) io.Reader {
	return io.LimitReader(readerFunc(func(p []byte) (int, error) {
		clear(p)
		s.sent.Add(int64(len(p)))
		return len(p), nil
	}), n)
}

type readerFunc func([]byte) (int, error)

func (r readerFunc) Read(p []byte) (int, error) { return r(p) }

// inChunks writes each part as a chunk, in one write.
type inChunks struct{ io.Writer }

func (c inChunks) Write(p []byte) (int, error) {
	part := append(fmt.Appendf(nil, "%x\r\n", len(p)), p...)
	_, err := c.Writer.Write(append(part, "\r\n"...))
	return len(p), err
}

// stalls waits until a count stands still.
func (f *abused) stalls(what string, count func() int64) int64 {
	f.t.Helper()
	before, same := int64(-1), 0
	f.await(what+" to stand still", func() bool {
		time.Sleep(10 * time.Millisecond)
		now := count()
		if now != before {
			same = 0
		}
		before, same = now, same+1
		return now > 0 && same > 12
	})
	return before
}

// scripted starts a server that hands each connection to serve and then closes it.
// It returns the address.
func scripted(t *testing.T, serve func(c net.Conn, r *bufio.Reader)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over, end := context.WithCancel(context.Background())
	t.Cleanup(func() { end(); _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				stop := context.AfterFunc(over, func() { _ = c.Close() })
				defer stop()
				defer c.Close()
				serve(c, bufio.NewReader(c))
			}()
		}
	}()
	return l.Addr().String()
}

// answering is a server that reads requests to their end and answers with a kilobyte.
func answering(t *testing.T) string {
	t.Helper()
	text := append([]byte("HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n"), bytes.Repeat([]byte("x"), 1024)...)
	return scripted(t, func(c net.Conn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return
			}
			if _, err := c.Write(text); err != nil {
				return
			}
		}
	})
}

// hearAnswer reads a response and its body.
func hearAnswer(r *bufio.Reader) (status int, body string, err error) {
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}
