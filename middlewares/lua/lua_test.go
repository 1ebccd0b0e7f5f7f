package lua

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"github.com/traefik/paerser/types"

	"fairway/internal/identity"
	"fairway/internal/mishaps"
	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

// build makes a handler of a script in front of next, which is by default a service that says ok.
func build(t *testing.T, script string, next http.Handler, change ...func(*Config, *middlewares.Env)) (http.Handler, *mishaps.Mishaps) {
	t.Helper()
	c := &Config{Script: script}
	c.SetDefaults()
	c.Timeout = types.Duration(mostTime) // machines may be slow
	env := middlewarestest.Env("edge")
	kept := &mishaps.Mishaps{}
	env.Keep = func(func() any) any { return kept }
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
	return h, kept
}

// ask sends a request, and returns the response and the record of the request.
func ask(t *testing.T, h http.Handler, method, url, body string) (*httptest.ResponseRecorder, *record.Record) {
	t.Helper()
	rec := &record.Record{}
	r := httptest.NewRequestWithContext(record.With(t.Context(), rec), method, url, strings.NewReader(body))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w, rec
}

// TestScripts_ThatGoWrongAreAnError has bombs of all kinds: the client gets 500, the operator the place,
// and the next request is served.
func TestScripts_ThatGoWrongAreAnError(t *testing.T) {
	const bad = `function on_request(request) if request.query:get("bad") then %s end end`
	for name, test := range map[string]struct{ script, cause string }{
		"endless loop":       {`while true do end`, "lua: script:1: it takes more than 100000 instructions"},
		"memory":             {`local s = "x" while true do s = s .. s end`, "lua: script:1: it takes more than 8388608 bytes of memory"},
		"table":              {`local t = {} while true do t[#t + 1] = {} end`, "lua: script:1: it takes more than 8388608 bytes of memory"},
		"panic":              {`error("what is this")`, "lua: script:1: what is this"},
		"not a function":     {`request.headers.nothing()`, "lua: script:1: attempt to call a non-function object"},
		"no such member":     {`request.nothing = 1`, `lua: script:1: request.nothing cannot be set`},
		"unknown member":     {`local x = request.nothing`, `lua: script:1: request has no "nothing"`},
		"a bad header":       {`request.headers:set("X-A", "a\nX-B: b")`, `lua: script:1: X-A: "a\nX-B: b" is no value of a header`},
		"a framing header":   {`request.headers:set("Content-Length", "1")`, `lua: script:1: headers: "Content-Length" cannot be set: it says how a message is sent, which is up to the gateway`},
		"a bad path":         {`request.path = "x"`, `lua: script:1: request.path: "x" does not begin with a slash`},
		"a bad method":       {`request.method = "A B"`, `lua: script:1: request.method: "A B" is none`},
		"an unknown service": {`call("nobody")`, `lua: script:1: call: "nobody" is not among services`},
		"too early":          {`local s = response.status`, `lua: script:1: response cannot be used here: it is too early, or too late`},
		"too many values":    {`local t = {} for i = 1, 200 do t[i] = "x" end request.headers:set("X-A", t)`, `lua: script:1: X-A: has more than 100 values`},
	} {
		t.Run(name, func(t *testing.T) {
			served := 0
			h, kept := build(t, fmt.Sprintf(bad, test.script), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ }))
			w, rec := ask(t, h, "GET", "/?bad=1", "")
			if w.Code != 500 || strings.Contains(w.Body.String(), "script") || rec.Cause != test.cause {
				t.Errorf("got %d %q, cause %q", w.Code, w.Body, rec.Cause)
			}
			if want := "the last of 1 errors: " + strings.TrimPrefix(test.cause, "lua: "); kept.Trouble() != want || kept.ScriptErrors() != 1 {
				t.Errorf("the trouble is %q, want %q", kept.Trouble(), want)
			}
			if w, _ := ask(t, h, "GET", "/", ""); w.Code != 200 || served != 1 {
				t.Errorf("the next request gets %d; %d were served", w.Code, served)
			}
		})
	}
}

