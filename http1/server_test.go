package http1

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// echo answers with the body, or 400 with what is wrong with it.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, err.Error())
		return
	}
	_, _ = w.Write(body)
}

// Every rule against smuggling, over a socket: the status of the rule, then the
// end of the connection, and nothing of what was smuggled.
func TestServer_RefusesSmuggling(t *testing.T) {
	var requests atomic.Int32
	address := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1); r.URL.Path == "/smuggled" {
			t.Error("a smuggled request was served")
		}
		echo(w, r)
	})
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			var want *ProtocolError
			if !errors.As(tt.want, &want) {
				t.Fatal(tt.want)
			}
			p := dial(t, address).send("POST / HTTP/1.1\r\nHost: a\r\n" + tt.fields + "\r\n" + tt.body + plainGet("/smuggled"))
			got := p.mustReceive("POST")
			mustEqual(t, "status", got.status, want.Status)
			mustEqual(t, "Connection", got.closes, true)
			if !strings.Contains(got.body, want.Rule) {
				t.Errorf("body %q does not tell the rule %q", got.body, want.Rule)
			}
			p.mustEnd()
		})
	}
}

func TestServer_RefusesHeads(t *testing.T) {
	address := serveFunc(t, echo)
	tests := []struct {
		raw  string
		want int
	}{
		{"GET / HTTP/1.1\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
		{"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/1.1\nHost: a\n\n", 400},
		{"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"GET /" + strings.Repeat("a", 17000) + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
		{"GET /" + strings.Repeat("a", 70000), 414},
		{"GET / HTTP/1.1\r\nHost: a\r\nA: " + strings.Repeat("a", 66000) + "\r\n\r\n", 431},
		{"GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("A: b\r\n", 200) + "\r\n", 431},
		{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
		{"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: x\r\n\r\n", 417},
	}
	for _, tt := range tests {
		p := dial(t, address).send(tt.raw)
		got := p.mustReceive("GET")
		mustEqual(t, fmt.Sprintf("status of %.50q", tt.raw), got.status, tt.want)
		mustEqual(t, "Connection", got.closes, true)
		p.mustEnd()
	}
}

// A head without end is refused as soon as it is too long, and its client gets to
// read that while it sends.
func TestServer_EndlessHead(t *testing.T) {
	address := serveFunc(t, echo)
	p := dial(t, address)
	go func() {
		p.send("GET / HTTP/1.1\r\nHost: a\r\nA: ")
		for range 1000 {
			if _, err := io.WriteString(p, strings.Repeat("a", 100<<10)); err != nil {
				return
			}
		}
	}()
	mustEqual(t, "status", p.mustReceive("GET").status, 431)
}

func TestServer_LimitsAreConfigurable(t *testing.T) {
	address := serve(t, &Server{Handler: http.HandlerFunc(echo), Limits: Limits{HeadBytes: 100, URIBytes: 20, Fields: 3}})
	for raw, want := range map[string]int{
		plainGet("/"):                           200,
		plainGet("/" + strings.Repeat("a", 20)): 414,
		"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nA: b\r\nA: b\r\n\r\n":                431,
		"GET / HTTP/1.1\r\nHost: a\r\nA: " + strings.Repeat("a", 100) + "\r\n\r\n": 431,
	} {
		mustEqual(t, raw, dial(t, address).send(raw).mustReceive("GET").status, want)
	}
}

func TestServer_ConnectReachesAHandlerThatWantsIt(t *testing.T) {
	address := serve(t, &Server{Connect: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.Host)
	})})
	got := dial(t, address).send("CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n").mustReceive("GET")
	mustEqual(t, "body", got.body, "b:443")
}

func TestServer_ContinuesOnFirstRead(t *testing.T) {
	address := serveFunc(t, echo)
	p := dial(t, address).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
	mustEqual(t, "status", p.mustReceive("POST").status, 100)
	p.send("ab")
	mustEqual(t, "body", p.mustReceive("POST").body, "ab")
	mustEqual(t, "alive", p.alive(), true)
}

func TestServer_SkipsOneEmptyLineBetweenRequests(t *testing.T) {
	address := serveFunc(t, echo)
	p := dial(t, address).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab\r\n")
	mustEqual(t, "body", p.mustReceive("POST").body, "ab")
	time.Sleep(20 * time.Millisecond)
	mustEqual(t, "alive", p.alive(), true)
	p.send("\r\n\r\n" + plainGet("/"))
	mustEqual(t, "status", p.mustReceive("GET").status, 400)
}

func TestServer_EarlyAnswerReachesAClientThatSends(t *testing.T) {
	address := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestEntityTooLarge) })
	const size = 20 << 20
	p := dial(t, address)
	go func() {
		p.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size))
		_, _ = io.WriteString(p, strings.Repeat("x", size))
	}()
	time.Sleep(50 * time.Millisecond)
	got := p.mustReceive("POST")
	mustEqual(t, "status", got.status, 413)
	mustEqual(t, "Connection", got.closes, true)
	p.mustEnd()
}

