package authorizer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fairway/internal/consumers"
	"fairway/internal/decode"
	"fairway/internal/lambdatest"
	"fairway/internal/record"
	"fairway/internal/secret"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

func build(tb testing.TB, env middlewares.Env, text string) http.Handler {
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
	h, err := c.New(tb.Context(), env, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get("X-User")) }))
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

func ask(h http.Handler, method, uri string, header ...string) (*httptest.ResponseRecorder, *record.Record) {
	rec := &record.Record{}
	r := httptest.NewRequest(method, uri, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
	return w, rec
}

// TestAuthorizer_OfARealRuntime has functions decide that were made with aws-lambda-go.
func TestAuthorizer_OfARealRuntime(t *testing.T) {
	rt := lambdatest.Start(t, 1)
	const bearer = "Authorization"
	for _, tt := range []struct {
		config, method, uri string
		header              []string
		status              int
		said, cause         string
	}{
		{"", "GET", "/a", []string{bearer, "Bearer ann"}, 200, "ann", ""},
		{"", "GET", "/a", []string{bearer, "Bearer bob"}, 403, "", "it is not allowed to this client"},
		{"", "GET", "/a", []string{bearer, "Bearer broken"}, 500, "", "the book of names is lost"},
		{"payloadVersion: '1.0', ", "POST", "/a%20b/c", []string{"X-User", "ann"}, 200, "ann", ""},
		{"payloadVersion: '1.0', ", "GET", "/a", []string{"X-User", "bob"}, 403, "", "it is not allowed to bob"},
		{"payloadVersion: '1.0', ", "GET", "/a", []string{"X-User", "unknown"}, 401, "", "does not know who it is"},
		{"type: token, ", "GET", "/a", []string{bearer, "Bearer ann"}, 200, "ann", ""},
		{"type: token, ", "POST", "/a", []string{bearer, "Bearer ann"}, 403, "", "it is not allowed to ann"},
		{"type: token, ", "GET", "/gates/north", []string{bearer, "Bearer ann"}, 403, "", "it is not allowed to ann"},
		{"type: token, ", "GET", "/g%61tes/north", []string{bearer, "Bearer ann"}, 403, "", "it is not allowed to ann"},
		{"type: token, ", "GET", "/a", []string{bearer, "Bearer unknown"}, 401, "", "does not know who it is"},
		{"type: token, ", "GET", "/a", nil, 401, "", "there is no header Authorization"},
	} {
		t.Run(tt.config+tt.method+tt.uri+strings.Join(tt.header, "="), func(t *testing.T) {
			h := build(t, middlewarestest.Env("guard"), "{"+tt.config+"forwardHeaders: {X-User: user}, function: {endpoint: '"+rt.URL+"'}}")
			w, rec := ask(h, tt.method, tt.uri, tt.header...)
			if w.Code != tt.status || tt.status == 200 && w.Body.String() != tt.said || !strings.Contains(rec.Cause, tt.cause) || (rec.Auth == record.Passed) != (tt.status == 200) {
				t.Errorf("got %d %q %+v", w.Code, w.Body, rec)
			}
			if tt.status != 200 {
				return
			}
			if who := rec.Identity; who == nil || who.Method != "authorizer" || who.Claims["user"] != "ann" || who.Claims["level"] != json.Number("3") {
				t.Errorf("got %+v", who)
			}
		})
	}
}

// guard is an authorizer by HTTP that counts its questions.
func guard(t *testing.T, answer func(q map[string]any) string) (at string, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		var q map[string]any
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, answer(q))
	}))
	t.Cleanup(server.Close)
	return "url: '" + server.URL + "'", asked
}

// sources are the identity sources of a question.
func sources(q map[string]any) string { return fmt.Sprint(q["identitySource"]) }

