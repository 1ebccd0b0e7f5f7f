//go:build e2e

package test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/sys/unix"
)

// Clients that ask once and stay cost little, hinder nobody, and leave nothing
// behind.
func TestAbuse_IdleConnections(t *testing.T) {
	for _, tt := range []struct {
		name   string
		secure bool
		number int
		kept   int64 // at most, by each one that is idle
		peak   int64 // at most, with the garbage that making them left
	}{
		{"plain", false, 5000, 8 * kilobyte, 16 * kilobyte},
		{"TLS", true, 1000, 24 * kilobyte, 64 * kilobyte},
	} {
		t.Run(tt.name, func(t *testing.T) {
			number := min(tt.number, descriptors(t)-1000)
			f := startAbused(t, answering(t))
			f.served()
			goroutines, open := f.held()
			conns := make([]net.Conn, number)
			defer func() {
				for _, c := range conns {
					if c != nil {
						_ = c.Close()
					}
				}
			}()
			before := f.live()
			peak := f.grows(func() {
				f.connect(conns, tt.secure)
				f.served()
				if _, d := f.held(); d < number {
					t.Errorf("%d descriptors: the connections are not kept", d)
				}
			}) / int64(number)
			kept := (f.live() - before) / int64(number)
			t.Logf("a connection keeps %d bytes; %d at the peak", kept, peak)
			if kept > tt.kept || peak > tt.peak {
				t.Errorf("a connection keeps %d bytes, want at most %d; %d at the peak, want at most %d", kept, tt.kept, peak, tt.peak)
			}
			for _, c := range conns {
				if c != nil {
					_ = c.Close()
				}
			}
			f.returnsTo(goroutines, open)
			f.served()
		})
	}
}

// When no more files can be opened, clients wait until others have gone.
func TestAbuse_OutOfDescriptors(t *testing.T) {
	f := startAbused(t, answering(t))
	f.served()
	goroutines, open := f.held()
	few := unix.Rlimit{Cur: uint64(open) + 20, Max: uint64(open) + 20}
	if err := unix.Prlimit(f.cmd.Process.Pid, unix.RLIMIT_NOFILE, &few, nil); err != nil {
		t.Fatal(err)
	}
	conns := make([]net.Conn, 200) // more than are accepted: the rest waits in the kernel
	for i := range conns {
		c, err := f.dial(false)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns[i] = c
	}
	f.await("all descriptors to be in use", func() bool {
		list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", f.cmd.Process.Pid))
		return err == nil && len(list) >= int(few.Cur)
	})
	for _, c := range conns {
		_ = c.Close()
	}
	f.returnsTo(goroutines, open)
	f.served()
}

// descriptors is how many files the tests may open. Fairway may open as many.
func descriptors(t *testing.T) int {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Max < 2000 {
		t.Fatalf("only %d files may be open: raise the limit (ulimit -Hn)", limit.Max)
	}
	return int(min(limit.Max, 1<<20))
}

// connect fills conns with connections that have each asked once.
func (f *abused) connect(conns []net.Conn, secure bool) {
	var workers sync.WaitGroup
	var next atomic.Int64
	for range 8 {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(conns)); i = next.Add(1) - 1 {
				c, err := f.dial(secure)
				if err != nil {
					f.t.Error(err)
					return
				}
				conns[i] = c
				_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
				if status, _, err := hearAnswer(bufio.NewReader(c)); status != http.StatusOK {
					f.t.Errorf("connection %d: got %d, %v", i, status, err)
					return
				}
			}
		})
	}
	workers.Wait()
}

// slow are a request, a TLS handshake and the beginning of HTTP/2.
var slow = []string{
	"GET / HTTP/1.1\r\nHost: a.test\r\nX-A: " + strings.Repeat("a", 1000),
	"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("a", 1000),
	http2.ClientPreface + strings.Repeat("\x00", 1000),
}

// Clients that send a byte of their head now and then are cut off, and hinder
// nobody meanwhile.
func TestAbuse_SlowHeads(t *testing.T) {
	const number = 500
	f := startAbused(t, answering(t), "--entrypoints.web.transport.respondingtimeouts.readheadertimeout=1s")
	goroutines, open := f.held()
	var clients sync.WaitGroup
	f.boundedWhile(func() {
		for i := range number {
			c, err := f.dial(false)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
			clients.Go(func() {
				text := slow[i%len(slow)]
				cutOff(t, c, text[:i%25], text[i%25:])
			})
		}
		f.served()
		clients.Wait()
	})
	f.returnsTo(goroutines, open)
}

