package wasm

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/tetratelabs/wazero"
	"github.com/traefik/paerser/types"

	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

// greeting is the plugin of the example: it sets a header of the request.
var greeting = assembly{data: "X-Pluginhello", request: slices.Concat(call("set_header_value", ofRequest, 0, 8, 8, 5), next(1))}

// TestExample_HasThePluginOfTheTests keeps the example readable: this is what its base64 says.
func TestExample_HasThePluginOfTheTests(t *testing.T) {
	text, err := os.ReadFile("testdata/example.txtar")
	if want := "wasm.module=" + base64.StdEncoding.EncodeToString(greeting.assembled()) + "\n"; err != nil || !strings.Contains(string(text), want) {
		t.Errorf("the example has no %s, %v", want, err)
	}
}

// patience is the timeout of tests that are not about it: machines may be slow.
const patience = types.Duration(mostTime)

// build makes a handler of a plugin in front of next, which is by default a service that says ok.
func build(t *testing.T, code []byte, next http.Handler, change ...func(*Config, *middlewares.Env)) (http.Handler, *kept) {
	t.Helper()
	c := &Config{Module: base64.StdEncoding.EncodeToString(code)}
	c.SetDefaults()
	env := middlewarestest.Env("edge")
	k := &kept{code: wazero.NewCompilationCache()}
	env.Keep = func(func() any) any { return k }
	for _, change := range change {
		change(c, &env)
	}
	if next == nil {
		next = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	}
	h, err := c.New(t.Context(), env, next)
	if err != nil {
		t.Fatal(err)
	}
	return h, k
}

func ask(t *testing.T, h http.Handler, method, url, body string) (*httptest.ResponseRecorder, *record.Record) {
	t.Helper()
	rec := &record.Record{}
	r := httptest.NewRequestWithContext(record.With(t.Context(), rec), method, url, strings.NewReader(body))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w, rec
}

// TestPlugins_ThatGoWrongAreAnError has bombs of all kinds: the client gets 500, the operator the reason.
func TestPlugins_ThatGoWrongAreAnError(t *testing.T) {
	for name, test := range map[string]struct {
		request []byte
		cause   string
	}{
		"endless loop":  {slices.Concat(forever, next(1)), "wasm: plugin: it takes longer than 50ms"},
		"memory":        {slices.Concat(hungry, next(1)), "wasm: plugin: unreachable"},
		"panic":         {trap, "wasm: plugin: unreachable"},
		"far text":      {slices.Concat(call("set_header_value", ofRequest, 1<<20, 8, 0, 5), next(1)), "wasm: plugin: a text is out of the memory"},
		"far room":      {slices.Concat(call("read_body", ofRequest, 1<<20, 8), drop, next(1)), "wasm: plugin: read_body: there is no room"},
		"no room":       {slices.Concat(call("read_body", ofRequest, 0, 0), drop, next(1)), "wasm: plugin: read_body: there is no room"},
		"bad header":    {slices.Concat(call("set_header_value", ofRequest, 0, 3, 3, 3), next(1)), `wasm: plugin: set a header: "a b" is no name of a header`},
		"bad value":     {slices.Concat(call("set_header_value", ofRequest, 0, 1, 3, 3), next(1)), `wasm: plugin: a: "c\nd" is no value of a header`},
		"trailers":      {slices.Concat(call("set_header_value", 2, 0, 1, 0, 1), next(1)), "wasm: plugin: trailers cannot be changed"},
		"bad status":    {slices.Concat(call("set_status_code", 99), next(0)), "wasm: plugin: set_status_code: 99 is not from 200 to 599"},
		"bad uri":       {slices.Concat(call("set_uri", 0, 3), next(1)), "wasm: plugin: set_uri: it does not begin with a slash"},
		"too much body": {slices.Concat(call("write_body", ofResponse, 0, 20000), next(0)), "wasm: plugin: write_body: the body is longer than maxBodyBytes"},
		"strange body":  {slices.Concat(call("write_body", 7, 0, 1), next(0)), "wasm: plugin: write_body: 7 is no kind of body"},
	} {
		t.Run(name, func(t *testing.T) {
			h, kept := build(t, assembly{data: "a bc\nd", request: test.request}.assembled(), nil, func(c *Config, _ *middlewares.Env) {
				c.Timeout, c.MaxBodyBytes, c.MaxMemoryBytes = patience, 10000, 1<<20
				if name == "endless loop" {
					c.Timeout = types.Duration(50 * time.Millisecond)
				}
			})
			for range 2 { // the second one gets another instance
				if w, rec := ask(t, h, "GET", "/", ""); w.Code != 500 || strings.Contains(w.Body.String(), "plugin") || rec.Cause != test.cause {
					t.Errorf("got %d %q, cause %q", w.Code, w.Body, rec.Cause)
				}
			}
			if want := "the last of 2 errors: " + strings.TrimPrefix(test.cause, "wasm: "); kept.Trouble() != want || kept.ScriptErrors() != 2 {
				t.Errorf("the trouble is %q, want %q", kept.Trouble(), want)
			}
		})
	}
}

