package server

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"fairway/config"
	"fairway/config/dynamic"
)

func TestServer_PlainTextAndTLSOnOnePort(t *testing.T) {
	url := backend(t, func(*http.Request) {})
	routes := "http:\n  routers:\n    plain: {rule: 'Host(`plain.test`)', service: all}\n    secure: {rule: 'Host(`secure.test`)', service: all, tls: {}}\n" +
		"  services: {all: {loadBalancer: {servers: [{url: '" + url + "'}]}}}\n"
	r := start(t, routes)
	if res, body := r.get(t, "plain.test", "/"); res.StatusCode != 200 || body != "answer" {
		t.Errorf("plain text: got %d %q", res.StatusCode, body)
	}
	if res, _ := r.get(t, "secure.test", "/"); res.StatusCode != 404 {
		t.Errorf("a router with TLS, asked in plain text: got %d, want 404", res.StatusCode)
	}
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: protocol == "HTTP/2.0"}
		for host, want := range map[string]int{"secure.test": 200, "plain.test": 404} {
			req, err := http.NewRequest(http.MethodGet, "https://"+r.Addresses()["web"]+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = host
			res, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != want || res.Proto != protocol {
				t.Errorf("%s over TLS: got %d by %s, want %d by %s", host, res.StatusCode, res.Proto, want, protocol)
			}
		}
		transport.CloseIdleConnections()
	}
}

func TestServer_RedirectionOfAnEntryPoint(t *testing.T) {
	r := start(t, "", "--entrypoints.web.http.redirections.entrypoint.to=websecure", "--entrypoints.websecure.address=127.0.0.1:8443")
	res, _ := r.get(t, "a.test", "/x?y=1")
	if got := res.Header.Get("Location"); res.StatusCode != 301 || got != "https://a.test:8443/x?y=1" {
		t.Errorf("got %d to %q", res.StatusCode, got)
	}
}

func TestServer_EntryPointMiddlewaresAndTLSApplyToItsRouters(t *testing.T) {
	seen := make(chan string, 1)
	url := backend(t, func(r *http.Request) { seen <- r.Header.Get("X-Added") })
	routes := routeTo(url) + "  middlewares: {add: {headers: {customRequestHeaders: {X-Added: 'yes'}}}}\n"
	r := start(t, routes, "--entrypoints.web.http.middlewares=add@file")
	r.get(t, "a.test", "/")
	if got := <-seen; got != "yes" {
		t.Errorf("the entry point's middleware did not act: got %q", got)
	}
}

func TestServer_APanicIsAnswered(t *testing.T) {
	o := outerOf(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh no") }))
	log, text := newLog()
	o.log = log
	e := &http.Server{Handler: o, ReadHeaderTimeout: time.Second}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = e.Serve(l) }()
	defer e.Close()
	res, err := http.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 500 {
		t.Errorf("got %d, want 500", res.StatusCode)
	}
	if !strings.Contains(text.String(), "oh no") || !strings.Contains(text.String(), "server_test.go") {
		t.Errorf("the log does not tell what happened and where: %s", text)
	}
}

func TestServer_TheLogTellsWhyAServerDidNotAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := "http://" + l.Addr().String()
	_ = l.Close()
	r := start(t, routeTo(dead))
	if res, _ := r.get(t, "a.test", "/x"); res.StatusCode != 502 {
		t.Errorf("got %d, want 502", res.StatusCode)
	}
	line := ""
	await(t, "a line in the log", func() bool {
		for l := range strings.Lines(r.log.String()) {
			if strings.Contains(l, "request failed") {
				line = l
			}
		}
		return line != ""
	})
	for _, want := range []string{"status=502", "router=all@file", "server=\"" + dead, "connection refused", "path=/x"} {
		if !strings.Contains(line, want) {
			t.Errorf("the line lacks %q: %s", want, line)
		}
	}
}

func TestServer_AnAnswerThatAMiddlewareMeansIsNoFailure(t *testing.T) {
	url := backend(t, func(*http.Request) {})
	routes := strings.Replace(routeTo(url), "service: all}", "service: all, middlewares: [nobody]}", 1) + "  middlewares: {nobody: {ipAllowList: {sourceRange: [192.0.2.1]}}}\n"
	r := start(t, routes)
	if res, _ := r.get(t, "a.test", "/"); res.StatusCode != 403 {
		t.Errorf("got %d, want 403", res.StatusCode)
	}
	if strings.Contains(r.log.String(), "request failed") {
		t.Errorf("a refusal is logged as failure: %s", r.log)
	}
}

