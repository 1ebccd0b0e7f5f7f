package compress

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"fairway/internal/encodings"
	"fairway/internal/responsehead"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

var long = strings.Repeat("all work and no play ", 100)

func build(t testing.TB, change func(*Config), next http.HandlerFunc) http.Handler {
	t.Helper()
	c := &Config{}
	c.SetDefaults()
	change(c)
	h, err := c.New(t.Context(), middlewarestest.Env("test"), next)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func defaults(*Config) {}

func send(h http.Handler, method, accept string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/", nil)
	if accept != "" {
		r.Header.Set("Accept-Encoding", accept)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func decode(t testing.TB, encoding string, from io.Reader) io.Reader {
	t.Helper()
	switch encoding {
	case "gzip":
		r, err := gzip.NewReader(from)
		if err != nil {
			t.Fatal(err)
		}
		return r
	case "br":
		return brotli.NewReader(from)
	case "zstd":
		r, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		return r
	}
	return from
}

func TestCompress_EveryEncodingAndWayToWrite(t *testing.T) {
	for name, write := range map[string]http.HandlerFunc{
		"at once": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, long) },
		"with length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "2100")
			_, _ = io.WriteString(w, long)
		},
		"copied": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader(long))
		},
		"in pieces": func(w http.ResponseWriter, _ *http.Request) {
			for piece := range strings.SplitAfterSeq(long, " ") {
				_, _ = io.WriteString(w, piece)
			}
		},
	} {
		for _, encoding := range []string{"gzip", "br", "zstd"} {
			t.Run(name+" "+encoding, func(t *testing.T) {
				h := build(t, defaults, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Etag", `"1"`)
					w.Header().Set("Accept-Ranges", "bytes")
					write(w, r)
				})
				for range 3 { // the compressor is used again
					w := send(h, http.MethodGet, encoding)
					head := w.Header()
					if head.Get("Content-Encoding") != encoding || head.Get("Vary") != "Accept-Encoding" || head.Get("Etag") != `W/"1"` || head.Get("Content-Length") != "" || head.Get("Accept-Ranges") != "" {
						t.Errorf("got %v", head)
					}
					if w.Body.Len() > len(long)/2 {
						t.Errorf("%d bytes are sent of %d", w.Body.Len(), len(long))
					}
					if got, err := io.ReadAll(decode(t, encoding, w.Body)); string(got) != long || err != nil {
						t.Errorf("got %d bytes, %v", len(got), err)
					}
				}
			})
		}
	}
}

func TestCompress_LeavesWhatIsNotForIt(t *testing.T) {
	with := func(status int, fields ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(fields); i += 2 {
				w.Header().Set(fields[i], fields[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, long)
		}
	}
	html := func(c *Config) { c.IncludedContentTypes = []string{"Text/HTML; charset=utf-8"} }
	noHTML := func(c *Config) { c.ExcludedContentTypes = []string{"text/html"} }
	for name, tt := range map[string]struct {
		change  func(*Config)
		method  string
		accept  string
		next    http.HandlerFunc
		varies  bool
		encoded bool
	}{
		"compressed":        {defaults, "GET", "gzip", with(404), true, true},
		"HEAD":              {defaults, "HEAD", "gzip", with(200), true, false},
		"HEAD of a picture": {noHTML, "HEAD", "gzip", with(200, "Content-Type", "text/html"), false, false},
		"not accepted":      {defaults, "GET", "deflate", with(200), true, false},
		"nothing accepted":  {defaults, "GET", "", with(200), true, false},
		"by default":        {func(c *Config) { c.DefaultEncoding = "br" }, "GET", "", with(200), true, true},
		"encoded":           {defaults, "GET", "gzip", with(200, "Content-Encoding", "x"), false, false},
		"a part":            {defaults, "GET", "gzip", with(206), false, false},
		"a range":           {defaults, "GET", "gzip", with(200, "Content-Range", "bytes 0-1/2"), false, false},
		"events":            {defaults, "GET", "gzip", with(200, "Content-Type", "text/event-stream; charset=utf-8"), false, false},
		"gRPC":              {defaults, "GET", "gzip", with(200, "Content-Type", "application/grpc+proto"), false, false},
		"no-transform":      {defaults, "GET", "gzip", with(200, "Cache-Control", "public, No-Transform"), false, false},
		"short by length":   {defaults, "GET", "gzip", with(200, "Content-Length", "1023"), true, false},
		"short and left":    {noHTML, "GET", "gzip", with(200, "Content-Length", "1023", "Content-Type", "text/html"), false, false},
		"included":          {html, "GET", "gzip", with(200, "Content-Type", "TEXT/html"), true, true},
		"not included":      {html, "GET", "gzip", with(200, "Content-Type", "text/css"), false, false},
		"included, no type": {html, "GET", "gzip", with(200), false, false},
		"excluded":          {noHTML, "GET", "gzip", with(200, "Content-Type", "text/html; x=y"), false, false},
		"not excluded":      {noHTML, "GET", "gzip", with(200, "Content-Type", "text/css"), true, true},
		"varies already":    {defaults, "GET", "gzip", with(200, "Vary", "accept-encoding"), false, true},
		"varies by all":     {defaults, "GET", "gzip", with(200, "Vary", "*"), false, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := send(build(t, tt.change, tt.next), tt.method, tt.accept)
			encoding := w.Header().Get("Content-Encoding")
			if varies := w.Header().Get("Vary") == "Accept-Encoding"; varies != tt.varies || (encoding != "" && encoding != "x") != tt.encoded {
				t.Errorf("got %v", w.Header())
			}
			if !tt.encoded && w.Body.String() != long {
				t.Errorf("the body is changed: %d bytes", w.Body.Len())
			}
		})
	}
}

