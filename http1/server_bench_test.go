package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

const browserHead = "GET /static/app.js?v=3 HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101\r\n" +
	"Accept: */*\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en-US,en;q=0.5\r\nReferer: https://www.example.com/\r\n" +
	"Cookie: session=0123456789abcdef\r\nConnection: keep-alive\r\n\r\n"

func BenchmarkParseRequest(b *testing.B) {
	limits := Limits{}.withDefaults()
	for _, m := range []struct{ name, head string }{
		{"browser", browserHead}, {"lower", strings.ToLower(browserHead[:20]) + browserHead[20:]}, {"wrk", plainGet("/")},
	} {
		raw := []byte(m.head)
		if m.name == "lower" {
			line, rest, _ := strings.Cut(browserHead, "\r\n")
			raw = []byte(line + "\r\n" + strings.ToLower(rest))
		}
		b.Run(m.name, func(b *testing.B) {
			q := newRequest(new(http.Request))
			b.ReportAllocs()
			for b.Loop() {
				if err := q.parse(raw, &limits); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseResponse(b *testing.B) {
	limits := Limits{}.withDefaults()
	raw := []byte("HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Wed, 25 Nov 2026 19:42:48 GMT\r\nContent-Type: text/html\r\nContent-Length: 1024\r\n" +
		"Last-Modified: Wed, 25 Nov 2026 19:42:48 GMT\r\nConnection: keep-alive\r\nETag: \"6565-400\"\r\nAccept-Ranges: bytes\r\n\r\n")
	var p Response
	b.ReportAllocs()
	for b.Loop() {
		if err := p.parse(raw, "GET", &limits); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkServer_SmallGET has one allocation per request: the copy of the head.
func BenchmarkServer_SmallGET(b *testing.B) {
	text := strings.Repeat("x", 1024)
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = textPlain
		_, _ = io.WriteString(w, text)
	})
	b.Run("engine", func(b *testing.B) { benchmarkGET(b, serve(b, &Server{Handler: h})) })
	b.Run("standard", func(b *testing.B) { benchmarkGET(b, serveStandard(b, h)) })
}

var textPlain = []string{"text/plain"}

func benchmarkGET(b *testing.B, address string) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	request := []byte(browserHead)
	buf := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		n, err := c.Read(buf)
		for err == nil && !bytes.HasSuffix(buf[:n], []byte("xxx")) {
			var m int
			m, err = c.Read(buf[n:])
			n += m
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkServer_PostEcho(b *testing.B) {
	address := serveFunc(b, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		if n != 16384 {
			panic(n)
		}
	})
	c, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	request := []byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16384\r\n\r\n" + strings.Repeat("x", 16384))
	br := bufio.NewReader(c)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		for {
			line, err := br.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			if len(line) == 2 {
				break
			}
		}
	}
}

// BenchmarkServer_IdleConnection reports the memory of a connection that has
// served a request and waits for another; the client's side of it, in the same
// process, is counted, too.
func BenchmarkServer_IdleConnection(b *testing.B) {
	address := serveFunc(b, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	const n = 5000
	for b.Loop() {
		before := memory()
		conns := make([]net.Conn, 0, n)
		for range n {
			c, err := net.Dial("tcp", address)
			if err != nil {
				b.Fatal(err)
			}
			conns = append(conns, c)
		}
		buf := make([]byte, 4096)
		for _, c := range conns {
			_, _ = fmt.Fprint(c, browserHead)
			if _, err := c.Read(buf); err != nil {
				b.Fatal(err)
			}
		}
		time.Sleep(50 * time.Millisecond)
		b.ReportMetric(float64(memory()-before)/n, "B/conn")
		for _, c := range conns {
			_ = c.Close()
		}
	}
}

// memory is what heap and stacks take after collection.
func memory() int64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
