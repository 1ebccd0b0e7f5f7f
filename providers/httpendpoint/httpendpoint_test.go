package httpendpoint

import (
	"compress/gzip"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"github.com/traefik/paerser/types"

	"fairway/config/dynamic"
)

// server answers with a configuration, as it is told.
type server struct {
	mu       sync.Mutex
	answer   http.HandlerFunc
	requests []*http.Request
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r)
	answer := s.answer
	s.mu.Unlock()
	answer(w, r)
}

func (s *server) says(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// asked are the requests so far.
func (s *server) asked() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// askedAgain waits for some more requests.
func (s *server) askedAgain() {
	for before := len(s.asked()); len(s.asked()) < before+3; {
		time.Sleep(time.Millisecond)
	}
}

func text(contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, body)
	}
}

// routers is a YAML document with these routers.
func routers(names ...string) string {
	var b strings.Builder
	b.WriteString("http:\n  routers:\n")
	for _, name := range names {
		fmt.Fprintf(&b, "    %s: {rule: 'Host(`%[1]s`)', service: s@file}\n", name)
	}
	return b.String()
}

// watcher has all that a provider publishes.
type watcher struct {
	tb        testing.TB
	published chan *dynamic.Configuration
	last      *dynamic.Configuration
}

func follow(tb testing.TB, endpoint string, change func(*Config)) *watcher {
	tb.Helper()
	c := &Config{}
	c.SetDefaults()
	c.Endpoint, c.PollInterval = endpoint, types.Duration(5*time.Millisecond)
	if change != nil {
		change(c)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	p, err := c.New(log)
	if err != nil {
		tb.Fatal(err)
	}
	w := &watcher{tb: tb, published: make(chan *dynamic.Configuration, 10_000)}
	var running sync.WaitGroup
	running.Go(func() { _ = p.Run(tb.Context(), func(c *dynamic.Configuration) { w.published <- c }) })
	tb.Cleanup(running.Wait)
	return w
}

// until waits for a configuration that is as it should be.
func (w *watcher) until(what string, good func(*dynamic.Configuration) bool) {
	w.tb.Helper()
	giveUp := time.After(20 * time.Second)
	for w.last == nil || !good(w.last) {
		select {
		case w.last = <-w.published:
		case <-giveUp:
			w.tb.Fatalf("never published: %s; the last was %v", what, w.last)
		}
	}
}

func (w *watcher) routers(want ...string) {
	w.tb.Helper()
	w.until(fmt.Sprint("routers ", want), func(c *dynamic.Configuration) bool {
		return slices.Equal(names(c), want) && len(c.Problems) == 0
	})
}

// trouble waits for a problem of an endpoint that cannot be asked, with the routers that stay.
func (w *watcher) trouble(want string, stay ...string) {
	w.tb.Helper()
	w.until("a problem with "+want, func(c *dynamic.Configuration) bool {
		return len(c.Problems) == 1 && c.Problems[0].Blind && strings.Contains(c.Problems[0].String(), want) && slices.Equal(names(c), stay)
	})
}

func names(c *dynamic.Configuration) []string { return slices.Sorted(maps.Keys(c.HTTP.Routers)) }

func serve(tb testing.TB, answer http.HandlerFunc) (*server, string) {
	tb.Helper()
	s := &server{answer: answer}
	listening := httptest.NewServer(s)
	tb.Cleanup(listening.Close)
	return s, listening.URL
}

func TestRun_ReadsEachFormat(t *testing.T) {
	const (
		asJSON = "{\"http\": {\"routers\": {\"a\": {\"rule\": \"Host(`a`)\", \"service\": \"s\"}}}, \"tcp\": {\"routers\": {\"t\": {\"rule\": \"HostSNI(`*`)\", \"service\": \"s\"}}}, \"udp\": {\"routers\": {\"u\": {\"service\": \"s\"}}}}"
		asTOML = "[http.routers.a]\nrule = \"Host(`a`)\"\nservice = \"s\"\n[tcp.routers.t]\nrule = \"HostSNI(`*`)\"\nservice = \"s\"\n[udp.routers.u]\nservice = \"s\"\n"
		asYAML = "http: {routers: {a: {rule: Host(`a`), service: s}}}\ntcp: {routers: {t: {rule: HostSNI(`*`), service: s}}}\nudp: {routers: {u: {service: s}}}\n"
	)
	tests := map[string]struct{ contentType, path, body string }{
		"JSON":                        {"application/json; charset=utf-8", "/", asJSON},
		"JSON of a kind":              {"application/vnd.routes+json", "/", asJSON},
		"YAML":                        {"application/yaml", "/", asYAML},
		"YAML, by its older name":     {"text/x-yaml", "/routes.toml", asYAML},
		"TOML":                        {"application/toml", "/", asTOML},
		"TOML by the ending":          {"text/plain", "/routes.toml", asTOML},
		"JSON by the ending":          {"application/octet-stream", "/routes.json", asJSON},
		"JSON without anything":       {"", "/", asJSON},
		"YAML with a broken type":     {";;", "/", asYAML},
		"TOML, with a query besides":  {"text/plain", "/routes.toml?of=us", asTOML},
		"YAML with no type whatever ": {"text/plain", "/routes", asYAML},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, url := serve(t, text(tt.contentType, tt.body))
			w := follow(t, url+tt.path, nil)
			w.routers("a")
			want := &dynamic.Router{Rule: "Host(`a`)", Service: "s"}
			if diff := cmp.Diff(want, w.last.HTTP.Routers["a"]); diff != "" || w.last.TCP.Routers["t"] == nil || w.last.UDP.Routers["u"] == nil {
				t.Errorf("%s, %v %v", diff, w.last.TCP, w.last.UDP)
			}
		})
	}
}

