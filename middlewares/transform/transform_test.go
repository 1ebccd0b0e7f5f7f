package transform

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fairway/internal/identity"
	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config {
		c := &Config{}
		c.SetDefaults()
		return c
	})
}

func built(tb testing.TB, c *Config, next http.HandlerFunc) http.Handler {
	tb.Helper()
	if c.MaxBodyBytes == 0 {
		c.SetDefaults()
	}
	h, err := c.New(tb.Context(), middlewarestest.Env("shape"), next)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

func ask(h http.Handler, method, target, body string, change func(*http.Request)) (*httptest.ResponseRecorder, *record.Record) {
	rec := &record.Record{}
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r = r.WithContext(record.With(r.Context(), rec))
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w, rec
}

func TestResponse_IsChanged(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config *Response
		method string
		status int
		header http.Header
		body   string
		want   int
		text   string
		shown  map[string]string
	}{
		{
			"json", &Response{Body: "{a: .x.y, s: $status, t: $headers[\"x-t\"]}"}, "GET", 200,
			http.Header{"X-T": {"1"}, "Etag": {`"a"`}, "Content-Type": {"application/json"}},
			`{"x": {"y": 1.50}}`, 200, `{"a":1.5,"s":200,"t":"1"}`,
			map[string]string{"Etag": "", "Content-Length": "25", "X-T": "1"},
		},
		{"no body", &Response{Body: "."}, "GET", 204, nil, "", 204, "", map[string]string{"Content-Length": ""}},
		{"head", &Response{Body: "."}, "HEAD", 200, http.Header{"Content-Length": {"18"}}, "", 200, "", map[string]string{"Content-Length": "", "Content-Type": "application/json"}},
		{"another status passes", &Response{Body: "1", When: []string{"500-599"}}, "GET", 404, nil, "plain", 404, "plain", nil},
		{"one of those", &Response{Body: "{error: ($status | tostring)}", Status: 502, When: []string{"500-599"}}, "GET", 503, nil, "1", 502, `{"error":"503"}`, nil},
		{"an event stream passes", &Response{Body: "1"}, "GET", 200, http.Header{"Content-Type": {"text/event-stream"}}, "data: x", 200, "data: x", nil},
		{"status alone", &Response{Status: 202}, "GET", 200, http.Header{"Content-Type": {"text/x"}}, "same", 202, "same", map[string]string{"Content-Type": "text/x", "Content-Length": "4"}},
		{"no JSON", &Response{Body: "."}, "GET", 200, nil, "<html>", 502, "Bad Gateway", nil},
		{"not what fits", &Response{Body: ".a.b"}, "GET", 200, nil, `{"a": 1}`, 502, "Bad Gateway", nil},
		{"packed", &Response{Body: "."}, "GET", 200, http.Header{"Content-Encoding": {"gzip"}}, "x", 502, "Bad Gateway", nil},
		{"too long", &Response{Body: "."}, "GET", 200, nil, strings.Repeat(" ", defaultMost) + "1", 502, "Bad Gateway", nil},
		{"too deep", &Response{Body: "."}, "GET", 200, nil, strings.Repeat("[", 1000), 502, "Bad Gateway", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := built(t, &Config{Response: tt.config}, func(w http.ResponseWriter, r *http.Request) {
				if tt.config.Body != "" && (r.Header.Get("Accept-Encoding") != "identity" || r.Header.Get("Range") != "") {
					t.Errorf("the service is asked with %v", r.Header)
				}
				maps.Copy(w.Header(), tt.header)
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			w, rec := ask(h, tt.method, "/", "", func(r *http.Request) {
				r.Header.Set("Accept-Encoding", "gzip")
				r.Header.Set("Range", "bytes=0-1")
			})
			if w.Code != tt.want || w.Body.String() != tt.text || (tt.want == 502 && tt.config.Status == 0) != (rec.Cause != "") {
				t.Errorf("got %d %q, %q", w.Code, w.Body, rec.Cause)
			}
			for name, want := range tt.shown {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
		})
	}
}

// What the gateway itself says of a failure is no response of the service.
func TestResponse_TheGatewaysOwnPasses(t *testing.T) {
	h := built(t, &Config{Response: &Response{Body: "1"}}, func(w http.ResponseWriter, r *http.Request) {
		middlewares.Refuse(w, r, http.StatusBadGateway, "nobody is there")
	})
	if w, _ := ask(h, "GET", "/", "", nil); w.Code != 502 || w.Body.String() != "Bad Gateway" {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
}

func TestRequest_IsChanged(t *testing.T) {
	config := &Config{Request: &Request{
		Path: "/u/{claims.sub}/{query.id}", Headers: &Fields{Remove: []string{"X-Gone"}, Rename: map[string]string{"X-Old": "X-New"}, Set: map[string]string{"X-Who": "{consumer.name}", "X-None": "{query.none}"}, Add: map[string]string{"X-More": "{method}"}},
		Query: &Fields{Rename: map[string]string{"a": "b"}, Remove: []string{"id"}}, Body: "{sent: ., by: $claims.sub, gold: ($consumer.plan == \"gold\")}",
	}}
	var got *http.Request
	var body []byte
	h := built(t, config, func(_ http.ResponseWriter, r *http.Request) { got, body = r, readAll(r.Body) })
	original := http.Header{"X-Gone": {"1"}, "X-Old": {"old"}, "X-None": {"forged"}, "X-More": {"1"}, "Content-Encoding": {"identity"}}
	w, _ := ask(h, "POST", "/x?id=..&a=1", `[1]`, func(r *http.Request) {
		r.Header = original.Clone()
		record.From(r.Context()).Identity = &identity.Identity{Claims: map[string]any{"sub": "a/b"}, Consumer: &identity.Consumer{Name: "ann\r\nX-Evil: 1", Plan: "gold"}}
	})
	if w.Code != 200 || got.URL.EscapedPath() != "/u/a%2Fb/%2E%2E" || got.RequestURI != "/u/a%2Fb/%2E%2E?b=1" || string(body) != `{"by":"a/b","gold":true,"sent":[1]}` || got.ContentLength != int64(len(body)) {
		t.Errorf("got %d %s %s %s", w.Code, got.URL, got.RequestURI, body)
	}
	h2 := got.Header
	if h2.Get("X-Gone") != "" || h2.Get("X-New") != "old" || h2.Get("X-Who") != "ann  X-Evil: 1" || h2.Get("X-None") != "" || strings.Join(h2["X-More"], ",") != "1,POST" || h2.Get("Content-Encoding") != "" {
		t.Errorf("got %v", h2)
	}
}

func TestRequest_ThatCannotBeChanged(t *testing.T) {
	h := built(t, &Config{Request: &Request{Body: ".a", Path: "/{query.id}"}, MaxBodyBytes: 10}, func(http.ResponseWriter, *http.Request) { t.Error("it was asked") })
	for _, tt := range []struct {
		target, body string
		want         int
	}{{"/?id=1", "{", 400}, {"/?id=1", "12345678901", 413}, {"/?id=1", "[1]", 400}, {"/", "{}", 400}} {
		if w, rec := ask(h, "POST", tt.target, tt.body, nil); w.Code != tt.want || !strings.HasPrefix(rec.Cause, "transform: request: ") {
			t.Errorf("%s %s: got %d, %q", tt.target, tt.body, w.Code, rec.Cause)
		}
	}
}

func readAll(r io.Reader) []byte {
	all, _ := io.ReadAll(r)
	return all
}

func FuzzFormats(f *testing.F) {
	for _, seed := range []string{"a=1&b=2&b=3", `{"a": [1, null]}`, "text", "<a b=\"1\">x</a>", "%zz", "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, from := range []format{asJSON, asForm, asText, asXML} {
			v, err := from.read(text)
			if err != nil {
				continue
			}
			out, err := from.write(v)
			if err != nil {
				continue
			}
			again, err := from.read(out)
			if err != nil {
				t.Fatalf("%s: %q became %q: %v", from, text, out, err)
			}
			if twice, err := from.write(again); err != nil || !bytes.Equal(out, twice) {
				t.Errorf("%s: %q became %q, and then %q, %v", from, text, out, twice, err)
			}
		}
	})
}
