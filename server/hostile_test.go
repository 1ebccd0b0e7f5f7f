package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// faulty are answers of servers that must not reach a client as they are, with
// what the log has to say. A server that hangs keeps the connection open.
var faulty = []struct {
	name, answer string
	hangs        bool
	status       int // 0: the client is cut off
	cause        string
}{
	{"closes at once", "", false, 502, "closed the connection without an answer"},
	{"garbage", "SSH-2.0-OpenSSH_9.6\r\n", true, 502, "malformed status line"},
	{"half a head", "HTTP/1.1 200 OK\r\nContent-", false, 502, "closed the connection without an answer"},
	{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", true, 502, "several Content-Length fields"},
	{"length list", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", true, 502, "Content-Length is no number"},
	{"signed length", "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", true, 502, "Content-Length is no number"},
	{"length and coding", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true, 502, "both Content-Length and Transfer-Encoding"},
	{"coding twice", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true, 502, "not one chunked"},
	{"disguised coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", true, 502, "not one chunked"},
	{"coding in 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true, 502, "Transfer-Encoding in HTTP/1.0"},
	{"folded line", "HTTP/1.1 200 OK\r\nX-A: b\r\n Content-Length: 0\r\n\r\n", true, 502, "folded"},
	{"bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", true, 502, "LF without CR"},
	{"bare LF in a value", "HTTP/1.1 200 OK\r\nX-A: b\nX-B: c\r\nContent-Length: 0\r\n\r\n", true, 502, "LF without CR"},
	{"bare CR in a value", "HTTP/1.1 200 OK\r\nX-A: b\rX-B: c\r\nContent-Length: 0\r\n\r\n", true, 502, "CR without LF"},
	{"NUL in a value", "HTTP/1.1 200 OK\r\nX-A: \x00\r\nContent-Length: 0\r\n\r\n", true, 502, "control byte"},
	{"space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n", true, 502, "space between field name and colon"},
	{"name that is none", "HTTP/1.1 200 OK\r\nX(A): 1\r\nContent-Length: 0\r\n\r\n", true, 502, "field name is no token"},
	{"HTTP/2 answer", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", true, 502, "malformed status line"},
	{"status of four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", true, 502, "malformed status line"},
	{"endless head", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: 0123456789\r\n", 6000), true, 502, "head is too long"},
	{"head of one line", "HTTP/1.1 200 " + strings.Repeat("O", 70000), true, 502, "head is too long"},
	{"too many fields", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 200) + "\r\n", true, 502, "too many fields"},
	{"informs for ever", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 2000), true, 502, "too many informational responses"},
	{"switch that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n", true, 502, "not asked for"},
	{"stops in a body", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 70000), false, 0, "closed the connection in the middle"},
	{"stops in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", false, 0, "closed the connection in the middle"},
	{"no last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", false, 0, "closed the connection in the middle"},
	{"malformed chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n0\r\n\r\n", true, 0, "malformed chunk size"},
	{"chunk that is too long", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n", true, 0, "chunk does not end where its size says"},
	{"chunk size that overflows", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n0\r\n\r\n", true, 0, "chunk size is too large"},
	{"framing in trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n", true, 0, "not allowed as a trailer"},
}

func TestServer_FaultyServers(t *testing.T) {
	url := scripted(t, func(c net.Conn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if req.URL.Path == "/" {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				continue
			}
			var n int
			_, _ = fmt.Sscanf(req.URL.Path, "/%d", &n)
			_, _ = io.WriteString(c, faulty[n].answer)
			if !faulty[n].hangs {
				return
			}
			_, _ = io.Copy(io.Discard, r)
		}
	})
	engines(t, url, func(t *testing.T, r *running) {
		for i, tt := range faulty {
			got := r.ask(t, fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: a.test\r\n\r\n", i))
			switch {
			case tt.status != 0 && got.status != tt.status:
				t.Errorf("%s: got %d, %v, want %d", tt.name, got.status, got.err, tt.status)
			case tt.status == 0 && got.err == nil && !got.cut:
				t.Errorf("%s: got all of %d %q, want it cut off", tt.name, got.status, got.body)
			}
			want := fmt.Sprintf("path=/%d ", i)
			await(t, tt.name+": a line in the log", func() bool { return strings.Contains(r.log.String(), want) })
			for line := range strings.Lines(r.log.String()) {
				if strings.Contains(line, want) && !strings.Contains(line, tt.cause) {
					t.Errorf("%s: the log does not say %q: %s", tt.name, tt.cause, line)
				}
			}
			if got := r.ask(t, plainGet); got.status != 200 || got.body != "ok" {
				t.Errorf("%s: the next client got %d %q, %v", tt.name, got.status, got.body, got.err)
			}
		}
	})
}

// What comes behind a response is never taken for the answer to another request.
func TestServer_BytesBehindAResponse(t *testing.T) {
	const behind = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
	for name, answer := range map[string]string{
		"length":     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"chunks":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"no content": "HTTP/1.1 204 No Content\r\n\r\n",
		"unchanged":  "HTTP/1.1 304 Not Modified\r\nContent-Length: 39\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			url := scripted(t, func(c net.Conn, r *bufio.Reader) {
				for {
					if _, err := http.ReadRequest(r); err != nil {
						return
					}
					_, _ = io.WriteString(c, answer+behind)
				}
			})
			engines(t, url, func(t *testing.T, r *running) {
				for range 20 {
					if got := r.ask(t, plainGet); got.err != nil || got.body == "evil" {
						t.Fatalf("got %d %q, %v", got.status, got.body, got.err)
					}
				}
			})
		})
	}
}