func TestRun_FollowsWhatIsAnswered(t *testing.T) {
	s, url := serve(t, text("application/yaml", routers("a")))
	w := follow(t, url, nil)
	w.routers("a")
	s.says(text("application/yaml", routers("a", "b")))
	w.routers("a", "b")
	s.says(text("application/json", "{}"))
	w.routers()
}

// TestRun_IsToldNothingWhileNothingIsNew has a server that sends its document only to those
// who do not have it.
func TestRun_IsToldNothingWhileNothingIsNew(t *testing.T) {
	for header, question := range map[string]string{"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"} {
		t.Run(header, func(t *testing.T) {
			var sent, unchanged atomic.Int64
			document := func(version, body string) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set(header, version)
					if r.Header.Get(question) == version {
						unchanged.Add(1)
						w.WriteHeader(http.StatusNotModified)
						return
					}
					sent.Add(1)
					_, _ = io.WriteString(w, body)
				}
			}
			s, url := serve(t, document(`"one"`, routers("a")))
			w := follow(t, url, nil)
			w.routers("a")
			s.askedAgain()
			s.says(document(`"two"`, routers("b")))
			w.routers("b")
			if sent.Load() != 2 || unchanged.Load() < 2 || len(w.published) > 0 {
				t.Errorf("sent %d times, %d times not; %d more were published", sent.Load(), unchanged.Load(), len(w.published))
			}
		})
	}
}

func TestRun_TheLastGoodAnswerStays(t *testing.T) {
	s, url := serve(t, text("application/yaml", routers("a")))
	w := follow(t, url, func(c *Config) { c.MaxResponseBodySize, c.PollTimeout = 1000, types.Duration(time.Second) })
	w.routers("a")
	troubles := map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"an error":               {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, "the server answers 403 Forbidden; the last good one stays in force"},
		"no content":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "the server answers 204"},
		"nothing":                {text("application/yaml", " \n"), "the answer is empty; one without any routes is {}"},
		"a page":                 {text("text/html", "<!doctype html>\n<title>Welcome"), ": no configuration can be fetched: "},
		"a broken document":      {text("application/json", "{\"http\":\n {\"routers\": "), ":2: no configuration can be fetched: "},
		"a list":                 {text("application/yaml", "- a\n"), "the document is not a mapping of options"},
		"too much":               {text("application/yaml", strings.Repeat(routers("b"), 50)), "the answer has more than 1000 bytes (maxResponseBodySize)"},
		"too much when unpacked": {packed(strings.Repeat("# nothing\n", 10_000)), "the answer has more than 1000 bytes"},
		"half an answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "http: {}")
		}, "read the answer: "},
		"another server": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://u:pass@elsewhere.test/x?token=1", http.StatusFound)
		}, "the redirect to http://elsewhere.test/x leads to another server"},
		"round in circles": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }, "more than 5 redirects"},
		"no answer":        {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "Client.Timeout exceeded"},
	}
	for _, name := range slices.Sorted(maps.Keys(troubles)) {
		s.says(troubles[name].answer)
		w.trouble(troubles[name].want, "a")
		s.says(text("application/yaml", routers("a")))
		w.routers("a")
	}
}

