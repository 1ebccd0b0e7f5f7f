package aggregate

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"gopkg.in/yaml.v3"

	"fairway/internal/decode"
	"fairway/internal/giveup"
	"fairway/internal/identity"
	"fairway/internal/jq"
	"fairway/internal/record"
	"fairway/internal/texts"
	"fairway/proxy"
)

// child is a service that a function answers for.
type child struct{ http.HandlerFunc }

func (child) Up() bool                      { return true }
func (child) Servers() []proxy.ServerStatus { return nil }

// services are those of a shop.
type services map[string]http.HandlerFunc

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func status(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, text)
	}
}

// echoes answers with what it was asked.
func echoes(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_ = json.NewEncoder(w).Encode(map[string]any{"uri": r.Method + " " + r.URL.RequestURI(), "headers": r.Header, "body": string(body)})
}

func hangs(w http.ResponseWriter, r *http.Request) {
	<-r.Context().Done()
	if reason := giveup.Reason(r.Context()); reason != nil {
		record.From(r.Context()).Fail(reason.Error())
		w.WriteHeader(http.StatusGatewayTimeout)
	}
}

func parse(tb testing.TB, text string) *Config {
	tb.Helper()
	tree, err := decode.Document([]byte(text), ".yml")
	if err != nil {
		tb.Fatal(err)
	}
	c := &Config{}
	c.SetDefaults()
	if faults := tree.Into(c, nil); len(faults) > 0 {
		tb.Fatal(faults)
	}
	return c
}

func build(tb testing.TB, text string, all services) (proxy.Service, error) {
	tb.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	return parse(tb, text).New(tb.Context(), proxy.Env{Name: "page@file", Log: log, Warn: func(reason error) { tb.Log(reason) }, Service: func(name string) (proxy.Child, error) {
		if h := all[name]; h != nil {
			return child{h}, nil
		}
		return nil, fmt.Errorf("the service %q does not exist", name)
	}})
}

func mustBuild(tb testing.TB, text string, all services) proxy.Service {
	tb.Helper()
	s, err := build(tb, text, all)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func get(h http.Handler, target string, change func(*http.Request)) (*httptest.ResponseRecorder, *record.Record) {
	rec := &record.Record{}
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r = r.WithContext(record.With(r.Context(), rec))
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w, rec
}

// same compares JSON.
func same(t *testing.T, got, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(got), &a); err != nil {
		t.Fatalf("got %q: %v", got, err)
	}
	if err := yaml.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(b)
	_ = json.Unmarshal(text, &b)
	if diff := cmp.Diff(b, a); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

var shop = services{
	"users":   says(`{"id": 12345678901234567890, "name": "Ann", "address": {"city": "Ulm"}}`),
	"orders":  says(`{"items": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}, {"sku": "a", "n": 3}], "total": 1.50}`),
	"nothing": status(204, ""),
	"broken":  status(503, "down"),
	"missing": status(404, "no such thing"),
	"barred":  status(401, ""),
	"text":    says("just text"),
	"bytes":   says("\xff\x00"),
	"deep":    says(strings.Repeat("[", 100) + strings.Repeat("]", 100)),
	"huge":    says(`"` + strings.Repeat("x", 5<<20) + `"`),
	"wrong":   says(`{"a": `),
	"hangs":   hangs,
	"echo":    echoes,
	"cut": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"a`)
		panic(http.ErrAbortHandler)
	},
	"items": func(w http.ResponseWriter, r *http.Request) {
		sku := r.URL.Query().Get("sku")
		if sku == "bad" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"sku": sku, "title": "Item " + sku})
	},
	"batch": func(w http.ResponseWriter, r *http.Request) {
		var all []map[string]string
		skus := strings.Split(r.URL.Query().Get("skus"), ",")
		for i := range skus { // in another order
			sku := skus[len(skus)-1-i]
			all = append(all, map[string]string{"sku": sku, "title": "Item " + sku})
		}
		_ = json.NewEncoder(w).Encode(all)
	},
}

