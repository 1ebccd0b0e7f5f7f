package http1

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The engine and net/http give the same answers with the same handlers: status,
// fields but Date, body, trailers, and whether the connection lives on.

var differentialHandlers = map[string]http.HandlerFunc{
	"/alive": func(http.ResponseWriter, *http.Request) {},
	"/hello": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") },
	"/html":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html><body>x") },
	"/two": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<ht")
		_, _ = io.WriteString(w, "ml>"+strings.Repeat("x", 20000))
	},
	"/empty": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) },
	"/204": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		w.WriteHeader(http.StatusNoContent)
		_, err := io.WriteString(w, "hello")
		if !errors.Is(err, http.ErrBodyNotAllowed) {
			panic("body allowed")
		}
	},
	"/304": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/x")
		w.Header().Set("Etag", `"a"`)
		w.WriteHeader(http.StatusNotModified)
	},
	"/long":   func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("abcd", 5000)) },
	"/pieces": func(w http.ResponseWriter, _ *http.Request) { pieces(w, 3000, 7) },
	"/length": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "21000")
		pieces(w, 3000, 7)
	},
	"/length0": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "0") },
	"/short": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "hello")
	},
	"/toolong": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		_, _ = io.WriteString(w, "hello")
		if _, err := io.WriteString(w, "more"); !errors.Is(err, http.ErrContentLength) {
			panic("longer than Content-Length")
		}
	},
	"/flush": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello")
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, " again")
	},
	"/flushfirst": func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, "hello")
	},
	"/trailer": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum, x-Other")
		_, _ = io.WriteString(w, "hello")
		w.Header().Set("X-Sum", "5")
		w.Header().Set("X-Not", "5")
	},
	"/prefix": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello")
		w.(http.Flusher).Flush()
		w.Header().Set(http.TrailerPrefix+"X-Sum", "5")
	},
	"/prefixearly": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(http.TrailerPrefix+"X-Sum", "5")
		_, _ = io.WriteString(w, "hello")
	},
	"/early": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("X-Final", "1")
		_, _ = io.WriteString(w, "hello")
	},
	"/close": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") },
	"/keep": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "keep-alive")
		w.Header().Set("Content-Length", "2")
		_, _ = io.WriteString(w, "ok")
	},
	"/identity": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Transfer-Encoding", "identity")
		_, _ = io.WriteString(w, "hello")
	},
	"/chunked": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Transfer-Encoding", "chunked")
		_, _ = io.WriteString(w, "hello")
	},
	"/both": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Transfer-Encoding", "chunked")
		w.Header().Set("Content-Length", "5")
		_, _ = io.WriteString(w, "hello")
	},
	"/notype": func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		_, _ = io.WriteString(w, "hello")
	},
	"/encoded": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "x")
		_, _ = io.WriteString(w, "hello")
	},
	"/nodate": func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil },
	"/late": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-A", "1")
		w.WriteHeader(http.StatusTeapot)
		w.Header().Set("X-A", "2")
		w.Header().Set("X-B", "2")
		w.WriteHeader(http.StatusOK)
	},
	"/strange": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(799) },
	"/injection": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-A", "1\r\nX-B: 2\n\nbody")
		w.Header()["X C"] = []string{"1"}
		w.Header()["X\r\nD"] = []string{"1"}
		w.Header()["X-Many"] = []string{"1", " 2\t", ""}
	},
	"/panic":      func(http.ResponseWriter, *http.Request) { panic("on purpose") },
	"/abort":      func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	"/panicwrote": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello"); panic("on purpose") },
	"/panicflushed": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	},
	"/hijack": func(w http.ResponseWriter, _ *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		_ = rw.Flush()
		_ = c.Close()
	},
	"/echo": func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%q %v %v", body, err, sorted(r.Trailer))
	},
	"/closebody": func(w http.ResponseWriter, r *http.Request) {
		_ = r.Body.Close()
		_, err := r.Body.Read(make([]byte, 1))
		fmt.Fprint(w, err)
	},
	"/part": func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadFull(r.Body, make([]byte, 2))
		_, _ = io.WriteString(w, "enough")
	},
	"/copy": func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.Copy(w, r.Body)
	},
	"/max": func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 3))
		if err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	},
	"/dump": func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s|%s|%#v|%s|%s|%d|%v|%v|%v|%v|%s|%v", r.Method, r.RequestURI, r.URL, r.Host, r.Proto, r.ContentLength,
			r.TransferEncoding, r.Close, sorted(r.Header), r.TLS, r.Pattern, sorted(r.Trailer))
	},
}

