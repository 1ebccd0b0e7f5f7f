package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestForward_Request compares what the client sends with what arrives.
func TestForward_Request(t *testing.T) {
	tests := map[string]struct {
		path    string // of the server
		options Options
		send    string // head of the request without Host
		prepare func(*http.Request)
		line    string            // that arrives
		header  map[string]string // that arrive; "-" for those that must not
	}{
		"path and query as sent":                 {send: "GET /a%2Fb/c?x=1&y=%20 HTTP/1.1\n", line: "GET /a%2Fb/c?x=1&y=%20"},
		"two slashes stay":                       {send: "GET //a HTTP/1.1\n", line: "GET //a"},
		"the path of the server is not used":     {path: "/base", send: "GET /a HTTP/1.1\n", line: "GET /a"},
		"preservePath puts it in front":          {path: "/base/keep", send: "GET /a HTTP/1.1\n", line: "GET /base/keep/a"},
		"preservePath keeps encodings":           {path: "/b%2Fase/keep", send: "GET /a%2Fb HTTP/1.1\n", line: "GET /b%2Fase/keep/a%2Fb"},
		"semicolons become ampersands":           {send: "GET /?a=1;b=2&c HTTP/1.1\n", line: "GET /?a=1&b=2&c"},
		"an absolute request":                    {send: "GET http://elsewhere/p HTTP/1.1\n", line: "GET /p", options: Options{PassHost: true}, header: map[string]string{"Host": "elsewhere"}},
		"the client's host":                      {send: "GET / HTTP/1.1\n", options: Options{PassHost: true}, line: "GET /", header: map[string]string{"Host": "client.example"}},
		"the server's host":                      {send: "GET / HTTP/1.1\n", line: "GET /", header: map[string]string{"Host": "SERVER"}},
		"no compression is asked for":            {send: "GET / HTTP/1.1\n", line: "GET /", header: map[string]string{"Accept-Encoding": "-", "User-Agent": "-"}},
		"the client's compression is":            {send: "GET / HTTP/1.1\nAccept-Encoding: br\nUser-Agent: me\n", line: "GET /", header: map[string]string{"Accept-Encoding": "br", "User-Agent": "me"}},
		"the peer is the first forwarded for":    {send: "GET / HTTP/1.1\n", line: "GET /", header: map[string]string{"X-Forwarded-For": "127.0.0.1"}},
		"the peer is appended to forwarded for":  {send: "GET / HTTP/1.1\nX-Forwarded-For: 192.0.2.1\nX-Forwarded-For: 192.0.2.2\n", line: "GET /", header: map[string]string{"X-Forwarded-For": "192.0.2.1, 192.0.2.2, 127.0.0.1"}},
		"unless a middleware took the header":    {send: "GET / HTTP/1.1\nX-Forwarded-For: 192.0.2.1\n", prepare: func(r *http.Request) { r.Header["X-Forwarded-For"] = nil }, line: "GET /", header: map[string]string{"X-Forwarded-For": "-"}},
		"other forwarded headers stay":           {send: "GET / HTTP/1.1\nForwarded: for=x\nX-Forwarded-Proto: https\nX-Forwarded-Host: h\n", line: "GET /", header: map[string]string{"Forwarded": "for=x", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "h"}},
		"the client cannot have them taken away": {send: "GET / HTTP/1.1\nConnection: X-Forwarded-Proto, X-Forwarded-For\nX-Forwarded-Proto: https\n", line: "GET /", header: map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1"}},
		"hop by hop headers stop here":           {send: "GET / HTTP/1.1\nConnection: X-Hop, keep-alive\nX-Hop: 1\nKeep-Alive: 5\nProxy-Authorization: x\nProxy-Connection: x\nTe: gzip\nX-End: 1\n", line: "GET /", header: map[string]string{"X-Hop": "-", "Keep-Alive": "-", "Proxy-Authorization": "-", "Proxy-Connection": "-", "Te": "-", "X-End": "1"}},
		"trailers may be asked for":              {send: "GET / HTTP/1.1\nTE: trailers\nConnection: te\n", line: "GET /", header: map[string]string{"Te": "trailers"}},
		"OPTIONS *":                              {send: "OPTIONS * HTTP/1.1\n", line: "OPTIONS *"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			arrived := make(chan *http.Request, 1)
			server := httptest.NewUnstartedServer(nil)
			server.Config.DisableGeneralOptionsHandler = true
			server.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { arrived <- r })
			server.Start()
			defer server.Close()
			g := newGateway(t, server.URL+tt.path, tt.options, tt.prepare)
			g.Config.DisableGeneralOptionsHandler = true
			_, answer := g.raw(t, tt.send+"Host: client.example\n\n")
			if _, err := http.ReadResponse(answer, nil); err != nil {
				t.Fatal(err)
			}
			r := <-arrived
			if got := r.Method + " " + r.RequestURI; got != tt.line {
				t.Errorf("got %s, want %s", got, tt.line)
			}
			r.Header.Set("Host", strings.ReplaceAll(r.Host, server.Listener.Addr().String(), "SERVER"))
			for key, want := range tt.header {
				got := strings.Join(r.Header[key], ", ")
				if want == "-" {
					want = ""
				}
				if got != want {
					t.Errorf("%s: got %q, want %q", key, got, want)
				}
			}
		})
	}
}