// cutOff sends the beginning of a text, and the rest byte after byte, until the
// connection is closed.
func cutOff(t *testing.T, c net.Conn, begin, rest string) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		text, err := io.ReadAll(c)
		if isTimeout(err) {
			t.Errorf("a slow client is not cut off: %v", err)
		}
		if strings.HasPrefix(string(text), "HTTP/1.1 200") {
			t.Errorf("a slow client got %q", text)
		}
		_ = c.Close()
	}()
	_, err := io.WriteString(c, begin)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := 0; err == nil && i < len(rest); i++ {
		select {
		case <-over:
		case <-tick.C:
		}
		_, err = io.WriteString(c, rest[i:i+1])
	}
	<-over
}

// endless are requests whose heads, or what comes between the parts of their
// bodies, have no end.
var endless = []struct {
	name, begin, repeat string
	status              int
}{
	{"one field", "GET / HTTP/1.1\r\nHost: a.test\r\nX-A: ", "0123456789abcdef", 431},
	{"name of a field", "GET / HTTP/1.1\r\nHost: a.test\r\nX-", "0123456789abcdef", 431},
	{"many fields", "GET / HTTP/1.1\r\nHost: a.test\r\n", "X-A: b\r\n", 431},
	{"URI", "GET /", "0123456789abcdef", 414},
	{"query", "GET /?a=", "0123456789abcdef", 414},
	{"method", "", "ABCDEFGH", 414},
	{"chunk extensions", "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5;a=", "0123456789abcdef", 400},
	{"chunk size", "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n", "0000000000000000", 400},
	{"trailer", "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", "X-A: b\r\n", 400},
	{"field of the trailer", "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: ", "0123456789abcdef", 400},
}

// Twenty clients at once send what has no end: each is refused, at bounded cost.
func TestAbuse_EndlessHeads(t *testing.T) {
	const (
		clients = 20
		total   = 100 * megabyte
	)
	for _, secure := range []bool{false, true} {
		f := startAbused(t, answering(t))
		f.served()
		for _, tt := range endless {
			t.Run(fmt.Sprintf("%s/TLS=%t", tt.name, secure), func(t *testing.T) {
				f := &abused{fairway: f.fairway, t: t}
				part := []byte(strings.Repeat(tt.repeat, 64<<10/len(tt.repeat)))
				f.boundedWhile(func() {
					var all sync.WaitGroup
					for range clients {
						all.Go(func() { f.overwhelm(secure, tt.begin, part, total, tt.status) })
					}
					f.served()
					all.Wait()
				})
				f.served()
			})
		}
	}
}

// overwhelm sends until it is refused, and checks the status. That comes although
// the client is still sending.
func (f *abused) overwhelm(secure bool, begin string, part []byte, total int64, want int) {
	c, err := f.dial(secure)
	if err != nil {
		f.t.Error(err)
		return
	}
	defer c.Close()
	refused := make(chan struct{})
	go func() {
		defer close(refused)
		status, body, err := hearAnswer(bufio.NewReader(c))
		if status != want {
			f.t.Errorf("got %d %q, %v, want %d", status, body, err, want)
		}
	}()
	_, err = io.WriteString(c, begin)
	sent := int64(0)
	for n := 0; err == nil && sent < total; sent += int64(n) {
		select {
		case <-refused:
			err = net.ErrClosed
		default:
			n, err = c.Write(part)
		}
	}
	if err == nil {
		f.t.Errorf("%d MiB were taken", sent/megabyte)
	}
	<-refused
}