func pieces(w io.Writer, size, n int) {
	for i := range n {
		_, _ = w.Write(slices.Repeat([]byte{'a' + byte(i)}, size))
	}
}

func sorted(h http.Header) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(h)) {
		out = append(out, fmt.Sprintf("%s=%q", name, h[name]))
	}
	return out
}

func differentialRequests() []string {
	var all []string
	for _, path := range slices.Sorted(maps.Keys(differentialHandlers)) {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			for _, version := range []string{"HTTP/1.1\r\nHost: a\r\n", "HTTP/1.1\r\nHost: a\r\nConnection: close\r\n", "HTTP/1.0\r\n", "HTTP/1.0\r\nConnection: keep-alive\r\n"} {
				length := ""
				if method == "POST" {
					length = "Content-Length: 5\r\n"
				}
				all = append(all, method+" "+path+" "+version+length+"\r\n"+map[bool]string{true: "12345"}[length != ""])
			}
		}
	}
	const long = 300 << 10
	for _, path := range []string{"/echo", "/copy", "/hello", "/empty", "/part", "/closebody", "/max", "/dump", "/two", "/panic", "/flush"} {
		start := "POST " + path + " HTTP/1.1\r\nHost: a\r\n"
		all = append(
			all,
			start+"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n",
			start+"Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\nX-U: 2\r\n\r\n",
			start+"Content-Length: 0\r\n\r\n",
			start+"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n12345",
			start+"Content-Length: 0\r\nExpect: 100-continue\r\n\r\n",
			start+"Content-Length: 5\r\nExpect: magic\r\n\r\n12345",
			start+fmt.Sprintf("Content-Length: %d\r\n\r\n%s", 20000, strings.Repeat("x", 20000)),
			start+fmt.Sprintf("Content-Length: %d\r\n\r\n%s", long, strings.Repeat("x", long)),
			start+fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", long, strings.Repeat("x", long)),
		)
	}
	for _, target := range []string{"/dump?a=b;c", "/dump?", "/dump/../x", "//dump", "/dump%2fx", "/d%75mp?%zz", "/dump/!'()*[]", "http://a/dump", "http://A/dump?x", "http://a"} {
		all = append(all, "GET "+target+" HTTP/1.1\r\nHost: a\r\nx-one: 1\r\nX-One: 2\r\nCookie: a=b\r\nCookie: c=d\r\nPragma: no-cache\r\n\r\n")
	}
	return append(
		all,
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		"OPTIONS /dump HTTP/1.1\r\nHost: a\r\n\r\n",
		"get /dump HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
		"BREW /dump HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
		"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n",
		plainGet("/hello")+plainGet("/long")+plainGet("/hello")+"POST /part HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345"+plainGet("/empty"),
		plainGet("/hello")+plainGet("/close")+plainGet("/hello"),
	)
}

// conversation is everything that a client sees after it has sent raw.
type conversation struct {
	answers []answer
	alive   bool
}

func converse(t *testing.T, address, raw string) conversation {
	p := dial(t, address)
	go func() { _, _ = io.WriteString(p, raw) }()
	method, _, _ := strings.Cut(raw, " ")
	var c conversation
	for n := max(1, strings.Count(raw, " HTTP/1.")); n > 0; {
		a, err := p.receive(method)
		if err != nil {
			return c
		}
		a.header.Del("Date")
		if strings.Contains(raw, "/both HTTP/1.0") {
			a.header.Del("Connection") // net/http promises what it does not keep
		}
		if strings.Contains(raw, "magic") || strings.Contains(raw, "/max") {
			// The engine says why; net/http tells its own writer that it need not read on.
			a = answer{status: a.status}
		}
		if a.status == http.StatusEarlyHints && strings.Contains(raw, "HTTP/1.0") {
			continue // the engine does not send it: HTTP/1.0 has no such thing
		}
		c.answers = append(c.answers, a)
		if a.status >= 200 {
			n--
		}
	}
	if c.alive = p.alive(); strings.HasPrefix(raw, "POST /max") {
		c.alive = false
	}
	return c
}

func TestDifferential(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "//")
		if f := differentialHandlers[path]; f != nil {
			f(w, r)
			return
		}
		differentialHandlers["/dump"](w, r)
	})
	ours, theirs := serve(t, &Server{Handler: h}), serveStandard(t, h)
	for i, raw := range differentialRequests() {
		name, _, _ := strings.Cut(raw, "\r\n")
		t.Run(fmt.Sprint(i, " ", name), func(t *testing.T) {
			t.Parallel()
			got, want := converse(t, ours, raw), converse(t, theirs, raw)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("request %.300q\n got %.600s\nwant %.600s", raw, fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want))
			}
		})
	}
}
