package cache

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/identity"
	"fairway/internal/record"
	"fairway/internal/responsehead"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

func TestCache_AnswersUntilTheResponseIsStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := saying("Cache-Control: max-age=60", "X-A: b")
		h := build(t, defaults(), keeping(t), s)
		want(t, ask(t, h, "GET", "/a"), "1", "fwd=uri-miss; stored")
		time.Sleep(59 * time.Second) // on the clock of the bubble
		w := ask(t, h, "GET", "/a")
		want(t, w, "1", "fairway; hit; ttl=1")
		if got := w.Header(); got.Get("Age") != "59" || got.Get("X-A") != "b" || got.Get("Content-Length") != "1" {
			t.Errorf("got %v", got)
		}
		time.Sleep(time.Second) // on the clock of the bubble
		want(t, ask(t, h, "GET", "/a"), "2", "fwd=stale; fwd-status=200; stored")
		want(t, ask(t, h, "GET", "/a"), "2", "hit")
	})
}

func TestCache_ValidatesWhatIsStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{}
		s.serve = func(w http.ResponseWriter, r *http.Request, n int64) {
			put(w, "Cache-Control: max-age=60", `Etag: "1"`)
			if n > 1 {
				if r.Header.Get("If-None-Match") != `"1"` {
					t.Errorf("it is asked with %v", r.Header)
				}
				w.WriteHeader(http.StatusNotModified)
				return
			}
			_, _ = io.WriteString(w, "body")
		}
		h := build(t, defaults(), keeping(t), s)
		ask(t, h, "GET", "/")
		time.Sleep(time.Minute) // on the clock of the bubble
		w := ask(t, h, "GET", "/", `If-None-Match: "0"`)
		if want(t, w, "body", "fwd=stale; fwd-status=304"); w.Code != 200 {
			t.Errorf("got %d", w.Code)
		}
		time.Sleep(59 * time.Second) // on the clock of the bubble
		want(t, ask(t, h, "GET", "/"), "body", "hit")
		if w := ask(t, h, "GET", "/", `If-None-Match: "1"`); w.Code != 304 || w.Body.Len() > 0 || w.Header().Get("Etag") != `"1"` || w.Header().Get("Content-Type") != "" {
			t.Errorf("got %d %v", w.Code, w.Header())
		}
	})
}

func TestCache_WhatTellsResponsesApart(t *testing.T) {
	type request struct {
		url    string
		fields []string
	}
	req := func(url string, fields ...string) request { return request{url, fields} }
	for name, tt := range map[string]struct {
		key  *Key
		vary string
		a, b request
		same bool
	}{
		"the same":             {a: req("http://a.test/x?y"), b: req("http://A.TEST/x?y"), same: true},
		"host":                 {a: req("http://a.test/"), b: req("http://b.test/")},
		"port":                 {a: req("http://a.test/"), b: req("http://a.test:81/")},
		"scheme":               {a: req("http://a.test/"), b: req("https://a.test/")},
		"scheme in front":      {a: req("/"), b: req("/", "X-Forwarded-Proto: https")},
		"host in front":        {a: req("http://a.test/"), b: req("http://a.test/", "X-Forwarded-Host: b.test")},
		"prefix in front":      {a: req("/", "X-Forwarded-Prefix: /a"), b: req("/", "X-Forwarded-Prefix: /b")},
		"path":                 {a: req("/a"), b: req("/A")},
		"encoded path":         {a: req("/a%2Fb"), b: req("/a/b")},
		"query":                {a: req("/?a=1"), b: req("/?a=2")},
		"no query":             {a: req("/"), b: req("/?")},
		"any header":           {a: req("/", "X-A: 1", "User-Agent: a"), b: req("/", "X-A: 2", "User-Agent: b"), same: true},
		"a header by option":   {key: &Key{Headers: []string{"x-a"}}, a: req("/", "X-A: 1"), b: req("/", "X-A: 2")},
		"cookie":               {a: req("/", "Cookie: a=1"), b: req("/", "Cookie: a=2"), same: true},
		"a cookie by option":   {key: &Key{Cookies: []string{"a"}}, a: req("/", "Cookie: a=1; b=1"), b: req("/", "Cookie: b=1; a=2")},
		"another cookie":       {key: &Key{Cookies: []string{"a"}}, a: req("/", "Cookie: a=1; b=1"), b: req("/", "Cookie: b=2; a=1"), same: true},
		"query that counts":    {key: &Key{Query: []string{"a"}}, a: req("/?a=1&b=2"), b: req("/?a=2&b=2")},
		"query that does not":  {key: &Key{Query: []string{"a"}}, a: req("/?a=1&b=2"), b: req("/?a=1&c=3"), same: true},
		"query that is left":   {key: &Key{IgnoreQuery: []string{"utm_*"}}, a: req("/?utm_a=1&b=2"), b: req("/?b=2&utm_x"), same: true},
		"vary":                 {vary: "X-A", a: req("/", "X-A: 1"), b: req("/", "X-A: 2")},
		"vary, and the same":   {vary: "X-A", a: req("/", "X-A: 1", "X-B: 1"), b: req("/", "X-A: 1", "X-B: 2"), same: true},
		"vary, and none":       {vary: "X-A", a: req("/", "X-A: 1"), b: req("/")},
		"vary and option":      {key: &Key{Headers: []string{"X-B"}}, vary: "X-A", a: req("/", "X-A: 1"), b: req("/", "X-A: 1", "X-B: 1")},
		"encodings in any way": {vary: "Accept-Encoding", a: req("/", "Accept-Encoding: gzip, br"), b: req("/", "Accept-Encoding: br;q=0.5, gzip"), same: true},
	} {
		t.Run(name, func(t *testing.T) {
			fields := []string{"Cache-Control: max-age=60"}
			if tt.vary != "" {
				fields = append(fields, "Vary: "+tt.vary)
			}
			s := saying(fields...)
			h := build(t, defaults(func(c *Config) { c.Key = tt.key }), keeping(t), s)
			for range 2 { // the first one does not push the second one out
				ask(t, h, "GET", tt.a.url, tt.a.fields...)
				ask(t, h, "GET", tt.b.url, tt.b.fields...)
			}
			asked := int64(2)
			if tt.same {
				asked = 1
			}
			if n := s.asked.Load(); n != asked {
				t.Errorf("the service was asked %d times, want %d", n, asked)
			}
		})
	}
}