func TestServer_HalfClosedClientGetsItsAnswer(t *testing.T) {
	address := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
			t.Error("the request was given up")
		case <-time.After(200 * time.Millisecond):
		}
		echo(w, r)
	})
	p := dial(t, address).send(plainGet("/") + "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab")
	_ = p.CloseWrite()
	mustEqual(t, "status", p.mustReceive("GET").status, 200)
	mustEqual(t, "body", p.mustReceive("POST").body, "ab")
	p.mustEnd()
}

func TestServer_KeepAliveLimits(t *testing.T) {
	address := serve(t, &Server{Handler: http.HandlerFunc(echo), KeepAliveMaxRequests: 2})
	p := dial(t, address).send(plainGet("/") + plainGet("/") + plainGet("/"))
	mustEqual(t, "first", p.mustReceive("GET").closes, false)
	mustEqual(t, "second", p.mustReceive("GET").closes, true)
	p.mustEnd()

	address = serve(t, &Server{Handler: http.HandlerFunc(echo), KeepAliveMaxTime: 300 * time.Millisecond})
	p = dial(t, address).send(plainGet("/"))
	mustEqual(t, "young", p.mustReceive("GET").closes, false)
	time.Sleep(700 * time.Millisecond)
	mustEqual(t, "old", p.send(plainGet("/")).mustReceive("GET").closes, true)
	p.mustEnd()
}

func TestServer_PanicClosesTheConnection(t *testing.T) {
	address := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "part")
		_ = http.NewResponseController(w).Flush()
		panic("on purpose")
	})
	got := dial(t, address).send(plainGet("/")).mustReceive("GET")
	mustEqual(t, "body", got.body, "part")
	mustEqual(t, "error", got.err, io.ErrUnexpectedEOF.Error())
}

// Clients that never finish a head keep nobody from being served.
func TestServer_SlowClientsDoNotHurtOthers(t *testing.T) {
	address := serve(t, &Server{Handler: http.HandlerFunc(echo), ReadHeaderTimeout: time.Second})
	var slow []*peer
	for range 300 {
		slow = append(slow, dial(t, address).send("GET / HTTP/1.1\r\nHost: a\r\nX-A"))
	}
	p := dial(t, address)
	for range 100 {
		mustEqual(t, "status", p.send(plainGet("/")).mustReceive("GET").status, 200)
	}
	for _, p := range slow {
		p.mustEnd()
	}
}

// What one request leaves in the things that are used again does not reach the
// next.
func TestServer_RequestsDoNotMeet(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/first/{id}", func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("X-Left", "1")
		r.SetPathValue("left", "1")
		r.Trailer = http.Header{"Left": {"1"}}
		_ = r.ParseForm()
		w.Header().Set("X-Left", "1")
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(http.StatusTeapot)
	})
	mux.HandleFunc("/second", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%v %q %v %v %v %v", r.Header, r.PathValue("left")+r.PathValue("id"), r.Trailer, r.Form, r.URL, w.Header())
	})
	address := serve(t, &Server{Handler: mux})
	p := dial(t, address)
	for range 3 {
		p.send("POST /first/7?a=b HTTP/1.1\r\nHost: a\r\nX-Own: 1\r\nContent-Length: 1\r\n\r\nx")
		mustEqual(t, "status", p.mustReceive("POST").status, http.StatusTeapot)
		got := p.send(plainGet("/second")).mustReceive("GET")
		mustEqual(t, "body", got.body, `map[] "" map[] map[] /second map[]`)
		mustEqual(t, "trailers", len(got.trailer), 0)
	}
}

// Many connections at once, with requests of all kinds, share what is used again.
func TestServer_ManyAtOnce(t *testing.T) {
	address := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Id", r.Header.Get("X-Id"))
		switch r.Header.Get("X-Kind") {
		case "watch":
			r.Context().Done()
		case "flush":
			_ = http.NewResponseController(w).Flush()
		case "long":
			body = append(body, strings.Repeat("x", 10000)...)
		}
		fmt.Fprintf(w, "%s %s %s", r.URL.Path, body, r.Host)
	})
	kinds := []string{"plain", "watch", "flush", "long"}
	var all sync.WaitGroup
	for conn := range 16 {
		all.Go(func() {
			p := dial(t, address)
			for i := range 200 {
				id, kind := fmt.Sprintf("%d-%d", conn, i), kinds[(conn+i)%len(kinds)]
				head, body := fmt.Sprintf(" /%s HTTP/1.1\r\nHost: h%s\r\nX-Id: %s\r\nX-Kind: %s\r\n", id, id, id, kind), ""
				switch i % 3 {
				case 0:
					p.send("GET" + head + "\r\n")
				case 1:
					body = id
					p.send(fmt.Sprintf("POST%sContent-Length: %d\r\n\r\n%s", head, len(id), id))
				case 2:
					body = id + id
					p.send(fmt.Sprintf("POST%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", head, len(id), id))
					p.send(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(id), id))
				}
				if kind == "long" {
					body += strings.Repeat("x", 10000)
				}
				got, err := p.receive("GET")
				if want := fmt.Sprintf("/%s %s h%s", id, body, id); err != nil || got.body != want || got.header.Get("X-Id") != id {
					t.Errorf("%s %s: got %.100q %s, %v", id, kind, got.body, got.header, err)
					return
				}
			}
		})
	}
	all.Wait()
}