func TestCache_IsByIdentity(t *testing.T) {
	at, asked := guard(t, func(q map[string]any) string {
		return fmt.Sprintf(`{"isAuthorized": %t}`, strings.Contains(sources(q), "ann"))
	})
	const from = "identitySources: ['$request.header.X-Key', 'query:who', 'cookie:c'], "
	for _, tt := range []struct {
		name, config string
		want         []int // statuses
		questions    int64
	}{
		{"kept, yes and no", from, []int{200, 200, 200, 403, 403}, 2},
		{"by route", from + "cacheByRoute: true, ", []int{200, 200, 200, 403, 403}, 3},
		{"never", from + "cacheTTL: 0s, ", []int{200, 200, 200, 403, 403}, 5},
		{"no room", from + "maxEntries: 1, ", []int{200, 200, 200, 403, 403}, 2},
		{"without an identity", "", []int{403, 403, 403, 403, 403}, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked.Store(0)
			h := build(t, middlewarestest.Env("guard"), "{"+tt.config+at+"}")
			var got []int
			for _, to := range []string{"/a?who=ann", "/a?who=ann", "/b?who=ann", "/b?who=bob", "/b?who=bob"} {
				w, _ := ask(h, "GET", to, "X-Key", "1", "Cookie", "c=2")
				got = append(got, w.Code)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || asked.Load() != tt.questions {
				t.Errorf("asked %d times, -want +got:\n%s", asked.Load(), diff)
			}
		})
	}
	h := build(t, middlewarestest.Env("guard"), "{"+from+at+"}")
	for _, header := range [][]string{{"X-Key", "1"}, {"Cookie", "c=2"}, {"X-Key", strings.Repeat("x", longestIdentity+1), "Cookie", "c=2"}} {
		asked.Store(0)
		if w, rec := ask(h, "GET", "/?who=ann", header...); w.Code != 401 || asked.Load() != 0 || rec.Hidden[0] != "who" {
			t.Errorf("got %d, asked %d times, %+v", w.Code, asked.Load(), rec)
		}
	}
}

func TestCache_ReadsPoliciesAnew(t *testing.T) {
	at, asked := guard(t, func(q map[string]any) string {
		return fmt.Sprintf(`{"principalId": "ann", "policyDocument": {"Statement": {"Effect": "Allow", "Action": "*", "Resource": %q}}}`, q["methodArn"])
	})
	for config, want := range map[string]int{"": 403, "cacheByRoute: true, ": 200} {
		h := build(t, middlewarestest.Env("guard"), "{type: token, "+config+at+"}")
		asked.Store(0)
		first, _ := ask(h, "GET", "/a", "Authorization", "x")
		second, _ := ask(h, "GET", "/b", "Authorization", "x")
		if first.Code != 200 || second.Code != want {
			t.Errorf("%s: got %d and %d after %d questions", config, first.Code, second.Code, asked.Load())
		}
	}
}

func TestCache_KeepsNoFailures(t *testing.T) {
	var broken atomic.Bool
	broken.Store(true)
	at, _ := guard(t, func(map[string]any) string {
		if broken.Load() {
			return "oh"
		}
		return `{"isAuthorized": true}`
	})
	env := middlewarestest.Env("guard")
	var kept any
	env.Keep = func(fresh func() any) any {
		if kept == nil {
			kept = fresh()
		}
		return kept
	}
	h := build(t, env, "{type: token, "+at+"}")
	if w, _ := ask(h, "GET", "/", "Authorization", "x"); w.Code != 500 {
		t.Errorf("got %d", w.Code)
	}
	broken.Store(false)
	if w, _ := ask(h, "GET", "/", "Authorization", "x"); w.Code != 200 {
		t.Errorf("got %d", w.Code)
	}
	broken.Store(true)
	again := build(t, env, "{type: token, "+at+"}") // after a reload
	if w, _ := ask(again, "GET", "/", "Authorization", "x"); w.Code != 200 {
		t.Errorf("after a reload: got %d", w.Code)
	}
	other := build(t, env, "{type: token, stage: other, "+at+"}")
	if w, _ := ask(other, "GET", "/", "Authorization", "x"); w.Code != 500 {
		t.Errorf("with other options: got %d", w.Code)
	}
}