func TestCache_WhatClientsDemand(t *testing.T) {
	for name, tt := range map[string]struct {
		says, demand string
		after        time.Duration
		hit, deaf    bool
	}{
		"nothing":                       {"max-age=60", "", time.Second, true, false},
		"no-cache":                      {"max-age=60", "no-cache", 0, false, false},
		"no-cache, of no account":       {"max-age=60", "no-cache", 0, true, true},
		"no-store":                      {"max-age=60", "no-store", 0, false, false},
		"young enough":                  {"max-age=60", "max-age=5", 5 * time.Second, true, false},
		"too old":                       {"max-age=60", "max-age=5", 6 * time.Second, false, false},
		"fresh for long enough":         {"max-age=60", "min-fresh=50", 10 * time.Second, true, false},
		"not fresh for long enough":     {"max-age=60", "min-fresh=50", 11 * time.Second, false, false},
		"stale is good enough":          {"max-age=60", "max-stale", 2 * time.Hour, true, false},
		"a little stale":                {"max-age=60", "max-stale=5", 65 * time.Second, true, false},
		"too stale":                     {"max-age=60", "max-stale=5", 66 * time.Second, false, false},
		"never stale":                   {"max-age=60, must-revalidate", "max-stale", 61 * time.Second, false, false},
		"never without being asked":     {"no-cache, max-age=60", "max-stale", 0, false, false},
		"stale only, and not too old":   {"max-age=60", "max-stale, max-age=70", 65 * time.Second, true, false},
		"stale only, and too old":       {"max-age=60", "max-stale, max-age=62", 65 * time.Second, false, false},
		"only what is there, and it is": {"max-age=60", "only-if-cached", 0, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := saying("Cache-Control: "+tt.says, `Etag: "x"`)
				h := build(t, defaults(func(c *Config) { c.IgnoreRequestDirectives = tt.deaf }), keeping(t), s)
				ask(t, h, "GET", "/")
				time.Sleep(tt.after) // on the clock of the bubble
				var fields []string
				if tt.demand != "" {
					fields = []string{"Cache-Control: " + tt.demand}
				}
				w := ask(t, h, "GET", "/", fields...)
				if hit := w.Body.String() == "1"; hit != tt.hit || w.Code != 200 {
					t.Errorf("got %d %q, %s", w.Code, w.Body, w.Header().Get("Cache-Status"))
				}
			})
		})
	}
	h := build(t, defaults(), keeping(t), saying())
	if w := ask(t, h, "GET", "/", "Cache-Control: only-if-cached"); w.Code != 504 {
		t.Errorf("only-if-cached without any: got %d", w.Code)
	}
}

