package http1

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"
)

// forward answers with the response that is read from src, as a proxy does.
func forward(w http.ResponseWriter, r *http.Request, src io.Reader) error {
	limits := Limits{}.withDefaults()
	in, p, b := &input{src: src}, new(Response), new(body)
	head, err := in.head(limits.HeadBytes)
	if err != nil {
		return err
	}
	if err := p.parse(head, r.Method, &limits); err != nil {
		return err
	}
	in.consume(len(head))
	b.start(in, &p.framing, &limits)
	p.Body = b
	return w.(*Writer).WriteRaw(p)
}

func TestWriteRaw(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 20000)
	tests := []struct {
		name, method, version, upstream string
		set                             http.Header
		want                            answer
		closes                          bool
	}{
		{
			name: "length", upstream: "HTTP/1.1 200 Fine\r\nETag: x\r\nserver: s\r\nContent-Length: 5\r\n\r\nhelloHTTP",
			want: answer{status: 200, header: http.Header{"Etag": {"x"}, "Server": {"s"}, "Content-Length": {"5"}}, length: 5, body: "hello"},
		},
		{
			name: "chunks", upstream: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x\r\n again\r\n0\r\n\r\n",
			want: answer{status: 200, header: http.Header{}, length: -1, coding: []string{"chunked"}, body: "hello again"},
		},
		{
			name: "chunks for HTTP/1.0", version: "HTTP/1.0", upstream: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
			want: answer{status: 200, header: http.Header{}, length: -1, body: "hello"}, closes: true,
		},
		{
			name: "trailers", upstream: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n5\r\nhello\r\n0\r\nX-A: b\r\nX-C: d\r\n\r\n",
			want: answer{status: 200, header: http.Header{}, length: -1, coding: []string{"chunked"}, body: "hello", trailer: http.Header{"X-A": {"b"}, "X-C": {"d"}}},
		},
		{
			name: "cookies of both", upstream: "HTTP/1.1 204 No Content\r\nset-cookie: a=1\r\nX-A: b\r\n\r\n", set: http.Header{"Set-Cookie": {"server=2"}, "X-A": {"c"}},
			want: answer{status: 204, header: http.Header{"Set-Cookie": {"a=1", "server=2"}, "X-A": {"c"}}},
		},
		{
			name: "until close", upstream: "HTTP/1.0 200 OK\r\n\r\nhello",
			want: answer{status: 200, header: http.Header{}, length: -1, coding: []string{"chunked"}, body: "hello"},
		},
		{
			name: "no body", upstream: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nHTTP",
			want: answer{status: 204, header: http.Header{}},
		},
		{
			name: "empty body", upstream: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP",
			want: answer{status: 200, header: http.Header{"Content-Length": {"0"}}},
		},
		{
			name: "HEAD", method: "HEAD", upstream: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP",
			want: answer{status: 200, header: http.Header{"Content-Length": {"5"}}, length: 5},
		},
		{
			name: "HEAD of chunks", method: "HEAD", upstream: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nHTTP",
			want: answer{status: 200, header: http.Header{}, length: -1},
		},
		{
			name: "not modified", upstream: "HTTP/1.1 304 Not Modified\r\nEtag: x\r\nTransfer-Encoding: chunked\r\n\r\nHTTP",
			want: answer{status: 304, header: http.Header{"Etag": {"x"}}},
		},
		{
			name: "fields of the connection", upstream: "HTTP/1.1 200 OK\r\nConnection: close, X-Own\r\nX-Own: 1\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nProxy-Connection: x\r\nContent-Length: 0\r\n\r\n",
			want: answer{status: 200, header: http.Header{"Content-Length": {"0"}}},
		},
		{
			name: "fields of the gateway", upstream: "HTTP/1.1 200 OK\r\nserver: s\r\nx-odd: 1\r\nX-A: 1\r\nX-A: 2\r\nX-B: 1\r\nContent-Length: 0\r\n\r\n",
			set:  http.Header{"Server": {"fairway"}, "X-Odd": {"2"}, "X-A": nil, "X-C": {"3"}, "Content-Length": {"9"}, "Transfer-Encoding": {"gzip"}},
			want: answer{status: 200, header: http.Header{"Server": {"fairway"}, "X-Odd": {"2"}, "X-B": {"1"}, "X-C": {"3"}, "Content-Length": {"0"}}},
		},
		{
			name: "the gateway closes", upstream: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", set: http.Header{"Connection": {"close"}},
			want: answer{status: 200, header: http.Header{"Content-Length": {"0"}}, closes: true}, closes: true,
		},
		{
			name: "long", upstream: "HTTP/1.1 200 OK\r\nContent-Length: 320000\r\n\r\n" + long,
			want: answer{status: 200, header: http.Header{"Content-Length": {"320000"}}, length: 320000, body: long},
		},
		{
			name: "long chunks", upstream: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("3E80\r\n"+long[:16000]+"\r\n", 20) + "0\r\n\r\n",
			want: answer{status: 200, header: http.Header{}, length: -1, coding: []string{"chunked"}, body: strings.Repeat(long[:16000], 20)},
		},
		{
			name: "long head", upstream: "HTTP/1.1 200 OK\r\nX-A: " + long[:9000] + "\r\nContent-Length: 5\r\n\r\nhello",
			want: answer{status: 200, header: http.Header{"Content-Length": {"5"}, "X-A": {long[:9000]}}, length: 5, body: "hello"},
		},
		{
			name: "cut short", upstream: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
			want: answer{status: 200, header: http.Header{"Content-Length": {"5"}}, length: 5, body: "hel", err: "unexpected EOF"}, closes: true,
		},
		{
			name: "chunks cut short", upstream: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
			want: answer{status: 200, header: http.Header{}, length: -1, coding: []string{"chunked"}, body: "hel", err: "unexpected EOF"}, closes: true,
		},
		{
			name: "chunks broken", upstream: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\nx\r\n",
			want: answer{status: 200, header: http.Header{}, length: -1, coding: []string{"chunked"}, body: "hel", err: "unexpected EOF"}, closes: true,
		},
	}
	for _, tt := range tests {
		for _, source := range []string{"buffer", "tcp", "slow"} {
			t.Run(tt.name+"/"+source, func(t *testing.T) {
				address := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/alive" {
						return
					}
					maps.Copy(w.Header(), tt.set)
					w.Header()["Date"] = nil
					if err := forward(w, r, sourceOf(t, source, tt.upstream)); (err != nil) != (tt.want.err != "") {
						t.Errorf("WriteRaw: %v", err)
					}
				})
				method, version := "GET", "HTTP/1.1"
				if tt.method != "" {
					method = tt.method
				}
				if tt.version != "" {
					version = tt.version
				}
				p := dial(t, address).send(method + " / " + version + "\r\nHost: a\r\n\r\n")
				got := p.mustReceive(method)
				if tt.version == "" {
					mustEqual(t, "alive", p.alive(), !tt.closes)
				}
				got.proto = ""
				if len(got.trailer) == 0 {
					got.trailer = nil
				}
				if tt.version != "" {
					got.closes = false
				}
				if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", tt.want); a != b {
					t.Errorf("\n got %.500s\nwant %.500s", a, b)
				}
			})
		}
	}
}

