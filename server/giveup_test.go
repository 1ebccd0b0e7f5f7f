package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Whoever sends slowly cannot have servers taken for broken by that: it is not they who take long.
func TestServer_SlowUploadsAreNotTheServersFault(t *testing.T) {
	name := func(text string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, text)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	routes := strings.NewReplacer("ONE", name("one"), "TWO", name("two")).Replace(`
http:
  routers: {all: {rule: 'PathPrefix(` + "`/`" + `)', service: all}, up: {rule: 'PathPrefix(` + "`/up`" + `)', service: all, middlewares: [hurry]}}
  middlewares: {hurry: {timeouts: {firstByte: 100ms}}}
  services: {all: {loadBalancer: {servers: [{url: ONE}, {url: TWO}], passiveHealthCheck: {failureWindow: 1m}}}}
`)
	ways(t, routes, nil, func(t *testing.T, _ *running, client *http.Client) {
		upload := ask(t, "POST", "/up", stalling(t, "12345"))
		if res, text := fetch(t, client, upload); res.StatusCode != http.StatusRequestTimeout {
			t.Errorf("got %d, %q", res.StatusCode, text)
		}
		bothServe(t, client)
	})
	for what, head := range map[string]string{
		"of a known length": "Content-Length: 10\r\n\r\n12345",
		"long":              "Content-Length: 1000000\r\n\r\n12345",
		"in chunks":         "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
	} {
		t.Run(what, func(t *testing.T) {
			r := start(t, routes)
			var d net.Dialer
			ctx, cancel := context.WithTimeout(t.Context(), longest)
			defer cancel()
			conn, err := d.DialContext(ctx, "tcp", r.Addresses()["web"])
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(conn, "POST /up HTTP/1.1\r\nHost: any.test\r\n"+head)
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			answer, err := io.ReadAll(conn)
			if !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
				t.Errorf("got %q, %v", answer, err)
			}
			bothServe(t, &http.Client{Transport: &toEntryPoint{"http", r.Addresses()["web"], &http.Transport{DisableKeepAlives: true}}, Timeout: longest})
		})
	}
}

func bothServe(t *testing.T, client *http.Client) {
	t.Helper()
	names := map[string]int{}
	for range 8 {
		_, text := fetch(t, client, ask(t, "GET", "/", nil))
		names[text]++
	}
	if len(names) != 2 {
		t.Errorf("a server is left out: %v", names)
	}
}
