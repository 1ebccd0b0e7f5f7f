package server

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// The two engines are asked the same and must answer alike.

// behaviours are what servers answer, by path.
var behaviours = map[string]string{
	"/length":         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello",
	"/untyped":        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
	"/empty":          "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	"/reason":         "HTTP/1.1 299 So So\r\nContent-Length: 0\r\n\r\n",
	"/fields":         "HTTP/1.1 404 Not Found\r\nSet-Cookie: a\r\nset-cookie: b\r\nX-A: 1\r\nX-Empty:\r\nServer: s\r\nContent-Length: 2\r\nContent-Type: a/b\r\n\r\nno",
	"/hop":            "HTTP/1.1 200 OK\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nContent-Length: 2\r\nContent-Type: a/b\r\n\r\nok",
	"/chunks":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: a/b\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
	"/trailers":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nContent-Type: a/b\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n",
	"/unannounced":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: a/b\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n",
	"/long":           "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\nContent-Type: a/b\r\n\r\n" + strings.Repeat("0123456789", 30000),
	"/long-chunk":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: a/b\r\n\r\n493e0\r\n" + strings.Repeat("0123456789", 30000) + "\r\n0\r\n\r\n",
	"/204":            "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n",
	"/304":            "HTTP/1.1 304 Not Modified\r\nEtag: x\r\n\r\n",
	"/early":          "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: b\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
	"/closes":         "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: a/b\r\n\r\nuntil the end",
	"/closes-length":  "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\nContent-Type: a/b\r\n\r\nok",
	"/1.0":            "HTTP/1.0 200 OK\r\nContent-Type: a/b\r\n\r\nold",
	"/more":           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: a/b\r\n\r\nok, and HTTP/1.1 200 OK\r\n\r\n",
	"/short":          "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Type: a/b\r\n\r\nhell",
	"/short-chunk":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: a/b\r\n\r\n5\r\nhello\r\n5\r\nhe",
	"/no-last-chunk":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: a/b\r\n\r\n5\r\nhello\r\n",
	"/bad-chunk":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: a/b\r\n\r\n5\r\nhello\r\nxyz\r\nhello\r\n0\r\n\r\n",
	"/nothing":        "",
	"/garbage":        "220 mail.example ESMTP\r\n",
	"/half-head":      "HTTP/1.1 200 OK\r\nContent-Le",
	"/two-lengths":    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
	"/length-coding":  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"/unasked-switch": "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n",
}

// behaving is a server that answers as the path says. /echo answers with what came.
func behaving(t *testing.T) string {
	return scripted(t, func(c net.Conn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			body, err := io.ReadAll(req.Body)
			if err != nil {
				return
			}
			answer, known := behaviours[req.URL.Path]
			if !known {
				seen := fmt.Sprintf("%s %s %s %d %q %v %v %q", req.Method, req.RequestURI, req.Host, req.ContentLength, req.TransferEncoding, shown(req), req.Trailer, body)
				answer = fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: %d\r\n\r\n%s", len(seen), seen)
			}
			head, rest, _ := strings.Cut(answer, "\r\n\r\n")
			if req.Method == http.MethodHead && rest != "" && req.URL.Path != "/early" {
				answer = head + "\r\n\r\n"
			}
			if _, err := io.WriteString(c, answer); err != nil || answer == "" || !strings.Contains(answer, "\r\n\r\n") ||
				slices.Contains([]string{"/closes", "/closes-length", "/1.0", "/short", "/short-chunk", "/no-last-chunk"}, req.URL.Path) {
				return
			}
		}
	})
}

// shown are the fields of a request that both engines must send alike.
func shown(r *http.Request) string {
	h := r.Header.Clone()
	h.Del(passHeader)
	h.Del("X-Forwarded-Server")
	h.Del("X-Forwarded-Host") // has the port of the gateway when there is no Host
	h.Del("Content-Length")
	return fmt.Sprint(slices.Sorted(maps.Keys(h)), h)
}

func requestsTo(path string) map[string]string {
	return map[string]string{
		"GET":     "GET " + path + " HTTP/1.1\r\nHost: a.test\r\n\r\n",
		"HEAD":    "HEAD " + path + " HTTP/1.1\r\nHost: a.test\r\n\r\n",
		"POST":    "POST " + path + " HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody",
		"chunked": "POST " + path + " HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
		"close":   "GET " + path + " HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n",
	}
}

var echoed = map[string]string{
	"no length":         "POST /echo HTTP/1.1\r\nHost: a.test\r\n\r\n",
	"length 0":          "PUT /echo HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n",
	"trailers":          "POST /echo HTTP/1.1\r\nHost: a.test\r\nTe: trailers\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n4\r\nbody\r\n0\r\nX-T: 1\r\n\r\n",
	"expect":            "POST /echo HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody",
	"nominated fields":  "GET /echo HTTP/1.1\r\nHost: a.test\r\nConnection: X-Hop, X-Real-Ip, X-Forwarded-For\r\nX-Hop: 1\r\nX-Stays: 1\r\n\r\n",
	"fields of the hop": "GET /echo HTTP/1.1\r\nHost: a.test\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTe: gzip\r\nX-A: 1\r\nX-A: 2\r\n\r\n",
	"h2c":               "GET /echo HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
	"query":             "GET /echo/a%2Fb//c/../d?x=1;y=%20 HTTP/1.1\r\nHost: a.test\r\n\r\n",
	"absolute form":     "GET http://a.test/echo?x HTTP/1.1\r\nHost: a.test\r\n\r\n",
	"long body":         "POST /echo HTTP/1.1\r\nHost: a.test\r\nContent-Length: 300000\r\n\r\n" + strings.Repeat("0123456789", 30000),
	"long chunk":        "POST /echo HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n493e0\r\n" + strings.Repeat("0123456789", 30000) + "\r\n0\r\n\r\n",
}

func TestServer_EnginesAnswerAlike(t *testing.T) {
	url := behaving(t)
	std := start(t, wrapped(routeTo(url)), "--entrypoints.web.engine=std")
	plain, marked := start(t, routeTo(url)), start(t, wrapped(routeTo(url)))
	same := func(t *testing.T, request string) {
		t.Helper()
		want := exchange(t, std, request)
		for name, r := range map[string]*running{"plain": plain, "wrapped": marked} {
			if got := exchange(t, r, request); got != want {
				t.Errorf("%s:\n got %.600s\nwant %.600s", name, got, want)
			}
		}
	}
	for path := range behaviours {
		for kind, request := range requestsTo(path) {
			t.Run(kind+path, func(t *testing.T) { same(t, request) })
		}
	}
	for name, request := range echoed {
		t.Run(name, func(t *testing.T) { same(t, request) })
	}
}

// exchange tells all that a client can see of a request, but the date, and whether
// the connection serves another one.
func exchange(t *testing.T, r *running, request string) string {
	t.Helper()
	method, _, _ := strings.Cut(request, " ")
	p := r.dial(t).say(request)
	got := p.hear(method)
	if got.err != nil || got.cut { // how much comes before depends on what has been sent on
		return "cut off"
	}
	got.header.Del("X-Mark")
	if method != http.MethodHead {
		got.header.Del("Content-Length") // a short body may be sent either way
	}
	lives := false
	if got.header.Get("Connection") != "close" {
		_, _ = io.WriteString(p.Conn, "GET /empty HTTP/1.1\r\nHost: a.test\r\n\r\n")
		lives = p.hear("GET").status == 200
	}
	return fmt.Sprintf("%d %v, %d bytes %.400q, trailers %v, informed %v, lives %v",
		got.status, got.header, len(got.body), got.body, got.trailer, got.informed, lives)
}
