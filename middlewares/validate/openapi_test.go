package validate

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fairway/internal/openapi"
	"fairway/middlewares/middlewarestest"
)

const pets = `openapi: 3.0.3
paths:
  /pets:
    get:
      parameters: [{name: limit, in: query, schema: {type: integer}}]
      responses:
        '200':
          headers: {X-Total: {required: true, schema: {type: integer}}}
          content: {application/json: {schema: {type: array}}, text/event-stream: {}, text/csv: {}}
    post:
      requestBody: {required: true, content: {application/json: {schema: {type: object}}, image/*: {}}}
      responses: {'204': {description: made}, 4XX: {content: {application/json: {schema: {required: [title]}}}}}
`

func ofPets() *Config {
	c := defaults()
	c.OpenAPI = &OpenAPI{Document: pets}
	c.OpenAPI.SetDefaults()
	return c
}

func counted(h *handler, direction string) (checked, violated uint64) {
	h.counts.EachViolation(func(of string, c, v uint64) {
		if of == direction {
			checked, violated = c, v
		}
	})
	return checked, violated
}

func TestOpenAPI_Requests(t *testing.T) {
	for _, tt := range []struct {
		method, target, kind, body string
		want                       int
	}{
		{"GET", "/pets?limit=1", "", "", 200},
		{"GET", "/pets?limit=x", "", "", 400},
		{"POST", "/pets", "application/json", "{}", 200},
		{"POST", "/pets", "application/json", "[]", 422},
		{"POST", "/pets?limit=x", "application/json", "", 400},
		{"POST", "/pets", "image/png", "\x89PNG", 200},
		{"POST", "/pets", "text/plain", "a", 415},
		{"POST", "/pets", "application/json", `"` + strings.Repeat("x", defaultMost) + `"`, 413},
		{"PUT", "/pets", "", "", 405},
		{"GET", "/cats", "", "", 404},
	} {
		for _, mode := range []string{enforce, report} {
			c := ofPets()
			c.Mode, c.OpenAPI.Check = mode, []string{ofRequests}
			got := ""
			h := built(t, c, func(_ http.ResponseWriter, r *http.Request) {
				text, _ := io.ReadAll(r.Body)
				got = string(text)
			})
			r := httptest.NewRequest(tt.method, tt.target, strings.NewReader(tt.body))
			r.Header.Set("Content-Type", tt.kind)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			want := tt.want
			if mode == report && want != 413 {
				want = 200
			}
			if w.Code != want || (want == 200) != (got == tt.body) && tt.body != "" {
				t.Errorf("%s: %s %s %.20s: got %d %s, the service got %.20q", mode, tt.method, tt.target, tt.body, w.Code, w.Body, got)
			}
			if checked, violated := counted(h, "request"); checked != 1 || (violated == 1) != (tt.want != 200 && tt.want != 413) {
				t.Errorf("%s: %s %s %.20s: %d of %d are counted", mode, tt.method, tt.target, tt.body, violated, checked)
			}
		}
	}
}

