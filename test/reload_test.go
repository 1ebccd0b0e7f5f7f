//go:build e2e

package test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/net/websocket"
)

// Two hundred changes of other routes, while one route is used all the time: no
// request of it fails, no connection is dropped, and a WebSocket stays open.
func TestReload_200ChangesHurtNobody(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") })
	mux.Handle("/ws", websocket.Handler(func(c *websocket.Conn) {
		for {
			var text string
			if websocket.Message.Receive(c, &text) != nil || websocket.Message.Send(c, text) != nil {
				return
			}
		}
	}))
	backend := httptest.NewServer(mux)
	defer backend.Close()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		temporary := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(temporary, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(temporary, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	route := func(name, rule string) string {
		return fmt.Sprintf("http:\n  routers:\n    %[1]s: {rule: \"%[2]s\", service: %[1]s}\n  services:\n    %[1]s: {loadBalancer: {servers: [{url: %[3]q}]}}\n", name, rule, backend.URL)
	}
	write("steady.yml", route("steady", "Host(`steady.test`)"))
	f := startFairway(t, "--providers.file.directory="+dir, "--providers.providersthrottleduration=1ms")
	f.awaitStatus("steady.test", 200)

	ws, err := dialWebSocket(f.address("web"), "steady.test")
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	say := func(text string) {
		t.Helper()
		var echo string
		if err := websocket.Message.Send(ws, text); err != nil {
			t.Fatalf("WebSocket: %v", err)
		}
		if err := websocket.Message.Receive(ws, &echo); err != nil || echo != text {
			t.Fatalf("WebSocket: got %q, %v, want %q", echo, err, text)
		}
	}
	say("before")
	const workers = 4
	l := startLoad("http://"+f.address("web")+"/", "steady.test", workers)
	for i := range 200 {
		write("changing.yml", route("changing", fmt.Sprintf("Host(`v%d.test`)", i)))
		f.awaitStatus(fmt.Sprintf("v%d.test", i), 200)
	}
	say("after")
	l.stop(t)
	if l.dials != workers {
		t.Errorf("%d connections were needed, want %d: some were dropped", l.dials, workers)
	}
}

func dialWebSocket(address, host string) (*websocket.Conn, error) {
	config, err := websocket.NewConfig("ws://"+host+"/ws", "http://"+host)
	if err != nil {
		return nil, err
	}
	conn, err := dialTCP(address)
	if err != nil {
		return nil, err
	}
	return websocket.NewClient(config, conn)
}

func TestReload_ABrokenFileStopsNoOther(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }))
	defer backend.Close()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	service := "\n  services: {%[1]s: {loadBalancer: {servers: [{url: \"" + backend.URL + "\"}]}}}\n"
	good := func(name string) string {
		return fmt.Sprintf("http:\n  routers: {%[1]s: {rule: \"Host(`%[1]s.test`)\", service: %[1]s}}"+service, name)
	}
	write("a.yml", good("a"))
	write("b.yml", good("b"))
	f := startFairway(t, "--providers.file.directory="+dir)
	f.awaitStatus("b.test", 200)
	write("b.yml", "http:\n  routers: {b: [\n")
	p := f.problem("b.yml", "last good content")
	if p.Line == 0 {
		t.Errorf("the problem names no line: %+v", p)
	}
	write("c.yml", good("c"))
	f.awaitStatus("c.test", 200)
	for _, host := range []string{"a.test", "b.test"} {
		if got := f.get(host, "/").status; got != 200 {
			t.Errorf("%s: got %d, want 200", host, got)
		}
	}
	write("b.yml", good("b2"))
	f.awaitStatus("b2.test", 200)
	f.awaitStatus("b.test", 404)
}
