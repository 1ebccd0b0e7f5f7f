package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// halfAnswers starts a server that answers with a status and a beginning of a body, and
// then does nothing more until the test is over, or closes the connection.
func halfAnswers(t *testing.T, head string, closes bool) (url string, asked *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	t.Cleanup(func() { close(over); _ = l.Close() })
	asked = new(atomic.Int32)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
					return
				}
				asked.Add(1)
				_, _ = io.WriteString(conn, head)
				if !closes {
					<-over
				}
			}()
		}
	}()
	return "http://" + l.Addr().String(), asked
}

// What a middleware or a service does not want is not waited for.
func TestServer_ResponsesThatAreDroppedAreNotWaitedFor(t *testing.T) {
	good := backend(t, func(*http.Request) {})
	for name, tt := range map[string]struct {
		head   string
		closes bool
	}{
		"chunks that stop":      {"HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n", false},
		"a length, not reached": {"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 100\r\n\r\nbad", false},
		"broken off":            {"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 100\r\n\r\nbad", true},
		"long":                  {"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 10000000\r\n\r\n" + strings.Repeat("x", 200<<10), false},
	} {
		bad, asked := halfAnswers(t, tt.head, tt.closes)
		routes := fmt.Sprintf(`
http:
  routers:
    retry: {rule: 'PathPrefix("/retry")', service: both, middlewares: [retry]}
    failover: {rule: 'PathPrefix("/failover")', service: failover}
    errors: {rule: 'PathPrefix("/errors")', service: bad, middlewares: [errors]}
  middlewares:
    retry: {retry: {attempts: 4, status: ["503"], budget: -1}}
    errors: {errors: {status: ["503"], service: good}}
  services:
    bad: {loadBalancer: {servers: [{url: "%s"}]}}
    good: {loadBalancer: {servers: [{url: "%s"}]}}
    both: {loadBalancer: {servers: [{url: "%[1]s"}, {url: "%[2]s"}]}}
    failover: {failover: {service: bad, fallback: good, errors: {status: ["503"]}}}
`, bad, good)
		routes = strings.NewReplacer(`("`, "(`", `")`, "`)").Replace(routes)
		t.Run(name, func(t *testing.T) {
			ways(t, routes, nil, func(t *testing.T, r *running, client *http.Client) {
				before := asked.Load()
				for path, want := range map[string]int{"/retry": 200, "/failover": 200, "/errors": 503} {
					for range 2 {
						if res, body := fetch(t, client, ask(t, "GET", path, nil)); res.StatusCode != want || body != "answer" {
							t.Errorf("%s: got %d %q", path, res.StatusCode, body)
						}
					}
				}
				if asked.Load() < before+3 {
					t.Error("the bad server was not asked")
				}
				if text := r.log.String(); strings.Contains(text, "went away") {
					t.Errorf("the log blames the client:\n%s", text)
				}
			})
		})
	}
}