func TestFunctions_AreCalledInTheirOrderAndKnowWhatTheOthersKnow(t *testing.T) {
	var out bytes.Buffer
	h, _ := build(t, `
		local told = {}
		function on_request(request) told[#told + 1] = "request" count = (count or 0) + 1 end
		function on_response(request, response) told[#told + 1] = "response " .. response.status response.headers:set("X-Count", count) end
		function on_body(request, response) told[#told + 1] = response:body() response:set_body("changed") end
		function on_log(request, response) told[#told + 1] = "log " .. response.status log.info(table.concat(told, ", ") .. ", " .. response.headers:get("X-Count") .. request.path) end`,
		nil, func(_ *Config, env *middlewares.Env) {
			l := logrus.New()
			l.SetOutput(&out)
			env.Log = l
		})
	for range 3 {
		w, _ := ask(t, h, "GET", "/a", "")
		if w.Body.String() != "changed" || w.Header().Get("Content-Length") != "7" || w.Header().Get("X-Count") != "1" {
			t.Errorf("got %q with %v", w.Body, w.Header())
		}
		if !strings.Contains(out.String(), `script: request, response 200, ok, log 200, 1/a`) {
			t.Errorf("the log has %s", out.String())
		}
		out.Reset()
	}
}

func TestRequest_TellsWhoSendsIt(t *testing.T) {
	who := &identity.Identity{Subject: "ann", Groups: []string{"staff"}, Claims: map[string]any{"sub": "ann", "roles": []any{"a", "b"}}, Consumer: &identity.Consumer{Name: "shop@file", Plan: "big@file", Labels: map[string]string{"tier": "1"}}}
	h, _ := build(t, `function on_request(request)
		local c, k = request.claims, request.consumer
		respond(200, table.concat({request.user, c.sub, c.roles[2], k.name, k.plan, k.labels.tier, k.groups[1], request.client, request.scheme, request.host}, " "))
	end`, nil)
	r := httptest.NewRequestWithContext(record.With(t.Context(), &record.Record{Identity: who}), "GET", "https://a.test/", nil)
	r.RemoteAddr = "192.0.2.7:1"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if got := w.Body.String(); got != "ann ann b shop@file big@file 1 staff 192.0.2.7 https a.test" {
		t.Errorf("got %q", got)
	}
	h, _ = build(t, `function on_request(request) respond(200, tostring(request.user) .. tostring(request.claims) .. tostring(request.consumer)) end`, nil)
	if w, _ := ask(t, h, "GET", "/", ""); w.Body.String() != "nilnilnil" {
		t.Errorf("of nobody: %q", w.Body)
	}
}

func TestRequest_IsLeftAloneForOthers(t *testing.T) {
	h, _ := build(t, `function on_request(request)
		request.headers:set("X-A", "2") request.headers:remove("X-B") request.headers:add("X-C", "3") request.path = "/b" request.method = "PUT" request.query:set("n", "2")
	end`, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method != "PUT" || r.RequestURI != "/b?n=2" || r.Header.Get("X-A") != "2" || len(r.Header["X-B"]) != 0 || r.Header.Get("X-C") != "3" {
			t.Errorf("the service gets %s %s, %v", r.Method, r.RequestURI, r.Header)
		}
	}))
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/a?n=1", nil)
	r.Header = http.Header{"X-A": {"1"}, "X-B": {"1"}}
	h.ServeHTTP(httptest.NewRecorder(), r)
	if diff := cmp.Diff(http.Header{"X-A": {"1"}, "X-B": {"1"}}, r.Header); diff != "" || r.URL.String() != "/a?n=1" || r.Method != "GET" {
		t.Errorf("it has become %s %s\n%s", r.Method, r.URL, diff)
	}
}

func TestBodies_HaveALimit(t *testing.T) {
	small := func(c *Config, _ *middlewares.Env) { c.MaxBodyBytes = 10 }
	h, _ := build(t, `function on_request(request) request:body() end`, nil, small)
	for body, want := range map[string]int{"0123456789": 200, "0123456789a": 413} {
		if w, rec := ask(t, h, "POST", "/", body); w.Code != want || want == 413 && rec.Cause != "lua: the body is longer than maxBodyBytes" {
			t.Errorf("%q: got %d, %s", body, w.Code, rec.Cause)
		}
	}
	h, _ = build(t, `function on_body(request, response) response:set_body(response:body():upper()) end`, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Secret", "1")
		_, _ = io.Copy(w, r.Body)
	}), small)
	for body, want := range map[string]string{"abcdefghij": "200 ABCDEFGHIJ ", "abcdefghijk": "502 Bad Gateway "} {
		w, _ := ask(t, h, "POST", "/", body)
		if got := fmt.Sprintf("%d %s %s", w.Code, w.Body, w.Header().Get("X-Secret")); got != want && got != want+"1" || w.Code == 502 && w.Header().Get("X-Secret") != "" {
			t.Errorf("%q: got %q", body, got)
		}
	}
}

