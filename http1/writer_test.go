package http1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWriter_SmallResponseIsOneWrite(t *testing.T) {
	c, s := net.Pipe()
	server := &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-A", "b")
		_, _ = io.WriteString(w, "hello ")
		_, _ = io.WriteString(w, strings.Repeat("x", 1000))
	})}
	go server.ServeConn(s)
	defer func() { _ = server.Close() }()
	_, _ = io.WriteString(c, plainGet("/"))
	buf := make([]byte, 8192)
	n, err := c.Read(buf) // a pipe keeps writes apart
	if err != nil || !bytes.HasSuffix(buf[:n], []byte("xxx")) || !bytes.Contains(buf[:n], []byte("Content-Length: 1006\r\n")) {
		t.Errorf("got %q, %v", buf[:n], err)
	}
}

func TestWriter_IgnoresABadContentLength(t *testing.T) {
	address := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["content-length"] = []string{"1"}
		w.Header()["Content-Length"] = []string{"five"}
		w.Header()["TRANSFER-ENCODING"] = []string{"gzip"}
		_, _ = io.WriteString(w, "hello")
	})
	p := dial(t, address).send(plainGet("/"))
	got := p.mustReceive("GET")
	mustEqual(t, "body", got.body, "hello")
	mustEqual(t, "length", got.length, 5)
	mustEqual(t, "alive", p.alive(), true)
}

func TestWriter_StatusAndWritten(t *testing.T) {
	seen := make(chan string, 1)
	address := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
		ours := w.(*Writer)
		text := fmt.Sprint(ours.Status(), ours.Written())
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "hello")
		seen <- text + fmt.Sprint(" ", ours.Status(), ours.Written())
	})
	dial(t, address).send(plainGet("/")).mustReceive("GET")
	mustEqual(t, "status and length", <-seen, "0 0 418 5")
}

func TestWriter_CannotBeUsedAfterTheHandler(t *testing.T) {
	writers := make(chan http.ResponseWriter, 1)
	address := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		r.Context().Done() // so that it is not used again
		writers <- w
	})
	p := dial(t, address).send(plainGet("/"))
	p.mustReceive("GET")
	w := <-writers
	if _, err := io.WriteString(w, "late"); err == nil {
		t.Error("a late write is no error")
	}
	if err := http.NewResponseController(w).Flush(); err == nil {
		t.Error("a late flush is no error")
	}
	if _, _, err := http.NewResponseController(w).Hijack(); err == nil {
		t.Error("a late hijack is no error")
	}
}

func TestWriter_FullDuplex(t *testing.T) {
	address := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		if err := c.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		buf := make([]byte, 10)
		for {
			n, err := r.Body.Read(buf)
			_, _ = w.Write(bytes.ToUpper(buf[:n]))
			_ = c.Flush()
			if err != nil {
				return
			}
		}
	})
	p := dial(t, address).send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
	res, err := http.ReadResponse(p.br, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range "bcd" {
		got := make([]byte, 1)
		if _, err := io.ReadFull(res.Body, got); err != nil || got[0] != byte(c)-1-'a'+'A' {
			t.Fatalf("got %q, %v", got, err)
		}
		p.send("1\r\n" + string(c) + "\r\n")
	}
	p.send("0\r\n\r\n")
	rest, err := io.ReadAll(res.Body)
	if string(rest) != "D" || err != nil {
		t.Errorf("rest %q, %v", rest, err)
	}
	mustEqual(t, "alive", p.alive(), true)
}

func TestWriter_Deadlines(t *testing.T) {
	address := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			return
		}
		c := http.NewResponseController(w)
		if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Error(err)
		}
		_, err := r.Body.Read(make([]byte, 10))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Error(err)
		}
		body, err := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %v", body, err)
	})
	p := dial(t, address).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n")
	time.Sleep(150 * time.Millisecond)
	p.send("ab")
	mustEqual(t, "body", p.mustReceive("POST").body, "ab <nil>")
	mustEqual(t, "alive", p.alive(), true)
}