func TestOpenAPI_Responses(t *testing.T) {
	for _, tt := range []struct {
		name, method, kind, total, body string
		status, want                    int
	}{
		{"as it should be", "GET", "application/json", "1", "[]", 200, 200},
		{"the body is wrong", "GET", "application/json", "1", "{}", 200, 502},
		{"a header is wrong", "GET", "application/json", "a", "[]", 200, 502},
		{"a header is missing", "GET", "application/json", "", "[]", 200, 502},
		{"of another type", "GET", "text/html", "1", "<a>", 200, 502},
		{"a stream", "GET", "text/event-stream", "", "data: 1\n\n", 200, 200},
		{"a type without a schema", "GET", "text/csv", "", "a,b", 200, 200},
		{"a status that is not there", "GET", "application/json", "1", "[]", 203, 502},
		{"a part", "GET", "text/csv", "1", "b", 206, 206},
		{"an error that is not there", "GET", "text/plain", "", "oh", 500, 500},
		{"to HEAD", "HEAD", "application/json", "", "", 200, 200},
		{"not modified", "GET", "", "", "", 304, 304},
		{"without a body", "POST", "", "", "", 204, 204},
		{"an error of a class", "POST", "application/json", "", `{"title": "a"}`, 404, 404},
		{"a wrong error of a class", "POST", "application/json", "", `{}`, 404, 502},
	} {
		for _, mode := range []string{enforce, report} {
			c := ofPets()
			c.Mode, c.OpenAPI.Check = mode, []string{ofResponses}
			h := built(t, c, func(w http.ResponseWriter, _ *http.Request) {
				for name, value := range map[string]string{"Content-Type": tt.kind, "X-Total": tt.total} {
					if value != "" {
						w.Header().Set(name, value)
					}
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(tt.method, "/pets", nil))
			want := tt.want
			if mode == report {
				want = tt.status
			}
			if w.Code != want || want == tt.status && w.Body.String() != tt.body {
				t.Errorf("%s: %s: got %d %s", mode, tt.name, w.Code, w.Body)
			}
			if _, violated := counted(h, "response"); (violated == 1) != (tt.want == 502) {
				t.Errorf("%s: %s: %d violations are counted", mode, tt.name, violated)
			}
		}
	}
}

func TestOpenAPI_LongBodiesAreOnlyHeldWhereTheyAreLookedAt(t *testing.T) {
	for kind, want := range map[string]int{"application/json": 502, "text/csv": 200} {
		h := built(t, ofPets(), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("X-Total", "1")
			for range 40 {
				if _, err := w.Write(make([]byte, 32<<10)); err != nil {
					return
				}
			}
		})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/pets", nil))
		if w.Code != want {
			t.Errorf("%s: got %d", kind, w.Code)
		}
	}
}

func TestOpenAPI_DownloadsMayComeInPartsAndPacked(t *testing.T) {
	c := ofPets()
	c.OpenAPI.Document = strings.Replace(pets, "application/json: {schema: {type: array}}, ", "", 1)
	for document, want := range map[string]string{c.OpenAPI.Document: "gzip bytes=1-", pets: "identity "} {
		c.OpenAPI.Document = document
		got := ""
		h := built(t, c, func(_ http.ResponseWriter, r *http.Request) {
			got = r.Header.Get("Accept-Encoding") + " " + r.Header.Get("Range")
		})
		r := httptest.NewRequest(http.MethodGet, "/pets", nil)
		r.Header.Set("Accept-Encoding", "gzip")
		r.Header.Set("Range", "bytes=1-")
		if h.ServeHTTP(httptest.NewRecorder(), r); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestOpenAPI_PreflightsPass(t *testing.T) {
	h := built(t, ofPets(), func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for path, want := range map[string]int{"/pets": 204, "/cats": 404} {
		r := httptest.NewRequest(http.MethodOptions, path, nil)
		r.Header.Set("Access-Control-Request-Method", "GET")
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%s: got %d", path, w.Code)
		}
	}
}

func TestOpenAPI_AFileIsReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "openapi.yaml")
	if err := os.WriteFile(file, []byte(pets), 0o600); err != nil {
		t.Fatal(err)
	}
	c := ofPets()
	c.OpenAPI.Document, c.OpenAPI.File = "", file
	h := built(t, c, func(http.ResponseWriter, *http.Request) {})
	at := func(path string) int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, nil))
		return w.Code
	}
	if at("/pets") != 400 || at("/cats") != 404 {
		t.Fatal("the document is another")
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(pets, "/pets", "/cats")), 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, "the new document", func() bool { return at("/cats") == 400 })
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come", what)
		}
	}
}

// publisher is a service that publishes a document of its own.
type publisher struct {
	answer      atomic.Pointer[http.HandlerFunc]
	asked, same atomic.Int32
	host        atomic.Value
}

func (p *publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/docs/openapi.yaml" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	p.asked.Add(1)
	p.host.Store(r.Host)
	if r.Header.Get("If-None-Match") == `"1"` {
		p.same.Add(1)
		w.WriteHeader(http.StatusNotModified)
		return
	}
	(*p.answer.Load())(w, r)
}

func (p *publisher) says(status int, text, etag string) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", etag)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	})
	p.answer.Store(&h)
}