func TestForward_ResponseLosesHopByHopHeaders(t *testing.T) {
	server := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "1")
		w.Header().Set("X-End", "1")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "tea")
	})
	res := get(t, newGateway(t, server.URL, Options{}, nil).URL)
	if res.StatusCode != http.StatusTeapot || res.Header.Get("X-Hop") != "" || res.Header.Get("X-End") != "1" || body(t, res) != "tea" {
		t.Errorf("got %s %v", res.Status, res.Header)
	}
}

func TestForward_WebSocketEchoes(t *testing.T) {
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: %s\r\nConnection: Upgrade\r\n\r\n", r.Header.Get("Upgrade"))
		_, _ = io.Copy(conn, rw)
	})
	g := newGateway(t, server.URL, Options{}, nil)
	conn, reader := g.raw(t, "GET /ws HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Key: x\n\n")
	res, err := http.ReadResponse(reader, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Upgrade") != "websocket" {
		t.Fatalf("got %v, %v", res, err)
	}
	for _, text := range []string{"one", "two"} {
		_, _ = io.WriteString(conn, text)
		got := make([]byte, len(text))
		if _, err := io.ReadFull(reader, got); err != nil || string(got) != text {
			t.Errorf("got %q, %v", got, err)
		}
	}
	_ = conn.Close()
	if o := <-g.outcomes; o.failure != nil || o.record.Cause != "" {
		t.Errorf("an ended WebSocket is no failure: got %+v", o)
	}
}

func TestForward_EventsArriveAsTheyAreSent(t *testing.T) {
	more := make(chan struct{})
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			_, _ = fmt.Fprintf(w, "data: %d\n", i)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-more:
			case <-r.Context().Done():
			}
		}
	})
	res := get(t, newGateway(t, server.URL, Options{FlushInterval: time.Hour}, nil).URL)
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	for i := range 3 { // the server goes on only after each has arrived
		if !lines.Scan() || lines.Text() != fmt.Sprintf("data: %d", i) {
			t.Fatalf("got %q, %v", lines.Text(), lines.Err())
		}
		more <- struct{}{}
	}
}

func TestForward_Trailers(t *testing.T) {
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", "of "+r.Trailer.Get("X-Sent"))
	})
	g := newGateway(t, server.URL, Options{}, nil)
	req, err := http.NewRequest(http.MethodPost, g.URL, io.MultiReader(strings.NewReader("hello")))
	if err != nil {
		t.Fatal(err)
	}
	req.Trailer = http.Header{"X-Sent": {"5"}}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := body(t, res); got != "body" || res.Trailer.Get("X-Sum") != "of 5" {
		t.Errorf("got %q, trailer %v", got, res.Trailer)
	}
}

func TestForward_EarlyHints(t *testing.T) {
	server := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusOK)
	})
	g := newGateway(t, server.URL, Options{}, nil)
	var hints []string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		hints = append(hints, fmt.Sprint(code, h.Get("Link")))
		return nil
	}})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _ = body(t, res); res.StatusCode != http.StatusOK {
		t.Errorf("got %s", res.Status)
	}
	if diff := cmp.Diff([]string{"103</a.css>"}, hints); diff != "" {
		t.Error(diff)
	}
}

