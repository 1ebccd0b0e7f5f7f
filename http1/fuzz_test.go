package http1

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"testing"
)

// What the engine accepts, net/http accepts with the same meaning. It may refuse
// more.

func FuzzRequest(f *testing.F) {
	for _, seed := range requestSeeds {
		f.Add([]byte(seed))
	}
	for _, tt := range refusals {
		f.Add([]byte("POST / HTTP/1.1\r\nHost: a\r\n" + tt.fields + "\r\n" + tt.body + "GET / HTTP/1.1\r\n"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		q, p, err := readRequest(bytes.NewReader(data))
		_, slow, slowErr := readRequest(oneByOne{bytes.NewReader(data)})
		if (err == nil) != (slowErr == nil) || err == nil && !alike(p, slow) {
			t.Fatalf("byte by byte it is another request: %v, %v; %+v, %+v", err, slowErr, p, slow)
		}
		if err != nil {
			return
		}
		br := bufio.NewReaderSize(bytes.NewReader(data), 256<<10)
		want, err := http.ReadRequest(br)
		if err != nil {
			t.Fatalf("net/http refuses it: %v", err)
		}
		got := q.http
		compare(t, "method", got.Method, want.Method)
		compare(t, "target", got.RequestURI, want.RequestURI)
		compare(t, "URL", got.URL, want.URL)
		compare(t, "version", []any{got.Proto, got.ProtoMajor, got.ProtoMinor}, []any{want.Proto, want.ProtoMajor, want.ProtoMinor})
		compare(t, "host", got.Host, want.Host)
		compare(t, "header", got.Header, want.Header)
		compare(t, "length", got.ContentLength, want.ContentLength)
		compare(t, "coding", got.TransferEncoding, want.TransferEncoding)
		compare(t, "close", got.Close, want.Close)
		compare(t, "trailer", got.Trailer, want.Trailer)
		compareBody(t, p, want.Body, br, func() http.Header { return want.Trailer })
	})
}

func FuzzResponse(f *testing.F) {
	for _, seed := range responseSeeds {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	for _, tt := range refusals {
		f.Add([]byte("HTTP/1.1 200 OK\r\n"+tt.fields+"\r\n"+tt.body+"HTTP/1.1 200 OK\r\n"), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, head bool) {
		method := http.MethodGet
		if head {
			method = http.MethodHead
		}
		got, p, err := readResponse(bytes.NewReader(data), method)
		_, slow, slowErr := readResponse(oneByOne{bytes.NewReader(data)}, method)
		if (err == nil) != (slowErr == nil) || err == nil && !alike(p, slow) {
			t.Fatalf("byte by byte it is another response: %v, %v; %+v, %+v", err, slowErr, p, slow)
		}
		if err != nil {
			return
		}
		br := bufio.NewReaderSize(bytes.NewReader(data), 256<<10)
		want, err := http.ReadResponse(br, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("net/http refuses it: %v", err)
		}
		compare(t, "status", got.Status, want.StatusCode)
		compare(t, "version", got.minor, want.ProtoMinor)
		compare(t, "close", got.close, want.Close)
		header := http.Header{}
		got.Header(header)
		for name := range header {
			if isHopName(name) {
				t.Errorf("%s would be passed on", name)
			}
			if _, ok := want.Header[name]; ok {
				compare(t, name, header[name], want.Header[name])
			}
		}
		for name := range want.Header {
			if _, ok := header[name]; !ok && !isHopName(name) && !got.nominates && name != nameCacheControl {
				t.Errorf("%s is lost", name)
			}
		}
		compareBody(t, p, want.Body, br, func() http.Header { return want.Trailer })
	})
}

// alike compares what two ways of reading made of one message.
func alike(a, b parsed) bool {
	if a.err != nil || b.err != nil {
		return (a.err == nil) == (b.err == nil) && a.body == b.body
	}
	return a.body == b.body && a.rest == b.rest && reflect.DeepEqual(a.trailer, b.trailer)
}

func compareBody(t *testing.T, got parsed, body io.Reader, rest io.Reader, trailer func() http.Header) {
	t.Helper()
	want, err := io.ReadAll(body)
	if got.err != nil {
		if n := min(len(got.body), len(want)); got.body[:n] != string(want[:n]) {
			t.Errorf("body begins with %q, want %q", got.body, want)
		}
		return
	}
	if err != nil {
		t.Fatalf("net/http refuses the body: %v", err)
	}
	compare(t, "body", got.body, string(want))
	follows, _ := io.ReadAll(rest)
	compare(t, "what follows", got.rest, string(follows))
	sent := maps.Collect(func(yield func(string, []string) bool) {
		for name, values := range trailer() {
			if values != nil && !yield(name, values) {
				return
			}
		}
	})
	if len(sent)+len(got.trailer) > 0 {
		compare(t, "trailers sent", map[string][]string(got.trailer), sent)
	}
}

func compare(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %#v, want %#v", what, got, want)
	}
}

var requestSeeds = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.0\r\n\r\n",
	"GET /a/b?c=d HTTP/1.1\r\nHost: example.com:8080\r\nUser-Agent: x\r\nAccept: */*\r\nx-lower: 1\r\nX-Lower: 2\r\n\r\n",
	"GET //a/../b%20c/%2f?q HTTP/1.1\r\nhost: [::1]:80\r\n\r\n",
	"GET /a!b'(c)*[d]|\x80? HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET http://a.b/c?d HTTP/1.1\r\nHost: A.b\r\n\r\n",
	"GET http://a HTTP/1.1\r\nHost: a\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
	"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nPragma: no-cache\r\nConnection: keep-alive, close, X\r\n\r\n",
	"GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTrailer: X\r\n\r\nGET",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nTrailer: X-A, x-b\r\n\r\n3\r\nabc\r\n00a;x=\"y\"\r\n0123456789\r\n0\r\nX-A: 1\r\nx-c: 2\r\n\r\nGET",
	"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
	"GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB: \t b \t\r\nC: \xff\tc\r\n\r\n",
}

var responseSeeds = []string{
	"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP",
	"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\nHTTP",
	"HTTP/1.1 200 \r\n\r\nuntil the end",
	"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na",
	"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nHTTP",
	"HTTP/1.1 304 Not Modified\r\nEtag: \"a\"\r\nTransfer-Encoding: chunked\r\n\r\nHTTP",
	"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n",
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nxyz",
	"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nTrailer: A\r\nConnection: X-B\r\nX-B: 1\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\nHTTP",
	"HTTP/1.1 999 Strange words \xff\r\nConnection: close\r\nKeep-Alive: timeout=5\r\nset-cookie: a\r\nSet-Cookie: b\r\n\r\nbody",
}

func TestFuzzSeeds_AreAccepted(t *testing.T) {
	for _, seed := range requestSeeds {
		if _, p, err := readRequest(bytes.NewReader([]byte(seed))); err != nil || p.err != nil {
			t.Errorf("%q: %v, %v", seed, err, p.err)
		}
	}
	for _, seed := range responseSeeds {
		if _, p, err := readResponse(bytes.NewReader([]byte(seed)), "GET"); err != nil || p.err != nil {
			t.Errorf("%q: %v, %v", seed, err, p.err)
		}
	}
}

func TestHasControl(t *testing.T) {
	for c := range 256 {
		for at := range 17 {
			b := slices.Repeat([]byte{'\xff'}, 17)
			b[at] = byte(c)
			if got, want := hasControl(b), c < 0x20 || c == 0x7f; got != want {
				t.Errorf("%#x at %d: got %v", c, at, got)
			}
		}
	}
}