func TestCompress_ShortBodiesHaveTheirLength(t *testing.T) {
	w := send(build(t, defaults, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "short ")
		_, _ = io.WriteString(w, "and stout")
	}), http.MethodGet, "gzip")
	if w.Code != http.StatusTeapot || w.Body.String() != "short and stout" || w.Header().Get("Content-Length") != "15" || w.Header().Get("Vary") != "Accept-Encoding" || w.Header().Get("Content-Encoding") != "" {
		t.Errorf("got %d %q with %v", w.Code, w.Body, w.Header())
	}
	for _, status := range []int{http.StatusNoContent, http.StatusNotModified} {
		w := send(build(t, defaults, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }), http.MethodGet, "gzip")
		if w.Code != status || w.Body.Len() > 0 || w.Header().Get("Content-Length") != "" {
			t.Errorf("got %d with %v", w.Code, w.Header())
		}
	}
}

// served is a response as the engine has it of a server.
type served struct {
	status int
	header http.Header
	length int64
}

func (s served) StatusCode() int             { return s.status }
func (s served) Get(name string) string      { return s.header.Get(name) }
func (s served) Values(name string) []string { return s.header[name] }
func (s served) Length() int64               { return s.length }

func (s served) Each(visit func(name, value string)) {
	for name, values := range s.header {
		for _, value := range values {
			visit(name, value)
		}
	}
}

// sentOn is a writer that sends responses on as they came.
type sentOn struct{ *httptest.ResponseRecorder }

func (w sentOn) Forward(r responsehead.Received) error {
	for name, values := range r.(served).header {
		if _, ours := w.Header()[name]; !ours {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(r.StatusCode())
	return nil
}

func TestCompress_AHeadIsAboutWhatWouldBeSent(t *testing.T) {
	html := func(c *Config) { c.IncludedContentTypes = []string{"text/html"} }
	const weak, strong, varies = `W/"1"`, `"1"`, "Accept-Encoding"
	for name, tt := range map[string]struct {
		change         func(*Config)
		method, accept string
		res            served
		etag, vary     string
	}{
		"not modified":               {defaults, "GET", "gzip", served{304, http.Header{}, 0}, weak, varies},
		"after HEAD":                 {defaults, "HEAD", "gzip", served{304, http.Header{}, 0}, weak, varies},
		"not accepted":               {defaults, "GET", "", served{304, http.Header{}, 0}, strong, varies},
		"type included":              {html, "GET", "gzip", served{304, http.Header{"Content-Type": {"text/html"}}, 0}, weak, varies},
		"type perhaps included":      {html, "GET", "gzip", served{304, http.Header{}, 0}, weak, varies},
		"type not included":          {html, "GET", "gzip", served{304, http.Header{"Content-Type": {"image/png"}}, 0}, strong, ""},
		"not modified, encoded":      {defaults, "GET", "gzip", served{304, http.Header{"Content-Encoding": {"br"}}, 0}, strong, ""},
		"not modified, no-transform": {defaults, "GET", "gzip", served{304, http.Header{"Cache-Control": {"no-transform"}}, 0}, strong, ""},
		"HEAD":                       {defaults, "HEAD", "gzip", served{200, http.Header{"Content-Length": {"5000"}}, 5000}, weak, varies},
		"HEAD without a length":      {defaults, "HEAD", "gzip", served{200, http.Header{}, -1}, weak, varies},
		"HEAD of a short one":        {defaults, "HEAD", "gzip", served{200, http.Header{"Content-Length": {"5"}}, 5}, strong, varies},
		"HEAD, not accepted":         {defaults, "HEAD", "", served{200, http.Header{"Content-Length": {"5000"}}, 5000}, strong, varies},
		"short":                      {defaults, "GET", "gzip", served{200, http.Header{"Content-Length": {"5"}}, 5}, strong, varies},
	} {
		tt.res.header.Set("Etag", strong)
		for way, next := range map[string]http.HandlerFunc{
			"as it came": func(w http.ResponseWriter, _ *http.Request) {
				if err := responsehead.Forward(w, tt.res); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			},
			"in parts": func(w http.ResponseWriter, _ *http.Request) {
				maps.Copy(w.Header(), tt.res.header)
				w.WriteHeader(tt.res.status)
			},
		} {
			r := httptest.NewRequest(tt.method, "/", nil)
			if tt.accept != "" {
				r.Header.Set("Accept-Encoding", tt.accept)
			}
			w := sentOn{httptest.NewRecorder()}
			build(t, tt.change, next).ServeHTTP(w, r)
			h := w.Result().Header
			if h.Get("Etag") != tt.etag || h.Get("Vary") != tt.vary || h.Get("Content-Length") != tt.res.header.Get("Content-Length") || w.Code != tt.res.status {
				t.Errorf("%s, %s: got %d with %v", name, way, w.Code, h)
			}
		}
	}
}

func TestCompress_NothingWrittenIsAShortBody(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		w := send(build(t, defaults, func(http.ResponseWriter, *http.Request) {}), method, "gzip")
		if w.Code != 200 || w.Header().Get("Vary") != "Accept-Encoding" || w.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s: got %d with %v", method, w.Code, w.Header())
		}
	}
}