// In HTTP/2 a head goes on in CONTINUATION frames: without end as well, if nobody
// counts (CVE-2023-45288).
func TestAbuse_EndlessHeadsHTTP2(t *testing.T) {
	const (
		clients = 20
		total   = 100 * megabyte
	)
	f := startAbused(t, answering(t))
	f.served()
	// A field that is not kept for later: its name has one byte, its value 16,000.
	field := append([]byte("\x00\x01x\x7f\x81\x7c"), strings.Repeat("a", 16_000)...)
	f.boundedWhile(func() {
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				c, err := f.dial(false)
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				go func() { _, _ = io.Copy(io.Discard, c) }() // ends with the connection
				_, err = io.WriteString(c, http2.ClientPreface)
				framer := http2.NewFramer(c, nil)
				err = errors.Join(err, framer.WriteSettings(), framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: field}))
				for sent := int64(0); err == nil; sent += int64(len(field)) {
					if err = framer.WriteContinuation(1, false, field); sent > total {
						t.Errorf("%d MiB were taken", sent/megabyte)
						return
					}
				}
				if isTimeout(err) {
					t.Errorf("the client is not cut off: %v", err)
				}
			})
		}
		f.served()
		all.Wait()
	})
	f.served()
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// A body in chunks of one byte is long on the wire, not in memory.
func TestAbuse_ChunksOfOneByte(t *testing.T) {
	const clients, chunks = 4, 1_000_000
	var taken atomic.Int64
	f := startAbused(t, scripted(t, func(c net.Conn, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		n, _ := io.Copy(io.Discard, req.Body)
		taken.Add(n)
		_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
	}))
	part := strings.Repeat("1\r\na\r\n", 10_000)
	for _, secure := range []bool{false, true} {
		taken.Store(0)
		f.boundedWhile(func() {
			var all sync.WaitGroup
			for range clients {
				all.Go(func() {
					c, err := f.dial(secure)
					if err != nil {
						t.Error(err)
						return
					}
					defer c.Close()
					_, err = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n")
					for i := 0; i < chunks/10_000 && err == nil; i++ {
						_, err = io.WriteString(c, part)
					}
					_, _ = io.WriteString(c, "0\r\n\r\n")
					if status, _, heard := hearAnswer(bufio.NewReader(c)); status != http.StatusNoContent {
						t.Errorf("got %d, %v, %v", status, err, heard)
					}
				})
			}
			f.served()
			all.Wait()
		})
		if got := taken.Load(); got != clients*chunks {
			t.Errorf("the server got %d bytes, want %d", got, clients*chunks)
		}
	}
}

// A server that answers while an upload of a gigabyte is under way has had enough
// of it: the client gets the answer at once, and the rest goes nowhere.
func TestAbuse_EarlyAnswers(t *testing.T) {
	for name, reads := range map[string]bool{"and closes": false, "and goes on reading": true} {
		f := startAbused(t, scripted(t, func(c net.Conn, r *bufio.Reader) {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
			if reads {
				_, _ = io.Copy(io.Discard, r)
			}
		}))
		f.served()
		f.each(t, name, func(t *testing.T, f *abused, s *stream) {
			f.boundedWhile(func() {
				res, err := s.do(t.Context(), gigabyte)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if text, err := io.ReadAll(res.Body); res.StatusCode != http.StatusRequestEntityTooLarge || string(text) != "no" {
					t.Errorf("got %d %q, %v", res.StatusCode, text, err)
				}
				f.served()
			})
			if sent := s.sent.Load(); sent >= gigabyte {
				t.Errorf("all of the body was taken")
			}
		})
	}
}

// each runs a test for every version, with a known length and without, on a plain
// route and on one with a middleware that wraps the writer.
func (f *abused) each(t *testing.T, name string, test func(*testing.T, *abused, *stream)) {
	t.Helper()
	for _, version := range versions {
		for framing, length := range map[string]int64{"length": gigabyte, "chunks": -1} {
			for _, path := range []string{"/", "/wrapped"} {
				t.Run(fmt.Sprintf("%s/%s/%s%s", name, version, framing, path), func(t *testing.T) {
					f := &abused{fairway: f.fairway, t: t}
					test(t, f, &stream{f: f, version: version, path: path, length: length})
				})
			}
		}
	}
}