func TestServer_ImpliedEntryPointsThatCannotBeBoundAreLeftOut(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	loaded, err := config.Load([]string{"--entrypoints.taken.address=" + l.Addr().String(), "--entrypoints.web.address=127.0.0.1:0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	log, text := newLog()
	if _, err := New(Options{Config: loaded, Log: log}); err == nil || !strings.Contains(err.Error(), "entry point taken") {
		t.Errorf("a configured entry point that cannot be bound: got error %v", err)
	}
	loaded.Implied = []string{"taken"}
	s, err := New(Options{Config: loaded, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer s.entryPoints[0].listener.Close()
	if s.Addresses()["taken"] != "" || s.Addresses()["web"] == "" {
		t.Errorf("got %v", s.Addresses())
	}
	if !strings.Contains(text.String(), "left out") {
		t.Errorf("the log does not say so: %s", text)
	}
}

func TestServer_StopLetsRequestsUnderWayEnd(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	url := backend(t, func(*http.Request) { close(arrived); <-release })
	r := start(t, routeTo(url))
	answered := make(chan int)
	go func() {
		res, _ := r.get(t, "a.test", "/")
		answered <- res.StatusCode
	}()
	<-arrived
	stopped := make(chan struct{})
	go func() { r.stop(); close(stopped) }()
	for refused := false; !refused; {
		conn, err := net.Dial("tcp", r.Addresses()["web"])
		if refused = err != nil; !refused {
			_ = conn.Close()
		}
	}
	close(release)
	if got := <-answered; got != 200 {
		t.Errorf("the request under way: got %d, want 200", got)
	}
	<-stopped
}

func TestServer_PingTellsThatItStops(t *testing.T) {
	r := start(t, "", "--ping", "--ping.entrypoint=web", "--ping.terminatingstatuscode=599")
	if res, body := r.get(t, "any", "/ping"); res.StatusCode != 200 || body != "OK" {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
	r.stopping.Store(true)
	if res, _ := r.get(t, "any", "/ping"); res.StatusCode != 599 {
		t.Errorf("while stopping: got %d, want 599", res.StatusCode)
	}
}

func TestServer_SilentConnectionsAreGivenUp(t *testing.T) {
	r := start(t, "", "--entrypoints.web.transport.respondingtimeouts.readheadertimeout=50ms")
	for name, said := range map[string]string{"nothing": "", "half a head": "GET / HTTP/1.1\r\nHost: a"} {
		conn, err := net.Dial("tcp", r.Addresses()["web"])
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, said)
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("%s said: the connection is still open: %v", name, err)
		}
		_ = conn.Close()
	}
}

func TestServer_HTTP2InPlainText(t *testing.T) {
	url := backend(t, func(*http.Request) {})
	r := start(t, routeTo(url))
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Get("http://" + r.Addresses()["web"])
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 200 || res.ProtoMajor != 2 {
		t.Errorf("got %d by %s", res.StatusCode, res.Proto)
	}
}

func TestServer_BadRequestsAreRefused(t *testing.T) {
	r := start(t, routeTo(backend(t, func(*http.Request) {})))
	for name, request := range map[string]string{
		"a bad escape":   "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
		"two hosts":      "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"length twice":   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"no request":     "good morning, router\r\n\r\n",
		"a fragment":     "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET of *":       "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
		"space in names": "GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", r.Addresses()["web"])
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, request)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_ = res.Body.Close()
		if res.StatusCode != 400 {
			t.Errorf("%s: got %d, want 400", name, res.StatusCode)
		}
		_ = conn.Close()
	}
}

func TestHistory(t *testing.T) {
	var h history
	a, b := dynamic.Problem{Reason: "a"}, dynamic.Problem{Reason: "b"}
	if fresh, mended := h.update([]dynamic.Problem{a, a}); len(fresh) != 1 || len(mended) != 0 {
		t.Errorf("at first: got %v new, %v mended", fresh, mended)
	}
	since := h.since(a)
	if fresh, mended := h.update([]dynamic.Problem{a, b}); len(fresh) != 1 || fresh[0] != b || len(mended) != 0 {
		t.Errorf("then: got %v new, %v mended", fresh, mended)
	}
	if h.since(a) != since || since.IsZero() {
		t.Error("a problem that stays has a new beginning")
	}
	if fresh, mended := h.update([]dynamic.Problem{b}); len(fresh) != 0 || len(mended) != 1 || mended[0] != a {
		t.Errorf("at last: got %v new, %v mended", fresh, mended)
	}
}

// A route that leads back to the gateway ends after a few rounds.
func TestServer_CirclesEnd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	r := start(t, routeTo("http://"+address), "--entrypoints.web.address="+address)
	if res, _ := r.get(t, "a.test", "/"); res.StatusCode != http.StatusLoopDetected {
		t.Errorf("got %d, want 508", res.StatusCode)
	}
}

func TestServer_ServicesThatAreNotTurnedOnAreNotThere(t *testing.T) {
	routes := "http:\n  routers:\n"
	for _, name := range []string{"api", "dashboard", "debug", "ping", "ready"} {
		routes += "    " + name + ": {rule: 'Host(`" + name + "`)', service: " + name + "@internal}\n"
	}
	r := start(t, routes)
	for _, host := range []string{"api", "dashboard", "debug", "ping", "ready"} {
		if res, _ := r.get(t, host, "/debug/vars"); res.StatusCode != 404 {
			t.Errorf("%s: got %d, want 404", host, res.StatusCode)
		}
	}
	if !strings.Contains(r.log.String(), "install option api.debug") {
		t.Errorf("the log does not say how to turn it on: %s", r.log)
	}
}

func TestServer_OneHostForAPIAndPage(t *testing.T) {
	r := start(t, "http: {routers: {all: {rule: 'Host(`api`)', service: api@internal}}}", "--api")
	for _, path := range []string{"/api/version", "/dashboard/"} {
		if res, _ := r.get(t, "api", path); res.StatusCode != 200 {
			t.Errorf("%s: got %d", path, res.StatusCode)
		}
	}
}