func TestCompress_FlushesWhatIsThere(t *testing.T) {
	for _, encoding := range []string{"gzip", "br", "zstd"} {
		received := make(chan struct{})
		s := httptest.NewServer(build(t, defaults, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "first")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			<-received
			_, _ = io.WriteString(w, "last")
		}))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", encoding)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body := decode(t, encoding, res.Body)
		first := make([]byte, 5)
		if _, err := io.ReadFull(body, first); string(first) != "first" || err != nil {
			t.Errorf("%s: got %q, %v", encoding, first, err)
		}
		close(received)
		if rest, err := io.ReadAll(body); string(rest) != "last" || err != nil {
			t.Errorf("%s: got %q, %v", encoding, rest, err)
		}
		_ = res.Body.Close()
		s.Close()
	}
}

func TestCompress_WhatBreaksOffIsNotMadeWhole(t *testing.T) {
	h := build(t, defaults, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, long)
		panic(http.ErrAbortHandler)
	})
	w := httptest.NewRecorder()
	func() {
		defer func() { _ = recover() }()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Encoding", "gzip")
		h.ServeHTTP(w, r)
		t.Error("the panic is swallowed")
	}()
	if r, err := gzip.NewReader(bytes.NewReader(w.Body.Bytes())); err == nil {
		if _, err = io.ReadAll(r); err == nil {
			t.Error("the body has an end")
		}
	}
}

func TestChoose(t *testing.T) {
	ours := []string{"gzip", "br", "zstd"}
	for accept, want := range map[string]string{
		"":                           "",
		"gzip":                       "gzip",
		"br, gzip":                   "gzip",
		"br;q=1.0, gzip;q=0.8":       "br",
		"GZIP;Q=0.5 , zstd ; q=0.6":  "zstd",
		"*":                          "gzip",
		"*;q=0.5, gzip;q=0":          "br",
		"gzip;q=0":                   "",
		"identity, gzip;q=0.5":       "",
		"identity;q=0.5, gzip;q=0.8": "gzip",
		"deflate":                    "",
		"x-gzip":                     "gzip",
		"gzip;q=abc":                 "",
		"gzip;q=NaN":                 "",
		"gzip;q=7":                   "",
		"gzip;x=1;q=0.1, br;q=0.2":   "br",
		",,;q=1,":                    "",
		"zstd;q=0.001, identity;q=0": "zstd",
	} {
		if got := encodings.Choose([]string{accept}, ours, "br"); got != want {
			t.Errorf("%q: got %q, want %q", accept, got, want)
		}
	}
	if got := encodings.Choose(nil, ours, "br"); got != "br" {
		t.Errorf("without the header: got %q", got)
	}
	if got := encodings.Choose([]string{"gzip;q=0.1", "br"}, ours, ""); got != "br" {
		t.Errorf("two lines: got %q", got)
	}
}

func FuzzChoose(f *testing.F) {
	for _, seed := range []string{"gzip", "br;q=0.5, *;q=0", "identity;q=1,,;", "*;q=NaN"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		got := encodings.Choose([]string{accept}, []string{"gzip", "br", "zstd"}, "")
		if got == "" {
			return
		}
		lower := strings.ToLower(accept)
		if !strings.Contains(lower, got) && !strings.Contains(lower, "*") {
			t.Errorf("%q: chose %s, which is not accepted", accept, got)
		}
	})
}