// A client that breaks off in the middle of its request leaves nothing behind: the
// server sees the end, instead of waiting for the rest.
func TestServer_ClientsThatBreakOff(t *testing.T) {
	long := fmt.Sprintf("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n", 1<<20)
	requests := map[string]string{
		"long body":     long + strings.Repeat("x", 300000),
		"chunk":         "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
		"silent server": plainGet,
	}
	begun, ended := make(chan struct{}, 1), make(chan struct{}, 1)
	url := scripted(t, func(_ net.Conn, r *bufio.Reader) {
		if _, err := r.Peek(1); err != nil {
			return
		}
		begun <- struct{}{}
		_, _ = io.Copy(io.Discard, r)
		ended <- struct{}{}
	})
	engines(t, url, func(t *testing.T, r *running) {
		for name, request := range requests {
			t.Run(name, func(t *testing.T) {
				p := r.dial(t).say(request)
				<-begun
				_ = p.Close()
				<-ended
			})
		}
		_ = r.dial(t).say("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nhello").Close()
		for _, e := range r.entryPoints {
			await(t, "end of all requests", func() bool { return e.outer.active.Load() == 0 })
		}
	})
}

func TestServer_AMalformedBodyIsTheClientsFault(t *testing.T) {
	ended := make(chan struct{}, 1)
	url := scripted(t, func(_ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r); ended <- struct{}{} })
	engines(t, url, func(t *testing.T, r *running) {
		p := r.dial(t).say("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n")
		if got := p.hear("POST"); got.status != 400 {
			t.Errorf("got %d, %v, want 400", got.status, got.err)
		}
		<-ended
	})
}

// A client that does not read holds the server back, and costs no memory.
func TestServer_SlowReadersHoldTheServerBack(t *testing.T) {
	const total = 256 << 20
	for name, head := range map[string]string{"length": fmt.Sprintf("Content-Length: %d", total), "chunks": "Transfer-Encoding: chunked"} {
		t.Run(name, func(t *testing.T) {
			var written atomic.Int64
			url := scripted(t, func(c net.Conn, r *bufio.Reader) {
				if _, err := http.ReadRequest(r); err != nil {
					return
				}
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+head+"\r\n\r\n")
				part := fmt.Sprintf("%x\r\n%s\r\n", 64<<10, strings.Repeat("x", 64<<10))
				for written.Load() < total {
					n, err := io.WriteString(c, part)
					if written.Add(int64(n)); err != nil {
						return
					}
				}
			})
			engines(t, url, func(t *testing.T, r *running) {
				written.Store(0)
				p := r.dial(t).say(plainGet)
				if _, err := p.r.Peek(1); err != nil {
					t.Fatal(err)
				}
				before := int64(-1)
				await(t, "writes of the server stop", func() bool {
					now := written.Load()
					stopped := now == before
					before = now
					return stopped && now < total/2
				})
			})
		})
	}
}

// A server that answers before it has read the body: the client gets the answer.
func TestServer_EarlyAnswers(t *testing.T) {
	url := scripted(t, func(c net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
		_, _ = io.Copy(io.Discard, r)
	})
	engines(t, url, func(t *testing.T, r *running) {
		for name, head := range map[string]string{"length": "Content-Length: 10000000", "chunks": "Transfer-Encoding: chunked"} {
			p := r.dial(t).say("POST / HTTP/1.1\r\nHost: a.test\r\n" + head + "\r\n\r\n")
			if got := p.hear("POST"); got.status != 413 || got.body != "no" {
				t.Errorf("%s: got %d %q, %v", name, got.status, got.body, got.err)
			}
			p.mustEnd()
		}
		if strings.Contains(r.log.String(), "request failed") {
			t.Errorf("an answer is logged as failure: %s", r.log)
		}
	})
}