func TestResponses_ThatStreamPass(t *testing.T) {
	h, _ := build(t, `function on_body(request, response) response:set_body("no") end function on_response(request, response) response.headers:set("X-Seen", "1") end`,
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: 1\n\n")
		}))
	if w, _ := ask(t, h, "GET", "/", ""); w.Body.String() != "data: 1\n\n" || w.Header().Get("X-Seen") != "1" {
		t.Errorf("got %q, %v", w.Body, w.Header())
	}
}

func TestErrors_InTheResponseTakeItsPlace(t *testing.T) {
	for name, script := range map[string]string{
		"head": `function on_response(request, response) error("head") end`,
		"body": `function on_body(request, response) response.headers:set("X-Half", "1") error("body") end`,
		"loop": `function on_response(request, response) while true do end end`,
	} {
		var failed error
		h, kept := build(t, script, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Secret", "1")
			for range 10 {
				if _, err := io.WriteString(w, "secret"); err != nil {
					failed = err
				}
			}
		}))
		w := httptest.NewRecorder()
		w.Header().Set("X-Before", "1")
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
		if w.Code != 500 || w.Body.String() != "Internal Server Error" || w.Header().Get("X-Secret")+w.Header().Get("X-Half") != "" || w.Header().Get("X-Before") != "1" {
			t.Errorf("%s: got %d %q with %v", name, w.Code, w.Body, w.Header())
		}
		if kept.ScriptErrors() != 1 || name != "body" && failed == nil {
			t.Errorf("%s: %d errors, the service was told %v", name, kept.ScriptErrors(), failed)
		}
	}
}

func TestErrors_OfTheLogHarmNobody(t *testing.T) {
	h, kept := build(t, `function on_log(request, response) error("log") end`, nil)
	if w, rec := ask(t, h, "GET", "/", ""); w.Code != 200 || w.Body.String() != "ok" || rec.Cause != "" || kept.ScriptErrors() != 1 {
		t.Errorf("got %d %q, cause %q, %d errors", w.Code, w.Body, rec.Cause, kept.ScriptErrors())
	}
}