func TestCache_ChangesForgetWhatIsStored(t *testing.T) {
	for name, tt := range map[string]struct {
		method, url string
		status      int
		fields      []string
		forgotten   bool
	}{
		"GET":                          {"GET", "/b", 200, nil, false},
		"POST":                         {"POST", "/a", 200, nil, true},
		"by another scheme":            {"POST", "https://example.com/a", 200, nil, true},
		"PATCH, redirected":            {"PATCH", "/a", 303, nil, true},
		"any method":                   {"M-SEARCH", "/a", 204, nil, true},
		"failed":                       {"POST", "/a", 400, nil, false},
		"OPTIONS":                      {"OPTIONS", "/a", 200, nil, false},
		"Location":                     {"POST", "/b", 201, []string{"Location: /a"}, true},
		"Content-Location":             {"PUT", "/x/y", 200, []string{"Content-Location: ../a"}, true},
		"Location of another host":     {"POST", "/b", 201, []string{"Location: http://other.test/a"}, false},
		"Location with a host":         {"POST", "/b", 201, []string{"Location: http://example.com/a"}, true},
		"Location that makes no sense": {"POST", "/b", 201, []string{"Location: http://%zz"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &service{}
			s.serve = func(w http.ResponseWriter, r *http.Request, _ int64) {
				if r.Method == "GET" {
					put(w, "Cache-Control: max-age=60", "Vary: Accept")
					return
				}
				put(w, tt.fields...)
				w.WriteHeader(tt.status)
			}
			h := build(t, defaults(), keeping(t), s)
			ask(t, h, "GET", "/a")
			ask(t, h, tt.method, tt.url)
			if forgotten := !strings.Contains(ask(t, h, "GET", "/a").Header().Get("Cache-Status"), "hit"); forgotten != tt.forgotten {
				t.Errorf("forgotten: %v", forgotten)
			}
		})
	}
}

func TestCache_HeadAndPartsOfAStoredResponse(t *testing.T) {
	s := &service{serve: func(w http.ResponseWriter, _ *http.Request, _ int64) {
		put(w, "Cache-Control: max-age=60", "Content-Type: text/plain", `Etag: "1"`)
		_, _ = io.WriteString(w, "0123456789")
	}}
	h := build(t, defaults(), keeping(t), s)
	if w := ask(t, h, "GET", "/", "Range: bytes=0-1"); w.Body.String() != "0123456789" || s.asked.Load() != 1 {
		t.Errorf("a part of what is not stored: got %q", w.Body) // the service does as it likes
	}
	if w := ask(t, h, "GET", "/"); strings.Contains(w.Header().Get("Cache-Status"), "hit") {
		t.Error("the response to a request for a part is stored")
	}
	for _, tt := range []struct {
		fields []string
		status int
		body   string
		header http.Header
	}{
		{[]string{"Range: bytes=2-4"}, 206, "234", http.Header{"Content-Range": {"bytes 2-4/10"}, "Content-Length": {"3"}, "Content-Type": {"text/plain"}}},
		{[]string{"Range: bytes=-2"}, 206, "89", http.Header{"Content-Range": {"bytes 8-9/10"}}},
		{[]string{"Range: bytes=10-"}, 416, "", http.Header{"Content-Range": {"bytes */10"}}},
		{[]string{"Range: bytes=0-1,3-4"}, 200, "0123456789", http.Header{"Content-Length": {"10"}}},
		{[]string{"Range: bytes=2-4", `If-Range: "2"`}, 200, "0123456789", nil},
		{[]string{"Range: bytes=2-4", `If-None-Match: "1"`}, 304, "", nil},
	} {
		w := ask(t, h, "GET", "/", tt.fields...)
		if w.Code != tt.status || w.Body.String() != tt.body {
			t.Errorf("%q: got %d %q", tt.fields, w.Code, w.Body)
		}
		for name, values := range tt.header {
			if got := w.Header().Get(name); got != values[0] {
				t.Errorf("%q: %s is %q, want %q", tt.fields, name, got, values[0])
			}
		}
	}
	w := ask(t, h, "HEAD", "/")
	if w.Body.Len() > 0 || w.Header().Get("Content-Length") != "10" || s.asked.Load() != 2 {
		t.Errorf("HEAD: got %q, %v", w.Body, w.Header())
	}
}

