package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// The versions of HTTP are asked the same and must answer alike.

func TestServer_VersionsAnswerAlike(t *testing.T) {
	r, clients := start3(t, routeTo(behaving(t))), newVersions(t)
	look := func(t *testing.T, version string, request func() *http.Request) string {
		t.Helper()
		got := over(clients[version], request())
		if got.err != nil || got.cut {
			return "cut off"
		}
		if got.proto != version {
			t.Errorf("spoke %s, want %s", got.proto, version)
		}
		for _, name := range []string{"Date", "Content-Length", "Trailer", "Connection"} {
			got.header.Del(name) // said by the framing, or of one version only
		}
		got.trailer = kept(got.trailer)
		return fmt.Sprintf("%d %v, %.900q (%d bytes), trailers %v, informed %v", got.status, got.header, got.body, len(got.body), got.trailer, got.informed)
	}
	same := func(t *testing.T, request func() *http.Request) {
		t.Helper()
		want := look(t, "HTTP/1.1", request)
		for _, version := range []string{"HTTP/2.0", "HTTP/3.0"} {
			if got := look(t, version, request); got != want {
				t.Errorf("%s:\n got %s\nwant %s", version, got, want)
			}
		}
	}
	for path := range behaviours {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			t.Run(method+path, func(t *testing.T) {
				same(t, func() *http.Request {
					if method == "POST" {
						return r.call(t, method, path, strings.NewReader("body"))
					}
					return r.call(t, method, path, nil)
				})
			})
		}
	}
	for name, change := range map[string]func(*http.Request){
		"plain":        func(*http.Request) {},
		"delete":       func(q *http.Request) { q.Method = "DELETE" },
		"options":      func(q *http.Request) { q.Method = "OPTIONS" },
		"query":        func(q *http.Request) { q.URL.RawQuery = "x=1;y=%20" },
		"encoded path": func(q *http.Request) { q.URL.Path, q.URL.RawPath = "/echo/a/b", "/echo/a%2Fb" },
		"cookies":      func(q *http.Request) { q.Header["Cookie"] = []string{"a=1; b=2"} },
		"fields twice": func(q *http.Request) { q.Header["X-A"] = []string{"1", "2"} },
		"forged": func(q *http.Request) {
			q.Header.Set("X-Forwarded-For", "192.0.2.1")
			q.Header.Set("X-Real-Ip", "192.0.2.1")
		},
		"asks for trailers":  func(q *http.Request) { q.Header.Set("Te", "trailers") },
		"body":               func(q *http.Request) { withBody(q, "some text", 9) },
		"long body":          func(q *http.Request) { withBody(q, strings.Repeat("0123456789", 30000), 300000) },
		"body of any length": func(q *http.Request) { withBody(q, "some text", -1) },
		"trailers": func(q *http.Request) {
			withBody(q, "some text", -1)
			q.Trailer = http.Header{"X-T": {"1"}}
		},
		"another host": func(q *http.Request) { q.Host = "other.test" },
	} {
		t.Run(name, func(t *testing.T) {
			same(t, func() *http.Request {
				q := r.call(t, "GET", "/echo", nil)
				change(q)
				return q
			})
		})
	}
	t.Run("no route", func(t *testing.T) {
		bare := start3(t, strings.Replace(routeTo("http://a"), "PathPrefix(`/`)", "Path(`/x`)", 1))
		same(t, func() *http.Request { return bare.call(t, "GET", "/", nil) })
	})
}

func withBody(q *http.Request, text string, length int64) {
	q.Method, q.Body, q.ContentLength = "POST", io.NopCloser(strings.NewReader(text)), length
}

// kept leaves trailers that have values.
func kept(h http.Header) http.Header {
	some := http.Header{}
	for name, values := range h {
		if len(values) > 0 {
			some[name] = values
		}
	}
	return some
}

// A long body goes there and comes back at the same time.
func TestServer_LongBodiesBothWays(t *testing.T) {
	const size = 8 << 20
	text := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	want := sha256.Sum256(text)
	everyHop(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.Copy(w, r.Body)
	}, func(t *testing.T, r *running, client http.RoundTripper) {
		res, err := client.RoundTrip(r.call(t, "POST", "/", io.NopCloser(bytes.NewReader(text))))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		sum := sha256.New()
		if n, err := io.Copy(sum, res.Body); err != nil || n != size || [32]byte(sum.Sum(nil)) != want {
			t.Errorf("got %d bytes, %v, sum %x, want %x", n, err, sum.Sum(nil), want)
		}
	})
}

// Both sides talk in turns, in one request.
func TestServer_TurnsInEveryVersion(t *testing.T) {
	everyHop(t, func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		_ = c.EnableFullDuplex()
		_ = c.Flush()
		buf := make([]byte, 4)
		for {
			if _, err := io.ReadFull(r.Body, buf); err != nil {
				return
			}
			_, _ = w.Write(buf)
			_ = c.Flush()
		}
	}, func(t *testing.T, r *running, client http.RoundTripper) {
		from, to := io.Pipe()
		res, err := client.RoundTrip(r.call(t, "POST", "/", from))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		buf := make([]byte, 4)
		for _, word := range []string{"ping", "pong", "ping"} {
			if _, err := io.WriteString(to, word); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(res.Body, buf); err != nil || string(buf) != word {
				t.Fatalf("got %q, %v, want %q", buf, err, word)
			}
		}
		_ = to.Close()
		if rest, err := io.ReadAll(res.Body); err != nil || len(rest) > 0 {
			t.Errorf("at the end: got %q, %v", rest, err)
		}
	})
}