// A second answer to one request is nobody's.
func TestAbuse_SecondAnswers(t *testing.T) {
	f := startAbused(t, scripted(t, func(c net.Conn, r *bufio.Reader) {
		for {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
		}
	}))
	for _, version := range versions {
		for range 50 {
			res, err := (&stream{f: f, version: version, path: "/"}).do(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(res.Body)
			if _ = res.Body.Close(); err != nil || string(text) != "ok" {
				t.Errorf("%s: got %d %q, %v", version, res.StatusCode, text, err)
			}
		}
	}
	f.served()
}

// When a client gives up on a server that does not answer, the server is told.
func TestAbuse_NoAnswer(t *testing.T) {
	asked, gone := make(chan struct{}), make(chan struct{})
	f := startAbused(t, scripted(t, func(_ net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		asked <- struct{}{}
		_, _ = io.Copy(io.Discard, r)
		gone <- struct{}{}
	}))
	for _, version := range versions {
		for _, path := range []string{"/", "/wrapped"} {
			ctx, giveUp := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				if res, err := (&stream{f: f, version: version, path: path}).do(ctx, 0); err == nil {
					t.Errorf("%s: got %d", version, res.StatusCode)
				}
			}()
			within(t, "the server to be asked", asked)
			f.served()
			giveUp()
			<-ended
			within(t, version+": the server to be told", gone)
		}
	}
}

func within(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
	}
}

// A response that ends in the middle must not look whole.
func TestAbuse_HalfAnswers(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	answers := map[string]string{
		"/length":  "Content-Length: 1000000\r\n\r\n" + long,
		"/chunk":   "Transfer-Encoding: chunked\r\n\r\nfffff\r\n" + long,
		"/no-last": "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n", len(long), long),
	}
	f := startAbused(t, scripted(t, func(c net.Conn, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+answers[strings.TrimPrefix(req.URL.Path, "/wrapped")])
	}))
	for _, version := range versions {
		for path := range answers {
			for _, path := range []string{path, "/wrapped" + path} {
				res, err := (&stream{f: f, version: version, path: path}).do(t.Context(), 0)
				if err != nil {
					t.Fatal(err)
				}
				n, err := io.Copy(io.Discard, res.Body)
				if _ = res.Body.Close(); err == nil {
					t.Errorf("%s %s: %d bytes look like the whole of it", version, path, n)
				}
			}
		}
	}
	f.served()
}

// A client that does not read a gigabyte holds the server back; fairway keeps none
// of it.
func TestAbuse_SlowReaders(t *testing.T) {
	var sent atomic.Int64
	gone := make(chan struct{}, 1)
	f := startAbused(t, scripted(t, func(c net.Conn, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		head, to := fmt.Sprintf("Content-Length: %d", gigabyte), io.Writer(c)
		if strings.HasSuffix(req.URL.Path, "chunks") {
			head, to = "Transfer-Encoding: chunked", inChunks{c}
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+head+"\r\n\r\n")
		part := make([]byte, 64<<10)
		for err == nil && sent.Load() < gigabyte {
			_, err = to.Write(part)
			sent.Add(int64(len(part)))
		}
		gone <- struct{}{}
	}))
	f.served()
	f.each(t, "download", func(t *testing.T, f *abused, s *stream) {
		sent.Store(0)
		if s.length < 0 {
			s.path = strings.TrimSuffix(s.path, "/") + "/chunks"
		}
		ctx, giveUp := context.WithCancel(t.Context())
		defer giveUp()
		f.boundedWhile(func() {
			res, err := s.do(ctx, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusOK || (res.Header.Get("X-Wrapped") != "") != strings.HasPrefix(s.path, "/wrapped") {
				t.Fatalf("got %d, %v", res.StatusCode, res.Header)
			}
			if n := f.stalls("the server", sent.Load); n >= gigabyte/2 {
				t.Errorf("%d MiB of the response were taken", n/megabyte)
			}
			f.served()
			giveUp()
		})
		within(t, "the server to be told", gone)
	})
}

// A server that does not read a gigabyte holds the client back.
func TestAbuse_SlowServers(t *testing.T) {
	release := make(chan struct{})
	f := startAbused(t, scripted(t, func(c net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		<-release
		_, _ = io.WriteString(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
		_, _ = io.Copy(io.Discard, r)
	}))
	f.served()
	f.each(t, "upload", func(t *testing.T, f *abused, s *stream) {
		f.boundedWhile(func() {
			answered := make(chan struct{})
			go func() {
				defer close(answered)
				res, err := s.do(t.Context(), gigabyte)
				if err != nil || res.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("in the end: got %v, %v", res, err)
				}
				if err == nil {
					_ = res.Body.Close()
				}
			}()
			if n := f.stalls("the client", s.sent.Load); n >= gigabyte/2 {
				t.Errorf("%d MiB of the request were taken", n/megabyte)
			}
			f.served()
			release <- struct{}{}
			within(t, "the answer", answered)
		})
	})
}
