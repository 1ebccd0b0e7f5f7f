package errors

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fairway/internal/answer"
	"fairway/internal/record"
	"fairway/internal/requesthead"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

func build(t *testing.T, c *Config, page, next http.HandlerFunc) http.Handler {
	t.Helper()
	env := middlewarestest.Env("test")
	env.Service = func(name string) (http.Handler, error) {
		if name != "pages" {
			return nil, errors.New("there is no " + name)
		}
		return page, nil
	}
	if c.Service == "" {
		c.Service = "pages"
	}
	h, err := c.New(t.Context(), env, next)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func do(h http.Handler, r *http.Request) (*httptest.ResponseRecorder, *record.Record) {
	rec := &record.Record{}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
	return w, rec
}

func failing(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("X-Secret", "1")
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = io.WriteString(w, "trace")
}

func TestErrors_AsksForThePage(t *testing.T) {
	tests := map[string]struct {
		headers *[]string
		want    http.Header
	}{
		"all":   {nil, http.Header{"Accept": {"text/html"}, "Cookie": {"a=1"}}},
		"some":  {&[]string{"accept"}, http.Header{"Accept": {"text/html"}}},
		"none":  {&[]string{}, http.Header{}},
		"never": {&[]string{"Range", "Content-Type"}, http.Header{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got *http.Request
			page := func(_ http.ResponseWriter, r *http.Request) { got = r }
			c := &Config{
				Status: []string{"500"}, StatusRewrites: map[string]int{"400-599": 502, "500": 503},
				Query: "{status}/{originalStatus}?u={url}", ErrorRequestHeaders: tt.headers,
			}
			h := build(t, c, page, failing)
			r := httptest.NewRequest(http.MethodPost, "http://shop.example/a%20b?c=d&e", strings.NewReader("body"))
			for name, value := range map[string]string{
				"Accept": "text/html", "Cookie": "a=1", "Range": "bytes=0-1", "If-None-Match": "x", "Content-Type": "text/x",
				"Upgrade": "websocket", "Connection": "Upgrade",
			} {
				r.Header.Set(name, value)
			}
			w, _ := do(h, r)
			if w.Code != 503 {
				t.Errorf("got %d", w.Code)
			}
			if want := "/503/500?u=%2Fa%2520b%3Fc%3Dd%26e"; got.URL.RequestURI() != want || got.RequestURI != want || got.Method != "GET" || got.Host != "shop.example" {
				t.Errorf("asked %s %s of %s, want %s", got.Method, got.URL.RequestURI(), got.Host, want)
			}
			if diff := cmp.Diff(tt.want, got.Header); diff != "" {
				t.Error(diff)
			}
			if body, _ := io.ReadAll(got.Body); len(body) > 0 || got.ContentLength != 0 {
				t.Errorf("with a body: %q", body)
			}
		})
	}
}

func TestErrors_ThePageGetsTheHeadersThatTheClientSent(t *testing.T) {
	inner := func(w http.ResponseWriter, r *http.Request) {
		defer requesthead.Set(r.Header, "Authorization", []string{"Basic for the service"}).PutBack()
		defer requesthead.Add(r.Header, "X-List", "more").PutBack()
		defer requesthead.Remove(r.Header, "Cookie").PutBack()
		failing(w, r)
	}
	for name, headers := range map[string]*[]string{"all": nil, "some": {"Authorization", "Cookie", "X-List"}} {
		t.Run(name, func(t *testing.T) {
			var got http.Header
			h := build(t, &Config{Status: []string{"500"}, ErrorRequestHeaders: headers}, func(_ http.ResponseWriter, r *http.Request) { got = r.Header }, inner)
			for _, want := range []http.Header{
				{"Cookie": {"a=1"}, "X-List": {"one"}}, {"Authorization": {"Bearer 1"}}, {}, {"Cookie": {"a=2"}},
			} {
				r := httptest.NewRequest("GET", "/", nil)
				r.Header = want.Clone()
				do(h, r)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(want, r.Header); diff != "" {
					t.Errorf("the client's request: %s", diff)
				}
			}
		})
	}
}

func BenchmarkErrors_Passing(b *testing.B) {
	env := middlewarestest.Env("test")
	h, err := (&Config{Status: []string{"500"}, Service: "pages"}).New(b.Context(), env, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	for _, name := range []string{"Accept", "Accept-Encoding", "Accept-Language", "Cookie", "User-Agent", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		r.Header.Set(name, "x")
	}
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

func TestErrors_APageMustBeOne(t *testing.T) {
	tests := map[string]struct {
		page  http.HandlerFunc
		body  string
		cause string
	}{
		"page":               {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "sorry") }, "sorry", ""},
		"empty page":         {func(http.ResponseWriter, *http.Request) {}, "", ""},
		"page of the status": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); _, _ = io.WriteString(w, "sorry") }, "sorry", ""},
		"not found":          {http.NotFound, "Internal Server Error", `errors: the service "pages" answered 404 instead of a page`},
		"elsewhere": {
			func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) },
			"Internal Server Error", `errors: the service "pages" answered 302 instead of a page`,
		},
		"not there": {
			func(w http.ResponseWriter, r *http.Request) { answer.Refuse(w, r, 502, "connection refused") },
			"Internal Server Error", "connection refused",
		},
		"broken off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "Internal Server Error", `errors: the service "pages" broke off`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			page := func(w http.ResponseWriter, r *http.Request) {
				record.From(r.Context()).Leaf = "pages"
				tt.page(w, r)
			}
			w, rec := do(build(t, &Config{Status: []string{"500"}}, page, func(w http.ResponseWriter, r *http.Request) {
				record.From(r.Context()).Leaf = "shop"
				failing(w, r)
			}), httptest.NewRequest("GET", "/", nil))
			if w.Code != 500 || w.Body.String() != tt.body || rec.Cause != tt.cause || rec.Leaf != "shop" {
				t.Errorf("got %d %q, cause %q, service %q", w.Code, w.Body, rec.Cause, rec.Leaf)
			}
			if w.Header().Get("X-Secret") != "" || w.Header().Get("Location") != "" {
				t.Errorf("got %v", w.Header())
			}
		})
	}
}