func TestOpenAPI_IsAskedOfTheService(t *testing.T) {
	p := &publisher{}
	p.says(404, "", "")
	outside := httptest.NewServer(p)
	defer outside.Close()
	for _, at := range []string{"/docs/openapi.yaml", outside.URL + "/docs/openapi.yaml"} {
		p.says(404, "", "")
		ctx, cancel := context.WithCancel(t.Context())
		env := middlewarestest.Env("check")
		var running sync.WaitGroup
		env.Start = func(run func(context.Context)) { running.Go(func() { run(ctx) }) }
		c := ofPets()
		c.OpenAPI.Document, c.OpenAPI.URL, c.OpenAPI.Host = "", at, "pets.example"
		c.OpenAPI.Refresh = 1e9
		built, err := c.New(ctx, env, p)
		if err != nil {
			t.Fatal(err)
		}
		h := built.(*handler)
		status := func(path string) int {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			return w.Code
		}
		await(t, "the trouble", func() bool { return strings.Contains(h.counts.Trouble(), "the answer is 404") })
		if status("/docs/cats") != 204 || h.counts.Missed() != 1 {
			t.Error("without a document requests do not pass")
		}
		p.says(200, "servers: [{url: .}]\n"+pets, `"1"`)
		await(t, "the document", func() bool { return h.contract.current() != nil })
		before := p.same.Load()
		await(t, "a question whether it has changed", func() bool { return p.same.Load() > before })
		if status("/docs/cats") != 404 || status("/docs/pets?limit=x") != 400 || h.counts.Trouble() != "" {
			t.Errorf("the document does not count; %s", h.counts.Trouble())
		}
		if host := p.host.Load(); at[0] == '/' && host != "pets.example" {
			t.Errorf("it is asked by %s", host)
		}
		cancel()
		running.Wait()
		await(t, "the end of its trouble", func() bool {
			n := 0
			h.counts.watched.Range(func(any, any) bool { n++; return true })
			return n == 0
		})
	}
}

func TestDiscovery_KeepsTheLastGoodDocument(t *testing.T) {
	p := &publisher{}
	d := &discovery{read: func(text []byte) (*openapi.Document, error) { return openapi.Read(text, openapi.Options{}) }, place: "x"}
	d.say("not yet")
	c := &OpenAPI{URL: "/docs/openapi.yaml"}
	env := middlewarestest.Env("check")
	ask := asker(c.URL, mustParse(t, c.URL), "localhost", p)
	turn := func() { d.due = time.Time{}; d.ask(t.Context(), time.Minute, ask, env.Log) }
	p.says(200, pets, "")
	turn()
	good := d.now.Load()
	if good == nil || *d.trouble.Load() != "" {
		t.Fatalf("got %v, %s", good, *d.trouble.Load())
	}
	for want, says := range map[string]func(){
		"the answer is 500":  func() { p.says(500, "", "") },
		"the answer is 302":  func() { p.says(302, "", "") },
		"the document is no": func() { p.says(200, "<html>", "") },
		"/openapi: ":         func() { p.says(200, "a: b", "") },
		"is longer than":     func() { p.says(200, strings.Repeat(" ", openapi.MostBytes+1), "") },
		"the service breaks off": func() {
			h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
			p.answer.Store(&h)
		},
	} {
		says()
		if turn(); d.now.Load() != good || !strings.Contains(*d.trouble.Load(), want) {
			t.Errorf("%s: got %s", want, *d.trouble.Load())
		}
	}
	p.says(200, pets, "")
	if turn(); d.now.Load() != good || *d.trouble.Load() != "" {
		t.Errorf("got %s", *d.trouble.Load())
	}
}

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestDiscovery_IsOneForAllRoutesToAService(t *testing.T) {
	shared := &counts{}
	env := middlewarestest.Env("check")
	env.Keep = func(func() any) any { return shared }
	for i := range 3 {
		env.Serves = fmt.Sprintf("s%d", i/2)
		c := ofPets()
		c.OpenAPI.Document, c.OpenAPI.URL = "", "/openapi.json"
		if _, err := c.New(t.Context(), env, http.NotFoundHandler()); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	shared.watched.Range(func(any, any) bool { n++; return true })
	if n != 2 || !strings.Contains(shared.Trouble(), "has not been asked for yet") {
		t.Errorf("there are %d, %s", n, shared.Trouble())
	}
}
