package headers

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fairway/internal/record"
	"fairway/internal/responsehead"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

func build(t testing.TB, c *Config, next http.HandlerFunc) http.Handler {
	t.Helper()
	h, err := c.New(t.Context(), middlewarestest.Env("test"), next)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHeaders_NamesWhatCannotBeSet(t *testing.T) {
	const framing = ` cannot be set: it says how a message is sent, which is up to the gateway`
	for _, name := range []string{"Content-Length", "transfer-encoding", "Connection", "Upgrade", "Trailer"} {
		for option, c := range map[string]*Config{
			"customRequestHeaders":  {CustomRequestHeaders: map[string]string{name: "1"}},
			"customResponseHeaders": {CustomResponseHeaders: map[string]string{name: "1"}},
		} {
			if _, err := c.New(t.Context(), middlewarestest.Env("test"), nil); err == nil || err.Error() != option+`: "`+name+`"`+framing {
				t.Errorf("%s in %s: got %v", name, option, err)
			}
		}
		build(t, &Config{CustomRequestHeaders: map[string]string{name: ""}}, nil) // taken away it can be
	}
	for _, value := range []string{"secret\r\nX-Evil: 1", "secret\nmore", "\x00secret", "secret\x7f"} {
		for option, c := range map[string]*Config{
			"customRequestHeaders":  {CustomRequestHeaders: map[string]string{"Host": value}},
			"customResponseHeaders": {CustomResponseHeaders: map[string]string{"Host": value}},
		} {
			want := option + `: the value of "Host" has a line break or another control character`
			if _, err := c.New(t.Context(), middlewarestest.Env("test"), nil); err == nil || err.Error() != want {
				t.Errorf("%q: got %v", value, err)
			}
		}
	}
}

func TestHeaders_TakesABlockOfYAML(t *testing.T) {
	c := &Config{CustomRequestHeaders: map[string]string{"X-One": "1\n"}, CustomResponseHeaders: map[string]string{"X-Two": "2\r\n"}}
	h := build(t, c, func(_ http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("X-One"); got != "1" {
			t.Errorf("got %q", got)
		}
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if got := w.Header().Get("X-Two"); got != "2" {
		t.Errorf("got %q", got)
	}
}

func TestHeaders_SendsStrictTransportSecurityOverTLS(t *testing.T) {
	c := &Config{STSSeconds: 100, PublicKey: "pin", SSLRedirect: true}
	server := httptest.NewTLSServer(build(t, c, func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	response, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	got := []string{response.Header.Get("Strict-Transport-Security"), response.Header.Get("Public-Key-Pins")}
	if diff := cmp.Diff([]string{"max-age=100", "pin"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestHeaders_LeavesTheCallersRequestAlone(t *testing.T) {
	c := &Config{CustomRequestHeaders: map[string]string{"X-One": "1", "X-Gone": "", "Host": "inner"}}
	var seen *http.Request
	h := build(t, c, func(_ http.ResponseWriter, r *http.Request) { seen = r.Clone(r.Context()) })
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Gone", "x")
	h.ServeHTTP(httptest.NewRecorder(), r)
	if diff := cmp.Diff(http.Header{"X-Gone": {"x"}}, r.Header); diff != "" || r.Host != "example.com" {
		t.Errorf("the request changed: host %s, %s", r.Host, diff)
	}
	if diff := cmp.Diff(http.Header{"X-One": {"1"}}, seen.Header); diff != "" || seen.Host != "inner" {
		t.Errorf("got host %s, %s", seen.Host, diff)
	}
}

func TestHeaders_RemovedForwardedForIsNotAddedAgain(t *testing.T) {
	c := &Config{CustomRequestHeaders: map[string]string{"x-forwarded-for": ""}}
	h := build(t, c, func(_ http.ResponseWriter, r *http.Request) {
		if values, ok := r.Header["X-Forwarded-For"]; !ok || values != nil {
			t.Errorf("got %v, %v, want a nil entry", values, ok)
		}
	})
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
}

func TestHeaders_WrapsTheWriterOnlyForResponseHeaders(t *testing.T) {
	tests := map[string]struct {
		config Config
		wraps  bool
	}{
		"request headers":  {Config{CustomRequestHeaders: map[string]string{"X-One": "1"}}, false},
		"allowed hosts":    {Config{AllowedHosts: []string{"example.com"}}, false},
		"response headers": {Config{CustomResponseHeaders: map[string]string{"X-One": "1"}}, true},
		"cors":             {Config{AddVaryHeader: true}, true},
		"security":         {Config{FrameDeny: true}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := build(t, &tt.config, func(w http.ResponseWriter, _ *http.Request) {
				if _, wraps := w.(responsehead.Forwarder); wraps != tt.wraps {
					t.Errorf("wraps: got %v, want %v", wraps, tt.wraps)
				}
			})
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		})
	}
}

func TestHeaders_NotesTheCauseOfARefusal(t *testing.T) {
	h := build(t, &Config{AllowedHosts: []string{"a.test"}}, nil)
	rec := &record.Record{}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	h.ServeHTTP(httptest.NewRecorder(), r.WithContext(record.With(r.Context(), rec)))
	if rec.Cause != "headers: bad host example.com" {
		t.Errorf("got cause %q", rec.Cause)
	}
}

func TestHeaders_CORSUsesTheOriginTheClientSent(t *testing.T) {
	c := &Config{
		CustomRequestHeaders:              map[string]string{"Origin": ""},
		AccessControlAllowOriginListRegex: []string{".*"},
	}
	h := build(t, c, func(http.ResponseWriter, *http.Request) {})
	for _, origin := range []string{"https://a.test", ""} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Header().Get("Access-Control-Allow-Origin"); got != origin {
			t.Errorf("got %q, want %q", got, origin)
		}
	}
}

// readerFrom notes whether the fast way of copying was taken.
type readerFrom struct {
	*httptest.ResponseRecorder
	used bool
}

func (w *readerFrom) ReadFrom(src io.Reader) (int64, error) {
	w.used = true
	return io.Copy(w.ResponseRecorder, src)
}

func TestHeaders_ReadFromReachesTheInnerWriter(t *testing.T) {
	c := &Config{CustomResponseHeaders: map[string]string{"X-One": "1"}}
	h := build(t, c, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.(io.ReaderFrom).ReadFrom(io.LimitReader(strings.NewReader("body"), 4))
	})
	w := &readerFrom{ResponseRecorder: httptest.NewRecorder()}
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if result := w.Result(); !w.used || result.Header.Get("X-One") != "1" || w.Body.String() != "body" {
		t.Errorf("used %v, header %v, body %q", w.used, result.Header, w.Body)
	}
}

func TestHeaders_OverTLSByAnyProxyHeader(t *testing.T) {
	g := newGuard(&Config{SSLProxyHeaders: map[string]string{"X-A": "on", "X-B": "https"}})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if g.overTLS(r) {
		t.Error("plain request counts as TLS")
	}
	r.Header.Set("X-B", "https")
	if !g.overTLS(r) {
		t.Error("the proxy's header does not count")
	}
	r.Header.Del("X-B")
	r.TLS = &tls.ConnectionState{}
	if !g.overTLS(r) {
		t.Error("a TLS connection does not count")
	}
}