func packed(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, body)
		_ = z.Close()
	}
}

// TestRun_ABrokenDocumentThatIsNotSentAgainIsBrokenStill has a server that sends a broken
// document once, and says then that it is still the same.
func TestRun_ABrokenDocumentThatIsNotSentAgainIsBrokenStill(t *testing.T) {
	s, url := serve(t, text("application/yaml", routers("a")))
	w := follow(t, url, nil)
	w.routers("a")
	s.says(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"broken"`)
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, "http: {")
	})
	w.trouble("; the last good one stays in force", "a")
	s.askedAgain()
	if len(w.published) > 0 {
		t.Errorf("said more: %v", (<-w.published).Problems)
	}
}

// TestRun_OneTroubleIsToldOnce has a server that hangs up, each time on another connection.
func TestRun_OneTroubleIsToldOnce(t *testing.T) {
	s, url := serve(t, text("application/yaml", routers("a")))
	w := follow(t, url, nil)
	w.routers("a")
	var odd atomic.Bool
	s.says(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		odd.Store(!odd.Load())
		if tcp, ok := conn.(*net.TCPConn); ok && odd.Load() {
			_ = tcp.SetLinger(0) // by a reset
		}
		_ = conn.Close()
	})
	w.trouble("the server broke the connection off", "a")
	s.askedAgain()
	if len(w.published) > 0 {
		t.Errorf("said more: %v", (<-w.published).Problems)
	}
}

func TestRun_WithoutAServerAtFirst(t *testing.T) {
	listening := httptest.NewServer(nil)
	listening.Close()
	w := follow(t, strings.Replace(listening.URL, "http://", "http://ann:s3cret@", 1)+"/routes?token=s3cret", nil)
	w.trouble("no configuration can be fetched: ")
	if said := w.last.Problems[0].String(); strings.Contains(said, "s3cret") || !strings.Contains(said, "http://ann:xxxxx@127.0.0.1") {
		t.Errorf("got %s", said)
	}
}

func TestRun_MistakesAreNamedWithTheirPlace(t *testing.T) {
	_, url := serve(t, text("application/yaml", routers("a")+"    b:\n      rul: x\n"))
	w := follow(t, url, nil)
	w.until("a problem", func(c *dynamic.Configuration) bool { return len(c.Problems) > 0 })
	want := url + `:5: http.routers.b.rul: there is no option "rul" here (did you mean "http.routers.b.rule"?)`
	if got := w.last.Problems[0]; !strings.Contains(got.String(), want) || !got.Disables || got.Blind {
		t.Errorf("got %s", got)
	}
	if source, line := w.last.Origin(dynamic.KindRouter, "a"); source != url || line != 3 {
		t.Errorf("the router is of %s:%d", source, line)
	}
}

func TestRun_SendsHeadersAndLogin(t *testing.T) {
	s, url := serve(t, text("application/yaml", routers("a")))
	w := follow(t, strings.Replace(url, "http://", "http://ann:s3cret@", 1), func(c *Config) {
		c.Headers = map[string]string{"X-Token": "t0ken", "host": "routes.test"}
	})
	w.routers("a")
	r := s.asked()[0]
	user, password, _ := r.BasicAuth()
	got := []string{r.Header.Get("X-Token"), r.Host, user, password}
	if diff := cmp.Diff([]string{"t0ken", "routes.test", "ann", "s3cret"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestRun_TLS(t *testing.T) {
	s := httptest.NewTLSServer(text("application/yaml", routers("a")))
	t.Cleanup(s.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	follow(t, s.URL, func(c *Config) { c.TLS = &TLS{CA: ca} }).routers("a")
	follow(t, s.URL, func(c *Config) { c.TLS = &TLS{InsecureSkipVerify: true} }).routers("a")
	follow(t, s.URL, nil).trouble("certificate")
}

func TestNew_Mistakes(t *testing.T) {
	tests := map[string]struct {
		change func(*Config)
		want   string
	}{
		"no endpoint":            {func(c *Config) { c.Endpoint = "" }, "endpoint: none is given"},
		"no scheme":              {func(c *Config) { c.Endpoint = "u:s3cret@host/x" }, "endpoint: "},
		"another scheme":         {func(c *Config) { c.Endpoint = "ftp://u:s3cret@host/x" }, `endpoint: "ftp://u:xxxxx@host/x" is no URL with http`},
		"no URL":                 {func(c *Config) { c.Endpoint = "http://u:s3cret@h\x00" }, "endpoint: "},
		"no interval":            {func(c *Config) { c.PollInterval = 0 }, "pollInterval: is no time"},
		"no timeout":             {func(c *Config) { c.PollTimeout = -1 }, "pollTimeout: is no time"},
		"no size":                {func(c *Config) { c.MaxResponseBodySize = 0 }, "maxResponseBodySize: is neither"},
		"no name of a header":    {func(c *Config) { c.Headers = map[string]string{"a b": "s3cret"} }, `headers: "a b" is no name`},
		"no value of a header":   {func(c *Config) { c.Headers = map[string]string{"a": "s3cret\n"} }, "headers: the value of a has"},
		"no authority":           {func(c *Config) { c.TLS = &TLS{CA: "/nowhere.pem"} }, "tls: ca: open /nowhere.pem"},
		"an empty authority":     {func(c *Config) { c.TLS = &TLS{CA: "-----BEGIN x"} }, "tls: ca: there is no certificate in it"},
		"a key without its pair": {func(c *Config) { c.TLS = &TLS{Key: "-----BEGIN s3cret"} }, "tls: cert: is missing"},
		"a pair of nothing":      {func(c *Config) { c.TLS = &TLS{Cert: "-----BEGIN x", Key: "-----BEGIN s3cret"} }, "tls: cert and key: "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := &Config{}
			c.SetDefaults()
			c.Endpoint = "http://routes.test"
			tt.change(c)
			if _, err := c.New(logrus.New()); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add("application/json", "/routes", `{"http": {"routers": {"a": {"rule": "x"}}}}`)
	f.Add("application/toml", "/routes.toml", "[http.routers.a]\nrule = 1")
	f.Add("text/html; charset", "/%", "a: &a [*a]")
	f.Add("a/b+json;q=x", "", "tls: {certificates: [{}]}\n---\nhttp: null")
	f.Fuzz(func(t *testing.T, contentType, path, body string) {
		cfg, lines, err := dynamic.ReadDocument([]byte(body), format(contentType, path), "x")
		if err != nil {
			if cfg != nil || lineOf(err) < 0 {
				t.Errorf("got %v, and %v", cfg, err)
			}
			return
		}
		for name, r := range cfg.HTTP.Routers {
			if r == nil {
				t.Errorf("the router %q is nil", name)
			}
			if _, line := cfg.Origin(dynamic.KindRouter, name); line != lines.Of(dynamic.KindRouter, name) {
				t.Errorf("the router %q is at two places", name)
			}
		}
	})
}

func TestSameServer(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		want     bool
	}{
		{"http://a.test/x", "http://a.test/y", true},
		{"http://a.test/x", "http://a.test:80/y", true},
		{"http://a.test/x", "https://a.test/x", true},
		{"https://a.test:443/x", "https://a.test/y", true},
		{"http://a.test:8080/x", "http://a.test:8080/y", true},
		{"http://a.test:8080/x", "http://a.test:8081/x", false},
		{"http://a.test:8080/x", "http://a.test/x", false},
		{"http://a.test/x", "https://a.test:8443/x", false},
		{"http://a.test/x", "http://b.test/x", false},
		{"https://a.test/x", "http://a.test:443/x", false},
	} {
		err := sameServer(request(t, tt.to), []*http.Request{request(t, tt.from)})
		if (err == nil) != tt.want {
			t.Errorf("from %s to %s: got %v", tt.from, tt.to, err)
		}
	}
}

func request(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