func TestCache_StaleForATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := saying("Cache-Control: max-age=60, stale-while-revalidate=30")
		h := build(t, defaults(), keeping(t), s)
		ask(t, h, "GET", "/")
		time.Sleep(89 * time.Second) // on the clock of the bubble
		want(t, ask(t, h, "GET", "/"), "1", "hit; ttl=-29")
		synctest.Wait()
		want(t, ask(t, h, "GET", "/"), "2", "hit; ttl=60")
		time.Sleep(90 * time.Second) // on the clock of the bubble
		want(t, ask(t, h, "GET", "/"), "3", "fwd=stale")
	})
}

func TestCache_StaleIsBetterThanAnError(t *testing.T) {
	for name, fail := range map[string]func(http.ResponseWriter, *http.Request){
		"503": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503); _, _ = io.WriteString(w, "down") },
		"no answer": func(w http.ResponseWriter, r *http.Request) {
			middlewares.Refuse(w, r, http.StatusBadGateway, "connection refused")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{}
				s.serve = func(w http.ResponseWriter, r *http.Request, n int64) {
					if n > 1 {
						fail(w, r)
						return
					}
					put(w, "Cache-Control: max-age=60, stale-if-error=600")
					_, _ = io.WriteString(w, "good")
				}
				h := build(t, defaults(), keeping(t), s)
				ask(t, h, "GET", "/")
				time.Sleep(659 * time.Second) // on the clock of the bubble
				w := ask(t, h, "GET", "/")
				want(t, w, "good", "stale-if-error")
				if w.Code != 200 {
					t.Errorf("got %d", w.Code)
				}
				time.Sleep(time.Second) // on the clock of the bubble
				if w := ask(t, h, "GET", "/"); w.Code < 500 {
					t.Errorf("after that: got %d %q", w.Code, w.Body)
				}
			})
		})
	}
}

func TestCache_PassesWhatIsNotStored(t *testing.T) {
	s := saying("Cache-Control: no-store", "Cache-Status: origin; hit")
	h := build(t, defaults(), keeping(t), s)
	w := ask(t, h, "GET", "/", `If-None-Match: "1"`)
	want(t, w, "1", "")
	if got := w.Header()["Cache-Status"]; len(got) != 2 || got[1] != "fairway; fwd=uri-miss" {
		t.Errorf("got %q", got)
	}
	want(t, ask(t, h, "GET", "/"), "2", "")
}

func TestCache_WhatIsSaidOfTheClientIsNotForAll(t *testing.T) {
	who := (&identity.Consumer{Name: "ann"}).Of("apiKey", "")
	s := saying("Cache-Control: max-age=60")
	h := build(t, defaults(), keeping(t), s)
	r := httptest.NewRequest("GET", "/", nil)
	h.ServeHTTP(httptest.NewRecorder(), r.WithContext(record.With(r.Context(), &record.Record{Identity: who})))
	want(t, ask(t, h, "GET", "/", "Authorization: Basic x"), "2", "fwd=uri-miss")
}

func TestCache_TagsAreForPurgesOnly(t *testing.T) {
	s := saying("Cache-Control: max-age=60", "Cache-Tag: a, b", "Surrogate-Key: c")
	h := build(t, defaults(), keeping(t), s)
	for range 2 {
		if w := ask(t, h, "GET", "/"); w.Header().Get("Cache-Tag")+w.Header().Get("Surrogate-Key") != "" || w.Body.String() != "1" {
			t.Errorf("got %q with %v", w.Body, w.Header())
		}
	}
}