// Both sides talk in turns, in one request.
func TestServer_FullDuplex(t *testing.T) {
	url := scripted(t, func(c net.Conn, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		_, _ = io.Copy(chunks{c}, req.Body)
		_, _ = io.WriteString(c, "0\r\n\r\n")
	})
	engines(t, url, func(t *testing.T, r *running) {
		p := r.dial(t).say("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n")
		res, err := http.ReadResponse(p.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 4)
		for _, word := range []string{"ping", "pong", "ping"} {
			p.say("4\r\n" + word + "\r\n")
			if _, err := io.ReadFull(res.Body, buf); err != nil || string(buf) != word {
				t.Fatalf("got %q, %v, want %q", buf, err, word)
			}
		}
		p.say("0\r\n\r\n")
		if rest, err := io.ReadAll(res.Body); err != nil || len(rest) > 0 {
			t.Errorf("at the end: got %q, %v", rest, err)
		}
	})
}

// chunks writes each part as a chunk.
type chunks struct{ io.Writer }

func (c chunks) Write(p []byte) (int, error) {
	_, err := fmt.Fprintf(c.Writer, "%x\r\n%s\r\n", len(p), p)
	return len(p), err
}

func TestServer_ExpectContinue(t *testing.T) {
	url := behaving(t)
	engines(t, url, func(t *testing.T, r *running) {
		p := r.dial(t)
		for range 2 {
			p.say("POST /echo HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
			line, err := p.r.ReadString('\n')
			if err != nil || line != "HTTP/1.1 100 Continue\r\n" {
				t.Fatalf("got %q, %v", line, err)
			}
			_, _ = p.r.ReadString('\n')
			if got := p.say("body").hear("POST"); got.status != 200 || !strings.HasSuffix(got.body, `"body"`) {
				t.Errorf("got %d %q, %v", got.status, got.body, got.err)
			}
		}
	})
}

// The head of a response, and each part of it, is sent on before the server says
// more.
func TestServer_NothingIsHeldBack(t *testing.T) {
	more := make(chan struct{})
	url := scripted(t, func(c net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		for _, part := range []string{"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n", "4\r\none\n\r\n", "4\r\ntwo\n\r\n", "0\r\n\r\n"} {
			_, _ = io.WriteString(c, part)
			<-more
		}
	})
	engines(t, url, func(t *testing.T, r *running) {
		p := r.dial(t).say(plainGet)
		res, err := http.ReadResponse(p.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		body := bufio.NewReader(res.Body)
		for _, want := range []string{"one\n", "two\n"} {
			more <- struct{}{}
			if line, err := body.ReadString('\n'); err != nil || line != want {
				t.Errorf("got %q, %v", line, err)
			}
		}
		more <- struct{}{}
		if _, err := body.ReadByte(); err != io.EOF {
			t.Errorf("at the end: got %v", err)
		}
		more <- struct{}{}
	})
}

// Bytes that a client sends right behind its request are for the server that
// changes the protocol, and each side may end before the other.
func TestServer_WebSocket(t *testing.T) {
	early := make(chan struct{})
	url := scripted(t, func(c net.Conn, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil || req.Header.Get("Upgrade") != "websocket" || req.Header.Get("Connection") != "Upgrade" {
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
			return
		}
		<-early
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nX-A: 1\r\n\r\nhello ")
		_, _ = io.Copy(c, r)
		_, _ = io.WriteString(c, " bye")
	})
	const ask = "GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n"
	engines(t, url, func(t *testing.T, r *running) {
		p := r.dial(t).say(ask + "early ")
		early <- struct{}{}
		got := p.hear("GET")
		if got.status != 101 || got.header.Get("Upgrade") == "" || got.header.Get("X-A") != "1" {
			t.Fatalf("got %d %v, %v", got.status, got.header, got.err)
		}
		p.say("late")
		_ = p.Conn.(*net.TCPConn).CloseWrite()
		text, err := io.ReadAll(p.r)
		if err != nil || string(text) != "hello early late bye" {
			t.Errorf("got %q, %v", text, err)
		}
	})
}

// One of three servers is killed under load: no client notices.
func TestServer_AKilledServer(t *testing.T) {
	var servers []*httptest.Server
	list := ""
	for range 3 {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
		t.Cleanup(s.Close)
		servers = append(servers, s)
		list += "{url: '" + s.URL + "'}, "
	}
	r := start(t, strings.Replace(routeTo("X"), "{url: 'X'}", strings.TrimSuffix(list, ", "), 1))
	var clients sync.WaitGroup
	var asked atomic.Int64
	const each = 400
	for range 8 {
		clients.Go(func() {
			p := r.dial(t)
			for range each {
				if got := p.say(plainGet).hear("GET"); got.status != 200 || got.body != "ok" {
					t.Errorf("got %d %q, %v", got.status, got.body, got.err)
					return
				}
				asked.Add(1)
			}
		})
	}
	await(t, "load", func() bool { return asked.Load() > each })
	_ = servers[1].Listener.Close()
	servers[1].CloseClientConnections()
	clients.Wait()
}