func TestConfig_SaysWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		code []byte
		want string
	}{
		"no module":   {[]byte("hello"), "module: plugin cannot be compiled: invalid magic number"},
		"no function": {[]byte("\x00asm\x01\x00\x00\x00"), "module: plugin does not export handle_re"},
		"start traps": {assembly{start: trap, request: next(1)}.assembled(), "module: plugin: start function[10] failed: unreachable"},
		"too early":   {assembly{start: call("set_status_code", 200), request: next(1)}.assembled(), "module: plugin: start function[10] failed: set_status_code: there is no request yet"},
	} {
		c := &Config{Module: base64.StdEncoding.EncodeToString(test.code)}
		c.SetDefaults()
		if _, err := c.New(t.Context(), middlewarestest.Env("edge"), nil); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestPlugins_Answer(t *testing.T) {
	h, _ := build(t, assembly{data: "X-Athello", request: slices.Concat(call("set_header_value", ofResponse, 0, 3, 3, 1), call("set_status_code", 403), call("write_body", ofResponse, 4, 5), next(0))}.assembled(), nil)
	for method, want := range map[string]string{"GET": "hello", "HEAD": ""} {
		if w, _ := ask(t, h, method, "/", ""); w.Code != 403 || w.Body.String() != want || w.Header().Get("X-A") != "t" || w.Header().Get("Content-Length") != "5" {
			t.Errorf("%s: got %d %q with %v", method, w.Code, w.Body, w.Header())
		}
	}
}

// TestPlugins_OfHTTPWasm has one of its examples.
func TestPlugins_OfHTTPWasm(t *testing.T) {
	code, err := os.ReadFile("testdata/auth.wasm")
	if err != nil {
		t.Fatal(err)
	}
	h, _ := build(t, code, nil)
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 401 || w.Header().Get("Www-Authenticate") != `Basic realm="test"` {
		t.Errorf("got %d with %v", w.Code, w.Header())
	}
	r.Header.Set("Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
	w = httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Body.String() != "ok" {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
}

func TestPlugins_ChangeBodies(t *testing.T) {
	twice := slices.Concat(call("read_body", ofRequest, 0, 100), drop, call("write_body", ofRequest, 0, 5), call("write_body", ofRequest, 0, 5), next(1))
	shorter := slices.Concat(call("read_body", ofResponse, 0, 4), drop, call("write_body", ofResponse, 1, 3))
	h, _ := build(t, assembly{start: slices.Concat(call("enable_features", bufferRequest|bufferResponse), drop), request: twice, response: shorter}.assembled(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if text, _ := io.ReadAll(r.Body); string(text) != "hellohello" || r.ContentLength != 10 || r.Header.Get("Content-Length") != "10" {
			t.Errorf("the service gets %q, %d bytes", text, r.ContentLength)
		}
		w.Header().Set("Etag", "1")
		_, _ = io.WriteString(w, "the secret")
	}))
	if w, rec := ask(t, h, "POST", "/", "hello"); w.Body.String() != "he " || w.Header().Get("Etag") != "" || w.Header().Get("Content-Length") != "3" {
		t.Errorf("got %q with %v: %s", w.Body, w.Header(), rec.Cause)
	}
}

func TestPlugins_ThatReadTheBodyLeaveItForOthers(t *testing.T) {
	h, _ := build(t, assembly{request: slices.Concat(call("read_body", ofRequest, 0, 3), drop, next(1))}.assembled(), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if text, _ := io.ReadAll(r.Body); string(text) != "hello" {
			t.Errorf("the service gets %q", text)
		}
	}), func(c *Config, _ *middlewares.Env) { c.MaxBodyBytes = 5 })
	for body, want := range map[string]int{"hello": 200, "hello!": 413} {
		if w, _ := ask(t, h, "POST", "/", body); w.Code != want {
			t.Errorf("%s: got %d, want %d", body, w.Code, want)
		}
	}
}