// A client that goes away takes its request to the server with it.
func TestServer_ClientsThatCancel(t *testing.T) {
	begun, ended := make(chan struct{}, 1), make(chan struct{}, 1)
	everyHop(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/answered" {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
		}
		begun <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	}, func(t *testing.T, r *running, client http.RoundTripper) {
		for path, cause := range map[string]string{"/silent": "the client went away", "/answered": "the client went away during the response"} {
			before := strings.Count(r.log.String(), "path="+path)
			ctx, cancel := context.WithCancel(context.Background())
			failed, heard := make(chan error, 1), make(chan struct{})
			go func() {
				res, err := client.RoundTrip(r.call(t, "GET", path, nil).WithContext(ctx))
				if err == nil {
					_, _ = io.ReadFull(res.Body, make([]byte, len("half")))
					close(heard)
					_, err = io.ReadAll(res.Body)
					_ = res.Body.Close()
				}
				failed <- err
			}()
			<-begun
			if path == "/answered" {
				<-heard
			}
			cancel()
			<-ended
			if err := <-failed; err == nil {
				t.Errorf("%s: the client got an answer", path)
			}
			await(t, "a line in the log", func() bool { return strings.Count(r.log.String(), "path="+path) > before })
			for line := range strings.Lines(r.log.String()) {
				if strings.Contains(line, "path="+path) && !strings.Contains(line, cause) {
					t.Errorf("%s: the log does not say %q: %s", path, cause, line)
				}
			}
		}
		for _, e := range r.entryPoints {
			await(t, "end of all requests", func() bool { return e.outer.active.Load() == 0 })
		}
	})
}

// A response that breaks off is never taken for a whole one.
func TestServer_ResponsesThatBreakOffInEveryVersion(t *testing.T) {
	everyHop(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}, func(t *testing.T, r *running, client http.RoundTripper) {
		if got := over(client, r.call(t, "GET", "/", nil)); got.err == nil && !got.cut {
			t.Errorf("got all of %d %q", got.status, got.body)
		}
		await(t, "a line in the log", func() bool { return strings.Contains(r.log.String(), "broke off") })
	})
}

// An early answer is heard although the request is not sent to its end, and what
// comes of that belongs to no other request.
func TestServer_EarlyAnswersInEveryVersion(t *testing.T) {
	everyHop(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_ = http.NewResponseController(w).EnableFullDuplex() // or the server would wait for the body
			w.WriteHeader(http.StatusForbidden)
			return
		}
		text, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %q", r.Method, text)
	}, func(t *testing.T, r *running, client http.RoundTripper) {
		from, to := io.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		context.AfterFunc(ctx, func() { _ = to.Close() })
		if got := over(client, r.call(t, "POST", "/", from)); got.status != http.StatusForbidden {
			t.Errorf("got %d, %v", got.status, got.err)
		}
		go func() { _, _ = io.WriteString(to, "late") }() // ends with the pipe
		for range 3 {
			if got := over(client, r.call(t, "PUT", "/", strings.NewReader("next"))); got.body != `PUT "next"` {
				t.Errorf("got %d %q, %v", got.status, got.body, got.err)
			}
		}
	})
}

func TestServer_EarlyHintsInEveryVersion(t *testing.T) {
	everyHop(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		w.Header().Set("X-A", "1")
	}, func(t *testing.T, r *running, client http.RoundTripper) {
		got := over(client, r.call(t, "GET", "/", nil))
		if got.status != 200 || len(got.informed) != 1 || got.informed[0] != "103map[Link:[</a.css>]]" && got.informed[0] != "103 map[Link:[</a.css>]]" {
			t.Errorf("got %d, informed %q, %v", got.status, got.informed, got.err)
		}
		if got.header.Get("X-A") != "1" || got.header.Get("Link") != "" || got.header.Get("Alt-Svc") == "" {
			t.Errorf("got %v", got.header)
		}
	})
}

func TestServer_TrailersInEveryVersion(t *testing.T) {
	everyHop(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", "of "+r.Trailer.Get("X-Sent"))
		w.Header().Set(http.TrailerPrefix+"X-More", "1")
	}, func(t *testing.T, r *running, client http.RoundTripper) {
		req := r.call(t, "POST", "/", io.NopCloser(strings.NewReader("hello")))
		req.Trailer = http.Header{"X-Sent": {"5"}}
		got := over(client, req)
		if got.body != "body" || got.trailer.Get("X-Sum") != "of 5" || got.trailer.Get("X-More") != "1" {
			t.Errorf("got %d %q, trailers %v, %v", got.status, got.body, got.trailer, got.err)
		}
	})
}