func TestForward_Failures(t *testing.T) {
	dead := deadAddress(t)
	mute := rawUpstream(t, func(c net.Conn) { _, _ = bufio.NewReader(c).ReadString('\n'); _ = c.Close() })
	garbage := rawUpstream(t, func(c net.Conn) {
		_, _ = bufio.NewReader(c).ReadString('\n')
		_, _ = io.WriteString(c, "SSH-2.0-x\r\n")
		_ = c.Close()
	})
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer secure.Close()
	slow := make(chan struct{})
	defer close(slow)
	sleeping := upstream(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-slow:
		case <-r.Context().Done():
		}
	})
	expired := func(r *http.Request) {
		ctx, cancel := context.WithDeadline(r.Context(), time.Now().Add(-time.Second))
		t.Cleanup(cancel)
		*r = *r.WithContext(ctx)
	}
	tests := map[string]struct {
		address string
		prepare func(*http.Request)
		status  int
		unsent  bool
		cause   string
	}{
		"refused":                          {address: dead, status: 502, unsent: true, cause: "connect to " + dead + ": "},
		"closed without an answer":         {address: mute, status: 502, cause: "forward to " + mute + ": the server closed the connection without an answer"},
		"no HTTP":                          {address: garbage, status: 502, cause: "forward to " + garbage + ": "},
		"a certificate of nobody we trust": {address: secure.URL, status: 500, cause: "forward to " + secure.URL + ": tls: failed to verify certificate"},
		"too late":                         {address: sleeping.URL, prepare: expired, status: 504, cause: sleeping.URL},
		"no such host":                     {address: "http://no-such-host.invalid", status: 502, unsent: true, cause: "connect to http://no-such-host.invalid: "},
		"a password in the address":        {address: strings.Replace(dead, "//", "//user:hunter2@", 1), status: 502, unsent: true, cause: "user:xxxxx@"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, tt.address, Options{}, tt.prepare)
			res := get(t, g.URL)
			_ = body(t, res)
			o := <-g.outcomes
			if o.failure == nil {
				t.Fatalf("no failure: %s", res.Status)
			}
			if o.failure.Status != tt.status || o.failure.Unsent != tt.unsent || !strings.Contains(o.failure.Error(), tt.cause) {
				t.Errorf("got %d, unsent %v, %q", o.failure.Status, o.failure.Unsent, o.failure)
			}
			if strings.Contains(o.failure.Error(), "hunter2") {
				t.Error("the cause shows a password")
			}
		})
	}
}

func TestForward_ClientThatWentAway(t *testing.T) {
	arrived, over := make(chan struct{}), make(chan struct{})
	server := upstream(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done() // the server hears of it too
		close(over)
	})
	g := newGateway(t, server.URL, Options{}, nil)
	conn, _ := g.raw(t, "GET / HTTP/1.1\nHost: a\n\n")
	<-arrived
	_ = conn.Close()
	<-over
	if o := <-g.outcomes; o.failure == nil || o.failure.Status != 499 || o.failure.Unsent || !strings.Contains(o.failure.Error(), "the client went away") {
		t.Errorf("got %+v", o.failure)
	}
}

func TestForward_ResponseThatBreaksOff(t *testing.T) {
	address := rawUpstream(t, func(c net.Conn) {
		_, _ = bufio.NewReader(c).ReadString('\n')
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
		_ = c.Close()
	})
	g := newGateway(t, address, Options{FlushInterval: -1}, nil)
	res := get(t, g.URL)
	defer func() { _ = res.Body.Close() }()
	if text, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("the client got %q as if it were all", text)
	}
	o := <-g.outcomes
	if want := "response of " + address + " broke off: the server closed the connection in the middle"; o.record.Cause != want {
		t.Errorf("got cause %q, want %q", o.record.Cause, want)
	}
}

func TestForward_BodyArrivesAndIsKeptForAnotherTry(t *testing.T) {
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	g := newGateway(t, server.URL, Options{}, nil)
	res, err := http.Post(g.URL, "text/plain", strings.NewReader("some text"))
	if err != nil {
		t.Fatal(err)
	}
	if got := body(t, res); got != "some text" {
		t.Errorf("got %q", got)
	}
}

func BenchmarkForward(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer server.Close()
	g := newGateway(b, server.URL, Options{PassHost: true}, nil)
	go func() {
		for range g.outcomes { // nobody looks at them
		}
	}()
	b.ReportAllocs()
	for b.Loop() {
		_ = body(b, get(b, g.URL))
	}
}