// TestResponses_AreHeldForPluginsThatWant has one that fails with the response: nothing of it is seen.
func TestResponses_AreHeldForPluginsThatWant(t *testing.T) {
	wants := slices.Concat(call("enable_features", bufferResponse), drop)
	secret := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Secret", "1")
		_, _ = io.WriteString(w, "secret")
	})
	for name, test := range map[string]struct {
		plugin assembly
		want   string
	}{
		"changed":             {assembly{data: "X-Secrethi", start: wants, request: next(1), response: slices.Concat(call("remove_header", ofResponse, 0, 8), call("set_status_code", 201), call("write_body", ofResponse, 8, 2))}, "201 hi "},
		"asked late":          {assembly{data: "hi", request: slices.Concat(wants, next(1)), response: call("write_body", ofResponse, 0, 2)}, "200 hi 1"},
		"fails":               {assembly{start: wants, request: next(1), response: trap}, "500 Internal Server Error "},
		"loops":               {assembly{start: wants, request: next(1), response: forever}, "500 Internal Server Error "},
		"not held":            {assembly{data: "hi", request: next(1), response: call("write_body", ofResponse, 0, 2)}, "200 secret 1"},
		"the request is late": {assembly{data: "hi", start: wants, request: next(1), response: call("set_header_value", ofRequest, 0, 1, 1, 1)}, "500 Internal Server Error "},
	} {
		h, kept := build(t, test.plugin.assembled(), secret, func(c *Config, _ *middlewares.Env) {
			if c.Timeout = patience; name == "loops" {
				c.Timeout = types.Duration(50 * time.Millisecond)
			}
		})
		w, _ := ask(t, h, "GET", "/", "")
		if got := fmt.Sprintf("%d %s %s", w.Code, w.Body, w.Header().Get("X-Secret")); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
		if fails := w.Code == 500 || name == "not held"; fails != (kept.ScriptErrors() == 1) {
			t.Errorf("%s: %d errors", name, kept.ScriptErrors())
		}
	}
	h, _ := build(t, assembly{start: wants, request: next(1)}.assembled(), secret, func(c *Config, _ *middlewares.Env) { c.MaxBodyBytes = 5 })
	if w, _ := ask(t, h, "GET", "/", ""); w.Code != 502 || w.Header().Get("X-Secret") != "" {
		t.Errorf("a long one: got %d with %v", w.Code, w.Header())
	}
}

func TestPlugins_WriteIntoTheLog(t *testing.T) {
	var out bytes.Buffer
	h, _ := build(t, assembly{data: "hello\nyou", request: slices.Concat(call("log", 0, 0, 9), call("log", 3, 0, 9), next(1))}.assembled(), nil, func(_ *Config, env *middlewares.Env) {
		l := logrus.New()
		l.SetOutput(&out)
		env.Log = l
	})
	if ask(t, h, "GET", "/", ""); strings.Count(out.String(), `msg="plugin: hello\nyou"`) != 1 {
		t.Errorf("the log has %s", out.String())
	}
}

func TestInstances_AreNoMoreThanMayBe(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	h, _ := build(t, greeting.assembled(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		begun <- struct{}{}
		<-end
	}), func(c *Config, _ *middlewares.Env) { c.MaxInstances = 2 })
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() { ask(t, h, "GET", "/", "") })
		<-begun
	}
	if w, rec := ask(t, h, "GET", "/", ""); w.Code != 503 || rec.Cause != "wasm: there are maxInstances requests in the plugin" {
		t.Errorf("got %d, %s", w.Code, rec.Cause)
	}
	close(end)
	all.Wait()
}

func TestInstances_HaveRoomTogether(t *testing.T) {
	for memory, want := range map[int64]int{page: 256, 16 << 20: 256, 32 << 20: 128, mostMemory: 16} {
		c := &Config{Module: "AA=="}
		c.SetDefaults()
		c.MaxMemoryBytes = memory
		if got := c.instances(); got != want || c.check() != nil {
			t.Errorf("%d bytes for each: got %d instances, want %d; %v", memory, got, want, c.check())
		}
	}
}

// TestInstances_ThatAreIdleKeepLittleMemory has a plugin that takes 100 MiB: two instances of three wait.
func TestInstances_ThatAreIdleKeepLittleMemory(t *testing.T) {
	grow := slices.Concat(constant(1600), []byte{0x40, 0}, drop)
	begun, end := make(chan struct{}), make(chan struct{})
	h, _ := build(t, assembly{request: slices.Concat(grow, next(1))}.assembled(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		begun <- struct{}{}
		<-end
	}), func(c *Config, _ *middlewares.Env) { c.Timeout, c.MaxMemoryBytes = patience, 120<<20 })
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() { ask(t, h, "GET", "/", "") })
		<-begun
	}
	close(end)
	all.Wait()
	p := h.(*handler).plugin()
	if len(p.idle) != 2 || p.waiting != 2*1601*page || p.busy != 0 {
		t.Errorf("%d instances wait with %d bytes, %d are busy", len(p.idle), p.waiting, p.busy)
	}
	if i, err := p.take(t.Context()); err != nil || p.waiting != 1601*page {
		t.Errorf("with one taken: %d bytes wait, %v", p.waiting, err)
	} else {
		i.give()
	}
}