func sourceOf(t *testing.T, kind, text string) io.Reader {
	if kind == "buffer" {
		return strings.NewReader(text)
	}
	c, s := tcpPair(t)
	go func() {
		if kind == "slow" {
			head, rest, _ := strings.Cut(text, "\r\n\r\n")
			_, _ = io.WriteString(s, head+"\r\n\r\n")
			time.Sleep(time.Millisecond)
			for len(rest) > 0 {
				n := min(len(rest), max(2, len(rest)/3))
				_, _ = io.WriteString(s, rest[:n])
				rest = rest[n:]
				time.Sleep(time.Millisecond)
			}
		} else {
			_, _ = io.WriteString(s, text)
		}
		_ = s.Close()
	}()
	return c
}

// What the upstream has sent reaches the client before the upstream goes on.
func TestWriteRaw_HoldsNothingBack(t *testing.T) {
	goOn := make(chan bool)
	for _, framing := range []string{"Content-Length: 10\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n", "\r\n"} {
		address := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
			c, s := tcpPair(t)
			go func() {
				_, _ = io.WriteString(s, "HTTP/1.1 200 OK\r\n"+framing)
				<-goOn
				text := "hello"
				if strings.HasPrefix(framing, "T") {
					text = "5\r\nhello\r\n"
				}
				_, _ = io.WriteString(s, text)
				<-goOn
				if strings.HasPrefix(framing, "T") {
					text += "0\r\n\r\n"
				}
				_, _ = io.WriteString(s, text)
				_ = s.Close()
			}()
			if err := forward(w, r, c); err != nil {
				t.Error(err)
			}
		})
		p := dial(t, address).send(plainGet("/"))
		res, err := http.ReadResponse(p.br, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			goOn <- true
			got := make([]byte, 5)
			if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != "hello" {
				t.Errorf("got %q, %v", got, err)
			}
		}
		if rest, err := io.ReadAll(res.Body); len(rest) > 0 || err != nil {
			t.Errorf("rest %q, %v", rest, err)
		}
	}
}

func TestWriteRaw_TellsWhoseFaultItWas(t *testing.T) {
	failed := make(chan error, 1)
	address := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		src := io.MultiReader(strings.NewReader("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"), endless{})
		failed <- forward(w, r, src)
	})
	p := dial(t, address).send(plainGet("/"))
	_, _ = p.Read(make([]byte, 100))
	_ = p.SetLinger(0)
	_ = p.Close()
	if err := <-failed; !errors.Is(err, ErrClientGone) {
		t.Errorf("client: %v", err)
	}

	address = serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		failed <- forward(w, r, strings.NewReader("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"))
	})
	dial(t, address).send(plainGet("/")).mustReceive("GET")
	if err := <-failed; errors.Is(err, ErrClientGone) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("upstream: %v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