func TestErrors_KeepsTheCauseOfTheGateway(t *testing.T) {
	page := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "sorry") }
	w, rec := do(build(t, &Config{Status: []string{"502"}}, page, func(w http.ResponseWriter, r *http.Request) {
		answer.Refuse(w, r, 502, "connection refused")
	}), httptest.NewRequest("GET", "/", nil))
	if w.Body.String() != "sorry" || rec.Cause != "connection refused" || w.Header().Get("X-Content-Type-Options") != "" {
		t.Errorf("got %q, cause %q, %v", w.Body, rec.Cause, w.Header())
	}
}

func TestErrors_DoesNotWaitForWhatIsDropped(t *testing.T) {
	ended := make(chan struct{})
	page := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		_, _ = io.WriteString(w, "sorry")
		_ = http.NewResponseController(w).Flush()
	}
	server := httptest.NewServer(build(t, &Config{Status: []string{"500"}}, page, func(w http.ResponseWriter, r *http.Request) {
		failing(w, r)
		_ = http.NewResponseController(w).Flush()
		<-ended
		panic(http.ErrAbortHandler) // as when the server breaks off
	}))
	defer server.Close()
	defer close(ended)
	res, err := http.Get(server.URL) //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	line, err := bufio.NewReader(res.Body).ReadString('!')
	if line != "sorry" || !errors.Is(err, io.EOF) || res.StatusCode != 500 {
		t.Errorf("got %d %q, %v", res.StatusCode, line, err)
	}
}

func TestErrors_APageThatBreaksOffIsCutOff(t *testing.T) {
	server := httptest.NewServer(build(t, &Config{Status: []string{"500"}}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		panic(http.ErrAbortHandler)
	}, failing))
	defer server.Close()
	res, err := http.Get(server.URL) //nolint:noctx // a test
	if err == nil {
		_, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	if err == nil {
		t.Error("the client takes the part for the whole")
	}
}

func TestErrors_LeavesThoseAlone(t *testing.T) {
	page := func(http.ResponseWriter, *http.Request) { t.Error("a page was asked for") }
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if w, _ := do(build(t, &Config{Status: []string{"400-599"}}, page, failing), httptest.NewRequest("GET", "/", nil).WithContext(canceled)); w.Code != 500 {
		t.Errorf("a client that is gone: got %d", w.Code)
	}
	w, _ := do(build(t, &Config{Status: []string{"400-499", "501-599"}}, page, failing), httptest.NewRequest("GET", "/", nil))
	if w.Body.String() != "trace" || w.Header().Get("X-Secret") != "1" {
		t.Errorf("got %q %v", w.Body, w.Header())
	}
}

func TestErrors_AlsoCatchesAnOrdinaryStatus(t *testing.T) {
	page := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") }
	for name, next := range map[string]http.HandlerFunc{
		"written": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") },
		"copied":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, strings.NewReader("x")) },
		"flushed": func(w http.ResponseWriter, _ *http.Request) { _ = http.NewResponseController(w).Flush() },
		"nothing": func(http.ResponseWriter, *http.Request) {},
	} {
		t.Run(name, func(t *testing.T) {
			if w, _ := do(build(t, &Config{Status: []string{"200"}}, page, next), httptest.NewRequest("GET", "/", nil)); w.Body.String() != "page" {
				t.Errorf("got %q", w.Body)
			}
		})
	}
}

func TestErrors_NamesTheServiceThatIsMissing(t *testing.T) {
	env := middlewarestest.Env("test")
	env.Service = func(string) (http.Handler, error) { return nil, errors.New("there is none") }
	if _, err := (&Config{Status: []string{"500"}, Service: "x"}).New(t.Context(), env, nil); err == nil || err.Error() != "service: there is none" {
		t.Errorf("got %v", err)
	}
}

func TestErrors_AHeadOnlyGetsAHead(t *testing.T) {
	asked := ""
	page := func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method
		w.Header().Set("Content-Length", "5")
		_, _ = io.WriteString(w, "sorry")
	}
	w, _ := do(build(t, &Config{Status: []string{"500"}}, page, failing), httptest.NewRequest(http.MethodHead, "/", nil))
	if w.Code != 500 || w.Body.Len() != 0 || w.Header().Get("Content-Length") != "5" || asked != http.MethodGet {
		t.Errorf("got %d %q %v after %s", w.Code, w.Body, w.Header(), asked)
	}
}