func TestClients_WhoHaveGoneAreNoErrors(t *testing.T) {
	h, kept := build(t, `function on_request() while true do end end`, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/", nil))
	if kept.ScriptErrors() != 0 {
		t.Errorf("%d errors: %s", kept.ScriptErrors(), kept.Trouble())
	}
}

func TestCalls_ReachTheServicesThatAreNamed(t *testing.T) {
	var seen *http.Request
	services := func(c *Config, env *middlewares.Env) {
		c.Services, c.MaxBodyBytes = []string{"good", "long", "broken", "away"}, 100
		env.Service = func(name string) (http.Handler, error) {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen = r
				switch name {
				case "good":
					w.Header().Set("X-A", "1")
					w.WriteHeader(201)
					_, _ = io.Copy(w, r.Body)
				case "long":
					_, _ = io.WriteString(w, strings.Repeat("x", 101))
				case "broken":
					panic(http.ErrAbortHandler)
				case "away":
					middlewares.Refuse(w, r, 502, "nobody is there")
				}
			}), nil
		}
	}
	const posted = `local a = call("good", {method = "POST", path = "/x?y=1", body = "hello", headers = {["X-B"] = "2"}}) respond(200, a.status .. a.body .. a.headers["x-a"])`
	for script, want := range map[string]string{
		posted: "201hello1",
		`local a, why = call("long") respond(200, tostring(a) .. " " .. why)`:   "nil the answer is longer than maxBodyBytes",
		`local a, why = call("broken") respond(200, tostring(a) .. " " .. why)`: "nil the answer was broken off",
		`local a, why = call("away") respond(200, tostring(a) .. " " .. why)`:   "nil no server has answered",
		`for i = 1, 17 do call("good") end`:                                     "Internal Server Error",
	} {
		h, _ := build(t, `function on_request(request) `+script+` end`, nil, services)
		r := httptest.NewRequestWithContext(record.With(t.Context(), &record.Record{User: "ann"}), "GET", "http://a.test/", nil)
		r.Header = http.Header{"X-Forwarded-For": {"192.0.2.1"}, "Cookie": {"secret=1"}, "Authorization": {"Basic x"}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Body.String() != want {
			t.Errorf("%s: got %q, want %q", script, w.Body, want)
		}
		if seen.Host != "a.test" || seen.Header.Get("X-Forwarded-For") != "192.0.2.1" || seen.Header.Get("Cookie")+seen.Header.Get("Authorization") != "" || record.From(seen.Context()).User != "ann" {
			t.Errorf("%s: the service gets %v", script, seen.Header)
		}
	}
	seen = nil
	h, _ := build(t, `function on_request(request) call("good", {method = "GET /admin HTTP/1.1\r\nHost: b\r\n\r\nGET"}) end`, nil, services)
	_, rec := ask(t, h, "GET", "/", "")
	if want := `lua: script:1: call: method: "GET /admin HTTP/1.1\r\nHost: b\r\n\r\nGET" is none`; rec.Cause != want || seen != nil {
		t.Errorf("a method with a request in it: got %q, want %q; the service gets %v", rec.Cause, want, seen)
	}
	c := &Config{Script: "function on_request() end", Services: []string{"none"}}
	c.SetDefaults()
	env := middlewarestest.Env("edge")
	env.Service = func(name string) (http.Handler, error) { return nil, errors.New("there is no service " + name) }
	if _, err := c.New(t.Context(), env, nil); err == nil || err.Error() != "services: there is no service none" {
		t.Errorf("got %v", err)
	}
}

// TestFile_IsReadAgain has a script that changes while requests come.
func TestFile_IsReadAgain(t *testing.T) {
	name := filepath.Join(t.TempDir(), "edge.lua")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`function on_request() respond(200, "first") end`)
	h, kept := build(t, "", nil, func(c *Config, _ *middlewares.Env) { c.File = name })
	await := func(want string, trouble string) {
		t.Helper()
		for t.Context().Err() == nil {
			w, _ := ask(t, h, "GET", "/", "")
			if w.Body.String() == want && strings.Contains(kept.Trouble(), trouble) && (trouble != "" || kept.Trouble() == "") {
				return
			}
		}
	}
	await("first", "")
	write("\nfunction on_request( respond(200, 'second') end")
	await("first", `the changed file is not usable, and what it said before goes on: line 2, near "(": syntax error`)
	write(`function on_response(request, response) response.headers:set("X-A", "third, longer") end`)
	await("ok", "")
	c := &Config{File: name + ".none"}
	c.SetDefaults()
	if _, err := c.New(t.Context(), middlewarestest.Env("edge"), nil); err == nil || !strings.HasPrefix(err.Error(), "file: ") {
		t.Errorf("got %v", err)
	}
}

// TestRequests_AtTheSameTimeDoNotMeet sends many, whose scripts keep something in globals.
func TestRequests_AtTheSameTimeDoNotMeet(t *testing.T) {
	h, _ := build(t, `
		function on_request(request) mine = request.path for i = 1, 100 do mine = mine:sub(1, 1) .. mine:sub(2) end end
		function on_response(request, response) response.headers:set("X-Mine", mine) end`, nil)
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			path := fmt.Sprintf("/%d", n)
			for range 50 {
				if w, _ := ask(t, h, "GET", path, ""); w.Header().Get("X-Mine") != path {
					t.Errorf("%s got %q", path, w.Header().Get("X-Mine"))
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkHeaders is what a request costs whose script looks at one header, and sets two.
func BenchmarkHeaders(b *testing.B) {
	c := &Config{Script: `function on_request(request)
		request.headers:set("X-Edge", "fairway-" .. (request.headers:get("X-Id") or "none"))
		request.headers:set("X-Version", "2")
	end`}
	c.SetDefaults()
	h, err := c.New(b.Context(), middlewarestest.Env("edge"), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequestWithContext(b.Context(), "GET", "/", nil)
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}
