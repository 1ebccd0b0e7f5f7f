package server

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// What the engine answers itself, before there is a request, is seen all the same.
func TestServer_RequestsThatAreNoneAreCounted(t *testing.T) {
	r := start(t, routeTo(backend(t, func(*http.Request) {})), "--entrypoints.traefik.address=127.0.0.1:0", "--metrics.prometheus",
		"--entrypoints.web.transport.respondingtimeouts.readheadertimeout=1s")
	var client string
	for request, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost : a\r\n\r\n":                                     "400",
		"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 2<<20) + "\r\n": "431",
		"GET /" + strings.Repeat("x", 1<<18) + " HTTP/1.1\r\nHost: a\r\n\r\n":    "414",
		"GET / HTTP/1.1\r\nHo": "408",
	} {
		conn, err := net.Dial("tcp", r.Addresses()["web"])
		if err != nil {
			t.Fatal(err)
		}
		client = conn.LocalAddr().String()
		go func() { _, _ = io.WriteString(conn, request) }() // it may not be read to its end
		answer := make([]byte, 12)
		if n, err := io.ReadFull(conn, answer); want == "408" && n > 0 || want != "408" && (err != nil || string(answer) != "HTTP/1.1 "+want) {
			t.Errorf("got %q, %v, want %s", answer, err, want)
		}
		_ = conn.Close()
		scrapeWith(t, r, `fairway_entrypoint_refused_total{entrypoint="web",status="`+want+`"} 1`)
		await(t, want+" in the log", func() bool {
			text := r.log.String()
			return strings.Contains(text, "client=\""+client+"\"") && strings.Contains(text, "status="+want)
		})
	}
}