// TestFile_IsReadAgain has a plugin that changes while a request is under way, which ends as it has
// begun.
func TestFile_IsReadAgain(t *testing.T) {
	name := filepath.Join(t.TempDir(), "edge.wasm")
	write := func(code []byte) {
		t.Helper()
		if err := os.WriteFile(name, code, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	says := func(text string) []byte {
		return assembly{data: text, request: slices.Concat(call("write_body", ofResponse, 0, len(text)), next(0))}.assembled()
	}
	begun, end := make(chan struct{}), make(chan struct{})
	write(greeting.assembled())
	h, kept := build(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			begun <- struct{}{}
			<-end
		}
		_, _ = io.WriteString(w, r.Header.Get("X-Plugin"))
	}), func(c *Config, _ *middlewares.Env) { c.Module, c.File = "", name })
	await := func(want, trouble string) {
		t.Helper()
		for t.Context().Err() == nil {
			w, _ := ask(t, h, "GET", "/", "")
			if w.Body.String() == want && strings.Contains(kept.Trouble(), trouble) && (trouble != "" || kept.Trouble() == "") {
				return
			}
		}
	}
	await("hello", "")
	var slow sync.WaitGroup
	slow.Go(func() {
		if w, rec := ask(t, h, "GET", "/slow", ""); w.Body.String() != "hello" || rec.Cause != "" {
			t.Errorf("the slow one gets %q, %s", w.Body, rec.Cause)
		}
	})
	<-begun
	write([]byte("no plugin"))
	await("hello", "the changed file is not usable, and what it said before goes on: edge.wasm cannot be compiled")
	write(says("second"))
	await("second", "")
	close(end)
	slow.Wait()
}

// BenchmarkGreeting is what a request costs whose plugin sets a header.
func BenchmarkGreeting(b *testing.B) {
	c := &Config{Module: base64.StdEncoding.EncodeToString(greeting.assembled())}
	c.SetDefaults()
	h, err := c.New(b.Context(), middlewarestest.Env("edge"), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequestWithContext(b.Context(), "GET", "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}

// TestTables_AreBounded has tables that would take all memory there is.
func TestTables_AreBounded(t *testing.T) {
	table := func(limits ...int) []byte {
		out := []byte{0x70, byte(len(limits) - 1)}
		for _, n := range limits {
			out = append(out, uleb(n)...)
		}
		return section(sectionOfTables, out)
	}
	for name, test := range map[string]struct {
		tables []byte
		want   string
	}{
		"small":      {table(10, 20), ""},
		"unbounded":  {table(10), ""},
		"long":       {table(1 << 27), "module: plugin cannot be compiled: its tables have more than 262144 elements"},
		"many":       {section(sectionOfTables, slices.Repeat([][]byte{{0x70, 0, 0x80, 0x80, 0x08}}, 3)...), "module: plugin cannot be compiled: its tables have more than 262144 elements"},
		"of no kind": {section(sectionOfTables, []byte{0x40, 0}), "module: plugin cannot be compiled: it has a table of a kind that is not known: 0x40, 0x0"},
		"broken off": {[]byte{sectionOfTables, 200, 1}, "module: plugin cannot be compiled: its sections are broken off"},
	} {
		c := &Config{Module: base64.StdEncoding.EncodeToString(assembly{tables: test.tables, request: slices.Concat(grown, next(1))}.assembled())}
		c.SetDefaults()
		h, err := c.New(t.Context(), middlewarestest.Env("edge"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
		if test.want != "" {
			if err == nil || err.Error() != test.want {
				t.Errorf("%s: got %v, want %s", name, err, test.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if w, rec := ask(t, h, "GET", "/", ""); w.Body.String() != "ok" {
			t.Errorf("%s: its table grows: %d %s", name, w.Code, rec.Cause)
		}
	}
}

// FuzzBounded reads anything as a module: what comes out is left alone the next time.
func FuzzBounded(f *testing.F) {
	f.Add(greeting.assembled())
	f.Add(assembly{tables: section(sectionOfTables, []byte{0x70, 1, 10, 20})}.assembled())
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x04\x04\x01\x70\x00\x0a"))
	f.Fuzz(func(t *testing.T, code []byte) {
		once, err := bounded(code)
		if err != nil {
			return
		}
		if twice, err := bounded(once); err != nil || len(twice) != len(once) {
			t.Errorf("%x becomes %x, and then %x, %v", code, once, twice, err)
		}
	})
}