func TestNew_RefusesWhatMakesNoSense(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"memoryBytes":          func(c *Config) { c.MemoryBytes = 0 },
		"maxBodyBytes":         func(c *Config) { c.MaxBodyBytes = -1 },
		"heuristicFraction":    func(c *Config) { c.HeuristicFraction = 2 },
		"heuristicMax":         func(c *Config) { c.HeuristicMax = -1 },
		"staleIfError":         func(c *Config) { c.StaleIfError = -1 },
		"staleWhileRevalidate": func(c *Config) { c.StaleWhileRevalidate = -1 },
		"coalesceTimeout":      func(c *Config) { c.CoalesceTimeout = -1 },
		"disk":                 func(c *Config) { c.Disk = &Disk{MaxBytes: 1} },
		"targetedFields":       func(c *Config) { c.TargetedFields = []string{"a b"} },
		"key: headers":         func(c *Config) { c.Key = &Key{Headers: []string{""}} },
		"key: cookies":         func(c *Config) { c.Key = &Key{Cookies: []string{""}} },
		"key: query":           func(c *Config) { c.Key = &Key{Query: []string{"a"}, IgnoreQuery: []string{"b"}} },
		"ttl":                  func(c *Config) { c.TTL = map[string]types.Duration{"600": 1} },
		"several ranges":       func(c *Config) { c.TTL = map[string]types.Duration{"400-410": 1, "404-420": 1} },
		"else anybody":         func(c *Config) { c.Purge = &Purge{Method: "PURGE"} },
		"capitals":             func(c *Config) { c.Purge = &Purge{Method: "purge", Token: "x"} },
		"meaning":              func(c *Config) { c.Purge = &Purge{Method: "GET", Token: "x"} },
		"sourceRange":          func(c *Config) { c.Purge = &Purge{Method: "PURGE", SourceRange: []string{"x"}} },
		"warm":                 func(c *Config) { c.Warm = []string{"/a"} },
	} {
		if _, err := defaults(change).New(t.Context(), keeping(t), http.NotFoundHandler()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

func TestCache_TTLByStatus(t *testing.T) {
	s := &service{serve: func(w http.ResponseWriter, _ *http.Request, n int64) {
		w.WriteHeader(404)
		_, _ = w.Write([]byte{'0' + byte(n)})
	}}
	synctest.Test(t, func(t *testing.T) {
		h := build(t, defaults(func(c *Config) {
			c.TTL = map[string]types.Duration{"400-499": types.Duration(time.Hour), "404": types.Duration(time.Minute)}
		}), keeping(t), s)
		ask(t, h, "GET", "/")
		time.Sleep(59 * time.Second) // on the clock of the bubble
		want(t, ask(t, h, "GET", "/"), "1", "hit")
		time.Sleep(time.Second) // on the clock of the bubble
		want(t, ask(t, h, "GET", "/"), "2", "fwd=")
	})
}

// sink is a writer as that of the engine: it sends what is stored in one piece.
type sink struct {
	header http.Header
	out    []byte
	body   []byte
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(p []byte) (int, error) { s.body = append(s.body, p...); return len(p), nil }

func (s *sink) Forward(r responsehead.Received) error {
	stored, ok := r.(responsehead.Stored)
	if !ok {
		return responsehead.ErrInParts
	}
	s.out, s.body, s.status = stored.AppendFields(s.out[:0], nil), stored.Content(), r.StatusCode()
	return nil
}

func TestCache_AHitAllocatesNothing(t *testing.T) {
	h := build(t, defaults(), keeping(t), saying("Cache-Control: max-age=60"))
	ask(t, h, "GET", "http://a.test/x")
	r := httptest.NewRequest("GET", "http://a.test/x", nil)
	r.RequestURI = "/x"
	r = r.WithContext(record.With(r.Context(), &record.Record{}))
	w := &sink{header: http.Header{}, out: make([]byte, 0, 1024)}
	if n := testing.AllocsPerRun(1000, func() { h.ServeHTTP(w, r) }); n != 0 {
		t.Errorf("%v allocations per hit", n)
	}
	if string(w.body) != "1" || w.status != 200 || !strings.Contains(string(w.out), "Age: 0\r\nCache-Status: fairway; hit; ttl=59\r\n") && !strings.Contains(string(w.out), "ttl=60") {
		t.Errorf("got %d %q with %s", w.status, w.body, w.out)
	}
}

func TestCache_WhatAnErrorSaysOfTheStoredResponse(t *testing.T) {
	for status, kept := range map[int]bool{200: false, 301: false, 404: false, 410: false, 400: true, 401: true, 429: true, 499: true, 500: true} {
		synctest.Test(t, func(t *testing.T) {
			s := &service{serve: func(w http.ResponseWriter, _ *http.Request, n int64) {
				if n == 2 {
					put(w, "Cache-Control: no-store")
					w.WriteHeader(status)
					return
				}
				put(w, "Cache-Control: max-age=60", `Etag: "1"`)
				_, _ = io.WriteString(w, "body")
			}}
			h := build(t, defaults(), keeping(t), s)
			ask(t, h, "GET", "/")
			time.Sleep(time.Minute) // on the clock of the bubble
			if w := ask(t, h, "GET", "/"); w.Code != status {
				t.Errorf("%d: got %d", status, w.Code)
			}
			if w := ask(t, h, "GET", "/", "Cache-Control: max-stale, only-if-cached"); (w.Code == 200) != kept {
				t.Errorf("after %d: got %d", status, w.Code)
			}
		})
	}
}