func TestAggregate_Answers(t *testing.T) {
	for _, tt := range []struct{ name, config, url, want, partial string }{
		{
			"side by side", `parts: {user: {service: users}, orders: {service: orders, pick: .total}}`, "/",
			`{user: {id: 12345678901234567890, name: Ann, address: {city: Ulm}}, orders: 1.5}`, "",
		},
		{"at targets", `parts: {user: {service: users, pick: .name, target: head.user}, orders: {service: orders, pick: .total, target: head.sum}}`, "/", `{head: {user: Ann, sum: 1.5}}`, ""},
		{"among the others", `parts: {user: {service: users, pick: 'del(.id)', target: .}, orders: {service: orders, pick: '{total}', target: .}}`, "/", `{name: Ann, address: {city: Ulm}, total: 1.5}`, ""},
		{"a list", `{merge: array, parts: {b: {service: users, pick: .name}, a: {service: orders, pick: .total}}}`, "/", `[1.5, Ann]`, ""},
		{
			"by an expression", `{result: '{who: .parts.user.name, page: .request.query.page, id: .request.path.id, gone: [.partial[].part]}', path: '/u/{id}', parts: {user: {service: users}, broken: {service: broken, required: false}}}`,
			"/u/7%2F8?page=2", `{who: Ann, page: "2", id: 7/8, gone: [broken]}`, `broken;status=503;cause="status";ms=0`,
		},
		{
			"what has failed is said", `parts: {user: {service: users, pick: .name}, stars: {service: broken, required: false, fallback: '[]'}, more: {service: missing, required: false}}`, "/",
			`{user: Ann, stars: [], partial: [{part: more, status: 404, cause: status, ms: 0}, {part: stars, status: 503, cause: status, ms: 0}]}`, `more;status=404;cause="status";ms=0`,
		},
		{"which can be left out", `{partialField: '', parts: {user: {service: users, pick: .name}, stars: {service: broken, required: false}}}`, "/", `{user: Ann}`, `stars;status=503;cause="status";ms=0`},
		{
			"without a service", `parts: {user: {service: users, pick: .name}, stars: {service: gone, required: false, fallback: '[]'}}`, "/",
			`{user: Ann, stars: [], partial: [{part: stars, cause: its service does not exist, ms: 0}]}`, `stars;cause="its service does not exist";ms=0`,
		},
		{"no content", `parts: {a: {service: nothing}}`, "/", `{a: null}`, ""},
		{"another status is fine", `parts: {a: {service: missing, status: [404], as: text}}`, "/", `{a: no such thing}`, ""},
		{"text and bytes", `parts: {a: {service: text, as: text}, b: {service: bytes, as: base64}}`, "/", `{a: just text, b: /wA=}`, ""},
		{
			"for each item", `parts: {orders: {service: orders, pick: .items}, items: {service: items, query: {sku: '{item.sku}'}, pick: .title, each: {of: '.parts.orders'}}}`, "/",
			`{orders: [{sku: a, n: 1}, {sku: b, n: 2}, {sku: a, n: 3}], items: [Item a, Item b, Item a]}`, "",
		},
		{
			"some of each fail", `parts: {items: {service: items, query: {sku: '{item}'}, pick: .title, required: false, fallback: '"?"', each: {of: '["a", "bad", "b"]'}}}`, "/",
			`{items: [Item a, '?', Item b], partial: [{part: items, status: 500, cause: status, ms: 0, items: 1}]}`, `items;status=500;cause="status";ms=0`,
		},
		{
			"in batches", `parts: {items: {service: batch, query: {skus: '{items}'}, each: {of: '["a", "b", "c"]', batch: 2, by: sku}}}`, "/",
			`{items: [{sku: a, title: Item a}, {sku: b, title: Item b}, {sku: c, title: Item c}]}`, "",
		},
		{"each of nothing", `parts: {items: {service: items, each: {of: 'null'}}}`, "/", `{items: []}`, ""},
		{
			"what is between fails", `parts: {a: {service: broken, required: false}, b: {service: echo, query: {x: '{parts.a.x}'}, required: false, fallback: '1'}}`, "/",
			`{b: 1, partial: [{part: a, status: 503, cause: status, ms: 0}, {part: b, cause: 'it needs a, which has failed', ms: 0}]}`, `a;status=503;cause="status";ms=0`,
		},
		{"last", `{collision: last, parts: {a: {service: users, pick: '{x: 1}', target: .}, b: {service: users, pick: '{x: 2}', target: .}}}`, "/", `{x: 2}`, ""},
		{"first", `{collision: first, parts: {a: {service: users, pick: '{x: 1}', target: .}, b: {service: users, pick: '{x: 2}', target: .}}}`, "/", `{x: 1}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, rec := get(mustBuild(t, tt.config, shop), tt.url, nil)
				if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" || rec.Leaf != "page@file" {
					t.Fatalf("got %d %v %s", w.Code, w.Header(), w.Body)
				}
				same(t, w.Body.String(), tt.want)
				if got := w.Header().Get(partialHeader); got != tt.partial || (w.Header().Get("Cache-Control") == "no-store") != (tt.partial != "") {
					t.Errorf("got %s, %s", got, w.Header().Get("Cache-Control"))
				}
			})
		})
	}
}

func TestAggregate_KeepsLongNumbers(t *testing.T) {
	w, _ := get(mustBuild(t, `parts: {id: {service: users, pick: .id}}`, shop), "/", nil)
	if got := strings.TrimSpace(w.Body.String()); got != `{"id":12345678901234567890}` {
		t.Errorf("got %s", got)
	}
}

func TestAggregate_ARequiredPartThatFails(t *testing.T) {
	for _, tt := range []struct {
		part   string
		status int
		detail string
	}{
		{"{service: broken}", 502, "the part a has failed: status 503"},
		{"{service: missing}", 404, "the part a has failed: status 404"},
		{"{service: barred}", 401, "the part a has failed: status 401"},
		{"{service: hangs}", 504, "the part a has failed: timeout"},
		{"{service: huge}", 502, "the part a has failed: the answer is too long"},
		{"{service: deep}", 502, "the part a has failed: the answer: it is nested deeper than 64"},
		{"{service: wrong}", 502, "the part a has failed: the answer: it is no JSON"},
		{"{service: text}", 502, "the part a has failed: the answer: it is no JSON"},
		{"{service: bytes, as: text}", 502, "the part a has failed: the answer is no text in UTF-8"},
		{"{service: cut}", 502, "the part a has failed: the answer was broken off"},
		{"{service: users, pick: .name.x}", 502, "the part a has failed: pick does not fit the answer"},
		{"{service: echo, path: '/{query.id}'}", 502, "the part a has failed: path: there is no query.id"},
		{"{service: items, each: {of: '\"x\"'}}", 502, "the part a has failed: each.of is no list"},
		{"{service: items, each: {of: '[range(300)]'}}", 502, "the part a has failed: each.of has 300 items, and 200 are the most"},
		{"{service: items, query: {sku: '{item}'}, each: {of: '[\"a\", \"bad\"]'}}", 502, "the part a has failed: status 500"},
		{"{service: users, target: .}, b: {service: users, target: .}", 502, "the answers cannot be put together"},
	} {
		t.Run(tt.part, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, rec := get(mustBuild(t, "parts: {other: {service: users, target: other}, a: "+tt.part+"}", shop), "/", nil)
				var p problem
				if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
					t.Fatal(err)
				}
				if w.Code != tt.status || p.Status != tt.status || p.Detail != tt.detail || w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(rec.Cause, tt.detail) {
					t.Errorf("got %d %+v, %v, %q", w.Code, p, w.Header(), rec.Cause)
				}
				if tt.status == 401 && w.Header().Get("Retry-After") != "7" {
					t.Errorf("what the client needs is lost: %v", w.Header())
				}
			})
		})
	}
}

func TestBuild_Mistakes(t *testing.T) {
	for _, tt := range []struct{ config, want string }{
		{"parts: {}", "parts: there are none"},
		{"parts: {a: {}}", "parts.a.service: has no name"},
		{"parts: {a: {service: nobody}}", `parts.a.service: the service "nobody" does not exist`},
		{"parts: {'a b': {service: users}}", "parts.a b.name: has something else"},
		{"parts: {a: {service: users, path: 'x'}}", `parts.a.path: "x" does not begin with a slash`},
		{"parts: {a: {service: users, path: '/{x.y}'}}", `parts.a.path: at offset 1: {x.y}: there is no "x"`},
		{"parts: {a: {service: users, path: '/{query}'}}", "of query a name is wanted"},
		{"parts: {a: {service: users, path: '/{query.a'}}", "the brace is not closed"},
		{"parts: {a: {service: users, pick: '.a ['}}", "parts.a.pick: at offset"},
		{"parts: {a: {service: users, pick: 'nosuch(1)'}}", "parts.a.pick: function not defined: nosuch/1"},
		{"parts: {user: {service: users}, b: {service: users, query: {x: '{parts.usr.id}'}}}", `parts.b: there is no part "usr"; did you mean "user"?`},
		{"parts: {a: {service: users, query: {x: '{parts.b.id}'}}, b: {service: users, body: '{x: .parts.a.id}'}}", "parts: they need each other: a > b > a"},
		{"parts: {a: {service: users, each: {of: '.parts'}}}", "an expression names .parts as a whole"},
		{"parts: {a: {service: users, target: x}, b: {service: users, target: x.y}}", `parts.a and parts.b: both are at "x"`},
		{"{result: .parts.b, parts: {a: {service: users}}}", `result: there is no part "b"`},
		{"{merge: list, parts: {a: {service: users}}}", `merge: "list" is neither object nor array`},
		{"{collision: any, parts: {a: {service: users}}}", `collision: "any" is none of`},
		{"{stream: xml, parts: {a: {service: users}}}", `stream: "xml" is neither`},
		{"{path: '/a/{b}/{b}', parts: {a: {service: users}}}", "path: "},
		{"{path: '/a{b}', parts: {a: {service: users}}}", "braces go around a whole segment"},
		{"parts: {a: {service: users, fallback: '{'}}", "parts.a.fallback: is no JSON"},
		{"parts: {a: {service: users, status: [abc]}}", "parts.a.status: "},
		{"parts: {a: {service: users, as: xml}}", `parts.a.as: "xml" is none of`},
		{"parts: {a: {service: users, each: {parallel: 2}}}", "parts.a.each.of: is required"},
		{"parts: {a: {service: users, each: {of: '[]', maxItems: 100000}}}", "each.maxItems: is not from 1 to 10000"},
		{"parts: {a: {service: users, headers: {'a b': c}}}", `parts.a.headers: "a b" is no name`},
		{"parts: {a: {service: users, retries: 9}}", "parts.a.retries: is not from 0 to 5"},
	} {
		if _, err := build(t, tt.config, shop); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.config, err, tt.want)
		}
	}
}

func TestRequest_IsMadeOfTemplates(t *testing.T) {
	s := mustBuild(t, `
path: /u/{id}/{rest...}
parts:
  a:
    service: echo
    method: post
    path: /x/{path.id}/{claims.org.id}
    query: {page: '{query.page|1}', none: '{query.none}', user: '{consumer.name}'}
    headers: {X-Id: 'u-{header.X-Id}', Accept-Language: ''}
    body: '{id: .request.path.id, rest: .request.path.rest, who: .claims.sub, sent: .request.body.a}'
`, shop)
	w, _ := get(s, "/u/a%2Fb%20c/d/e?x=1", func(r *http.Request) {
		r.Header = http.Header{"X-Id": {"1\r\nX-Evil: 1"}, "Accept-Language": {"de"}, "Authorization": {"Bearer t"}, "Cookie": {"a=b"}, "X-Forwarded-Host": {"shop.test"}, "Traceparent": {"00-x"}, "Accept-Encoding": {"gzip"}}
		r.Body = io.NopCloser(strings.NewReader(`{"a": [1]}`))
		record.From(r.Context()).Identity = &identity.Identity{Claims: map[string]any{"sub": "ann", "org": map[string]any{"id": json.Number("7")}}, Consumer: &identity.Consumer{Name: "ann@file"}}
	})
	same(t, w.Body.String(), `{a: {uri: 'POST /x/a%2Fb%20c/7?page=1&user=ann%40file', body: '{"id":"a/b c","rest":"d/e","sent":[1],"who":"ann"}',
		headers: {Authorization: [Bearer t], Content-Type: [application/json], Traceparent: [00-x], X-Forwarded-Host: [shop.test], X-Id: ['u-1  X-Evil: 1']}}}`)
}

func TestRequest_OfAnotherPathOrWithABadBody(t *testing.T) {
	s := mustBuild(t, "{path: '/u/{id}', parts: {a: {service: users}, b: {service: echo, method: POST, body: .request.body}}}", shop)
	for path, want := range map[string]int{"/u/1": 200, "/u/": 404, "/u": 404, "/u/1/2": 404, "/x/1": 404} {
		if w, _ := get(s, path, nil); w.Code != want {
			t.Errorf("%s: got %d, want %d", path, w.Code, want)
		}
	}
	for body, want := range map[string]int{"{": 400, "[1]": 200, "": 200, `"` + strings.Repeat("x", 5<<20) + `"`: 413} {
		if w, _ := get(s, "/u/1", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(body)) }); w.Code != want {
			t.Errorf("%.20s: got %d, want %d", body, w.Code, want)
		}
	}
}

// Nobody looks at a body that no expression is about, and a mistake in a part does not end the program.
func TestParts_OfAnyBodyAndWithAMistake(t *testing.T) {
	all := services{"users": shop["users"], "wrong": func(http.ResponseWriter, *http.Request) { panic("a mistake") }}
	s := mustBuild(t, "parts: {a: {service: users, pick: .name}, b: {service: wrong, required: false}}", all)
	w, _ := get(s, "/", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("no JSON")) })
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"cause":"the answer was broken off"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// A value cannot lead out of the place that the operator has given it.
func TestRequest_AValueStaysInItsPlace(t *testing.T) {
	s := mustBuild(t, "{path: '/u/{id}', parts: {a: {service: echo, path: '/users/{path.id}/public', query: {q: '{query.q}'}, pick: .uri}}}", shop)
	for given, want := range map[string]string{
		"/u/..%2F..%2Fadmin": "GET /users/..%2F..%2Fadmin/public",
		"/u/%2E%2E":          "GET /users/%2E%2E/public",
		"/u/a?q=1%262":       "GET /users/a/public?q=1%262",
		"/u/a%3Fx=1":         "GET /users/a%3Fx=1/public",
	} {
		w, _ := get(s, given, nil)
		same(t, w.Body.String(), fmt.Sprintf("{a: %q}", want))
	}
}

func TestParts_RunTogetherUnlessOneNeedsTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(d time.Duration, text string) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(d) // on the clock of the bubble
				_, _ = io.WriteString(w, text)
			}
		}
		s := mustBuild(t, `parts: {a: {service: a}, b: {service: b}, c: {service: c, query: {x: '{parts.a.x}'}}}`, services{"a": slow(time.Second, `{"x": 1}`), "b": slow(3*time.Second, "2"), "c": slow(time.Second, "3")})
		began := time.Now()
		w, _ := get(s, "/", nil)
		if took := time.Since(began); took != 3*time.Second || w.Code != 200 {
			t.Errorf("got %d after %v", w.Code, took)
		}
	})
}

func TestTimes_OfAPartAndOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			config string
			status int
			took   time.Duration
		}{
			{"{parts: {a: {service: hangs, timeout: 2s}}}", 504, 2 * time.Second},
			{"{timeout: 1s, parts: {a: {service: hangs, timeout: 2s}}}", 504, time.Second},
			{"{parts: {a: {service: hangs, timeout: 2s, retries: 2}}}", 504, 6 * time.Second},
			{"{parts: {a: {service: hangs, timeout: 2s, required: false}, b: {service: users}}}", 200, 2 * time.Second},
			{"{parts: {a: {service: hangs, timeout: 2s}, b: {service: broken}}}", 502, 0}, // nobody waits any more
		} {
			began := time.Now()
			w, _ := get(mustBuild(t, tt.config, shop), "/", nil)
			if took := time.Since(began); w.Code != tt.status || took != tt.took {
				t.Errorf("%s: got %d after %v", tt.config, w.Code, took)
			}
		}
	})
}

func TestClient_ThatGoesAwayEndsAllParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Int64
		all := services{"a": func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			ended.Add(1)
		}}
		s := mustBuild(t, "parts: {a: {service: a}, b: {service: a}, c: {service: a, each: {of: '[1, 2, 3]'}, query: {x: '{item}'}}}", all)
		w, _ := get(s, "/", func(r *http.Request) {
			ctx, cancel := context.WithCancel(r.Context())
			time.AfterFunc(time.Second, cancel)
			*r = *r.WithContext(ctx)
		})
		if w.Code != 499 || ended.Load() != 5 {
			t.Errorf("got %d, %d were ended", w.Code, ended.Load())
		}
	})
}

func TestRetries_OnlyWhereTheyMayHelp(t *testing.T) {
	for _, tt := range []struct {
		part   string
		status int
		tries  int64
	}{{"{service: a, retries: 2}", 200, 3}, {"{service: a, retries: 1}", 502, 2}, {"{service: a, method: POST, retries: 2}", 502, 1}} {
		var n atomic.Int64
		all := services{"a": func(w http.ResponseWriter, _ *http.Request) {
			if n.Add(1) < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}}
		if w, _ := get(mustBuild(t, "parts: {a: "+tt.part+"}", all), "/", nil); w.Code != tt.status || n.Load() != tt.tries {
			t.Errorf("%s: got %d after %d tries", tt.part, w.Code, n.Load())
		}
	}
}

func TestEach_IsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at, most, n atomic.Int64
		var mu sync.Mutex
		asked := map[string]int{}
		all := services{"a": func(w http.ResponseWriter, r *http.Request) {
			n.Add(1)
			now := at.Add(1)
			defer at.Add(-1)
			mu.Lock()
			most.Store(max(most.Load(), now))
			asked[r.URL.RawQuery]++
			mu.Unlock()
			time.Sleep(time.Millisecond) // on the clock of the bubble
			_, _ = io.WriteString(w, `"`+r.URL.Query().Get("i")+`"`)
		}}
		s := mustBuild(t, "parts: {a: {service: a, query: {i: '{item}'}, each: {of: '[range(1000) % 500]', maxItems: 1000, parallel: 10}}}", all)
		w, _ := get(s, "/", nil)
		var out struct{ A []string }
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || len(out.A) != 1000 || out.A[999] != "499" || out.A[500] != "0" {
			t.Fatalf("got %d, %v, %d items", w.Code, err, len(out.A))
		}
		if n.Load() != 500 || most.Load() != 10 {
			t.Errorf("asked %d times, %d at the same time", n.Load(), most.Load())
		}
	})
}

func TestLimits_OfAllAnswersTogether(t *testing.T) {
	s := mustBuild(t, "{maxTotalBytes: 100000, parts: {a: {service: a, query: {i: '{item}'}, each: {of: '[range(100)]'}}}}", services{"a": says(`"` + strings.Repeat("x", 2000) + `"`)})
	if w, _ := get(s, "/", nil); w.Code != 502 || !strings.Contains(w.Body.String(), "the answer is too long") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestStream_SendsPartsAsTheyCome(t *testing.T) {
	release := make(chan struct{})
	all := services{"fast": says(`{"x": 1}`), "broken": status(503, ""), "slow": func(w http.ResponseWriter, _ *http.Request) {
		<-release
		_, _ = io.WriteString(w, "2")
	}}
	for stream, prefix := range map[string]string{"ndjson": "", "sse": "data: "} {
		server := httptest.NewServer(mustBuild(t, "{stream: "+stream+", parts: {a: {service: fast}, b: {service: slow}, c: {service: broken, required: false}}}", all))
		res, err := http.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(res.Body)
		next := func() (l map[string]any) {
			for lines.Scan() {
				if text, ok := strings.CutPrefix(lines.Text(), prefix); ok && text != "" {
					if err := json.Unmarshal([]byte(text), &l); err != nil {
						t.Fatal(err)
					}
					return l
				}
			}
			return nil
		}
		got := map[any]map[string]any{}
		for range 2 { // before the slow one is there
			l := next()
			got[l["part"]] = l
		}
		if got["a"]["value"] == nil || got["c"]["error"] == nil {
			t.Errorf("%s: got %v", stream, got)
		}
		release <- struct{}{}
		if l := next(); l["part"] != "b" || l["value"] != 2.0 {
			t.Errorf("%s: got %v", stream, l)
		}
		if l := next(); l["end"] != true || l["complete"] != true {
			t.Errorf("%s: got %v", stream, l)
		}
		_ = res.Body.Close()
		server.Close()
	}
}

func TestStream_TellsThatSomethingIsMissing(t *testing.T) {
	w, rec := get(mustBuild(t, "{stream: ndjson, parts: {a: {service: broken}}}", shop), "/", nil)
	if text := w.Body.String(); !strings.Contains(text, `"status":503`) || !strings.Contains(text, `{"end":true,"complete":false}`) || rec.Cause == "" {
		t.Errorf("got %s, %q", text, rec.Cause)
	}
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"/a/{path.id}", "{parts.a.b|x}", "{", "}", "{item}", "{a.}", "{|}"} {
		f.Add(seed, "value")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		template, err := sources.New(text)
		if err != nil {
			return
		}
		v := &values{facts: &facts{path: map[string]string{"id": value}, parts: map[string]any{}}, item: value}
		got, err := template.Render(v.text, texts.Segment, true)
		if err == nil && !strings.Contains(text, "/") && strings.Contains(got, "/") && !strings.Contains(text, "|") {
			t.Errorf("%q with %q is %q", text, value, got)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"a": [1, 2.5, 1e400, 123456789012345678901234567890]}`, `[[[`, `"\u0000"`, `{"a":1}{}`, `nul`, `"[[[["`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := jq.Read(text, 10)
		if err != nil {
			return
		}
		if _, err := json.Marshal(v); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		e, err := jq.Compile("[.. | numbers, strings]")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Run(t.Context(), v); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%q: %v", text, err)
		}
	})
}

func BenchmarkAggregate_FiveParts(b *testing.B) {
	s := mustBuild(b, `parts: {a: {service: users}, b: {service: orders}, c: {service: users, query: {x: '{parts.a.name}'}}, d: {service: orders, pick: .total}, e: {service: text, as: text}}`, shop)
	b.ReportAllocs()
	for b.Loop() {
		if w, _ := get(s, "/", nil); w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}