func TestQuestion_IsAskedOnceForAllWhoWait(t *testing.T) {
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	at, asked := guard(t, func(map[string]any) string {
		arrived <- struct{}{}
		<-release
		return `{"isAuthorized": true}`
	})
	h := build(t, middlewarestest.Env("guard"), "{type: token, "+at+"}")
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan int)
	go func() {
		r := httptest.NewRequest("GET", "/", nil).WithContext(ctx)
		r.Header.Set("Authorization", "x")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		gone <- w.Code
	}()
	<-arrived
	var waiting sync.WaitGroup
	for range 5 {
		waiting.Go(func() {
			if w, _ := ask(h, "GET", "/", "Authorization", "x"); w.Code != 200 {
				t.Errorf("got %d", w.Code)
			}
		})
	}
	cancel() // who asked first goes away
	if status := <-gone; status != 499 {
		t.Errorf("got %d", status)
	}
	close(release)
	waiting.Wait()
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

func TestTimeout_LetsNobodyIn(t *testing.T) {
	release := make(chan struct{})
	at, _ := guard(t, func(map[string]any) string { <-release; return `{"isAuthorized": true}` })
	defer close(release)
	h := build(t, middlewarestest.Env("guard"), "{timeout: 10ms, "+at+"}")
	if w, rec := ask(h, "GET", "/"); w.Code != 500 || !strings.Contains(rec.Cause, "deadline exceeded") {
		t.Errorf("got %d, %q", w.Code, rec.Cause)
	}
}

func TestUsageIdentifierKey_NamesAConsumer(t *testing.T) {
	env := middlewarestest.Env("guard")
	env.Consumers.Store(consumers.New(map[string]*consumers.Config{"shop@file": {APIKeys: []secret.String{"sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"}, Groups: []string{"paying"}}}, func(name string, err error) { t.Error(name, err) }))
	at, _ := guard(t, func(map[string]any) string {
		return `{"principalId": "ann", "usageIdentifierKey": "secret", "policyDocument": {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}}`
	})
	_, rec := ask(build(t, env, "{type: token, "+at+"}"), "GET", "/", "Authorization", "x")
	if who := rec.Identity; who == nil || who.Consumer == nil || who.Consumer.Name != "shop@file" || !who.InAny([]string{"paying"}) || who.Subject != "ann" {
		t.Errorf("got %+v", who)
	}
}

func TestQuestion_HasPathAndVariables(t *testing.T) {
	var got map[string]any
	at, _ := guard(t, func(q map[string]any) string { got = q; return `{"isAuthorized": true}` })
	h := build(t, middlewarestest.Env("guard"), "{path: '/pets/{id}', stage: live, stageVariables: {lang: de}, apiID: shop, accountID: '123456789012', region: eu-central-1, "+at+"}")
	ask(h, "GET", "/pets/7?a=b")
	for name, want := range map[string]any{
		"routeArn": "arn:aws:execute-api:eu-central-1:123456789012:shop/live/GET/pets/7", "routeKey": "GET /pets/{id}", "type": "REQUEST",
		"pathParameters": map[string]any{"id": "7"}, "stageVariables": map[string]any{"lang": "de"}, "identitySource": []any{},
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
	if _, has := got["body"]; has {
		t.Error("there is a body")
	}
}

func TestQuestions_AreBounded(t *testing.T) {
	at, asked := guard(t, func(map[string]any) string { return `{"isAuthorized": true}` })
	h := build(t, middlewarestest.Env("guard"), "{type: token, "+at+"}")
	under := &h.(*handler).asker.under
	under.Store(mostAsked)
	if w, rec := ask(h, "GET", "/", "Authorization", "x"); w.Code != 500 || !strings.Contains(rec.Cause, "512 questions are under way") || asked.Load() != 0 {
		t.Errorf("got %d, %q", w.Code, rec.Cause)
	}
	under.Store(0)
	if w, _ := ask(h, "GET", "/", "Authorization", "x"); w.Code != 200 || under.Load() != 0 {
		t.Errorf("got %d, %d are under way", w.Code, under.Load())
	}
}