func TestWriter_Hijack(t *testing.T) {
	address := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/101" {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "echo")
			w.WriteHeader(http.StatusSwitchingProtocols)
		}
		r.Context().Done() // have it watched
		time.Sleep(10 * time.Millisecond)
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := io.WriteString(w, "x"); !errors.Is(err, http.ErrHijacked) {
			t.Error(err)
		}
		go func() {
			defer func() { _ = c.Close() }()
			if r.URL.Path != "/101" {
				_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			}
			_ = rw.Flush()
			_, _ = io.Copy(c, rw)
		}()
	})
	for _, path := range []string{"/101", "/raw"} {
		p := dial(t, address).send(plainGet(path) + "early ")
		got := p.mustReceive("GET")
		mustEqual(t, "status", got.status, 101)
		mustEqual(t, "Upgrade", got.header.Get("Upgrade"), "echo")
		mustEqual(t, "Connection", got.header.Get("Connection"), "Upgrade")
		p.send("and late")
		_ = p.CloseWrite()
		echoed, err := io.ReadAll(p.br)
		if string(echoed) != "early and late" || err != nil {
			t.Errorf("%s: got %q, %v", path, echoed, err)
		}
	}
}

func TestWriter_ReadFrom(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 100<<10)
	file := filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	address := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(file)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = f.Close() }()
		var src io.Reader = f
		switch r.URL.Path {
		case "/length":
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		case "/limited":
			w.Header().Set("Content-Length", fmt.Sprint(len(content)/2))
			src = io.LimitReader(f, int64(len(content)/2))
		case "/beyond":
			w.Header().Set("Content-Length", fmt.Sprint(len(content)/2))
		case "/tcp":
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			c, s := tcpPair(t)
			go func() { _, _ = io.Copy(s, f); _ = s.Close() }()
			src = io.LimitReader(c, int64(len(content)))
		}
		if _, err := io.Copy(w, src); err != nil && !errors.Is(err, http.ErrContentLength) {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
	})
	for path, want := range map[string][]byte{
		"/chunked": content, "/length": content, "/tcp": content, "/limited": content[:len(content)/2], "/beyond": content[:len(content)/2],
	} {
		p := dial(t, address).send(plainGet(path))
		if got := p.mustReceive("GET"); got.body != string(want) || got.err != "" {
			t.Errorf("%s: got %d bytes, %s; want %d", path, len(got.body), got.err, len(want))
		}
		mustEqual(t, path, p.alive(), true)
	}
}

// A request's body can be written to a server's connection, by the kernel when it
// is long, and the connection of the client lives on.
func TestRequestBody_WriteTo(t *testing.T) {
	content := strings.Repeat("0123456789abcdef", 100<<10)
	sum := make(chan int, 1)
	address := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/alive" {
			return
		}
		c, s := tcpPair(t)
		go func() {
			got, _ := io.ReadAll(s)
			if string(got) != content {
				t.Errorf("%s: got %d bytes", r.URL, len(got))
			}
			sum <- len(got)
		}()
		n, err := io.Copy(c, r.Body)
		if n != int64(len(content)) || err != nil {
			t.Errorf("copied %d, %v", n, err)
		}
		_ = c.CloseWrite()
		<-sum
	})
	for _, framing := range []string{
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(content), content),
		fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(content), content),
	} {
		p := dial(t, address)
		go p.send("POST /copy HTTP/1.1\r\nHost: a\r\n" + framing)
		mustEqual(t, "status", p.mustReceive("POST").status, 200)
		mustEqual(t, "alive", p.alive(), true)
	}
}

// tcpPair returns two connected ends.
func tcpPair(t *testing.T) (*net.TCPConn, *net.TCPConn) {
	t.Helper()
	l := listen(t)
	defer func() { _ = l.Close() }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(); _ = s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}
