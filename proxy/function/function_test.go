package function

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/traefik/paerser/types"

	"fairway/internal/decode"
	"fairway/internal/identity"
	"fairway/internal/lambda"
	"fairway/internal/lambdatest"
	"fairway/internal/record"
	"fairway/proxy"
)

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

func build(tb testing.TB, text string) proxy.Service {
	tb.Helper()
	s, err := parse(tb, text).New(tb.Context(), proxy.Env{Name: "shop@file"})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// serve asks the service for a request, behind a real server, and returns what is known of it.
func serve(tb testing.TB, s proxy.Service, rec *record.Record, r *http.Request) (*http.Response, string) {
	tb.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec.Peer = "192.0.2.1"
		s.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
	}))
	defer server.Close()
	out, err := http.NewRequestWithContext(r.Context(), r.Method, server.URL+r.URL.RequestURI(), r.Body)
	if err != nil {
		tb.Fatal(err)
	}
	out.Header, out.Host = r.Header, "shop.test"
	out.ContentLength = r.ContentLength
	res, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		body = append(body, "|"+err.Error()...)
	}
	return res, string(body)
}

func request(method, uri, body string, header ...string) *http.Request {
	r := httptest.NewRequest(method, uri, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// TestFunction_OfARealRuntime has functions that were made with aws-lambda-go answer.
func TestFunction_OfARealRuntime(t *testing.T) {
	rt := lambdatest.Start(t, 2)
	at := "endpoint: " + rt.URL
	t.Run("version 2.0", func(t *testing.T) {
		s := build(t, "{path: '/pets/{id}', stageVariables: {lang: de}, "+at+"}")
		rec := &record.Record{Identity: &identity.Identity{Method: lambda.Method, Claims: map[string]any{"user": "ann"}}}
		res, text := serve(t, s, rec, request("PUT", "/pets/a%2Fb?x=1&x=2", `{"n": 1}`, "Content-Type", "application/json", "Cookie", "a=1; b=2", "X-A", "1", "X-A", "2", "X-Amzn-Trace-Id", "Root=1-a-b"))
		var got struct {
			Method, Path, Body, Arn, Trace        string
			Encoded                               bool
			Query, PathParameters, Stage, Headers map[string]string
			Cookies                               []string
			Lambda                                map[string]any
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("got %d %v %s", res.StatusCode, res.Header, text)
		}
		want := got
		want.Method, want.Path, want.Body, want.Encoded = "PUT", "/pets/a%2Fb", `{"n": 1}`, false
		want.Trace, want.Arn = "Root=1-a-b", "arn:aws:lambda:eu-central-1:123456789012:function:function"
		want.Query, want.PathParameters, want.Stage = map[string]string{"x": "1,2"}, map[string]string{"id": "a/b"}, map[string]string{"lang": "de"}
		want.Cookies, want.Lambda = []string{"a=1", "b=2"}, map[string]any{"user": "ann"}
		if diff := cmp.Diff(want, got); diff != "" || got.Headers["x-a"] != "1,2" || got.Headers["host"] != "shop.test" || got.Headers["cookie"] != "" {
			t.Errorf("headers %v, -want +got:\n%s", got.Headers, diff)
		}
		if rec.Leaf != "shop@file" || rec.Cause != "" {
			t.Errorf("got %+v", rec)
		}
	})
	t.Run("bytes to it", func(t *testing.T) {
		_, text := serve(t, build(t, "{"+at+"}"), &record.Record{}, request("POST", "/", "\x89PNG\xff", "Content-Type", "image/png"))
		if !strings.Contains(text, `"encoded":true`) || !strings.Contains(text, `"body":"\ufffdPNG\ufffd"`) {
			t.Errorf("got %s", text)
		}
	})
	t.Run("bytes and cookies from it", func(t *testing.T) {
		res, text := serve(t, build(t, "{"+at+"}"), &record.Record{}, request("GET", "/bytes", ""))
		if text != "\x89PNG\xff\x00" || res.Header.Get("Content-Type") != "image/png" || !cmp.Equal(res.Header["Set-Cookie"], []string{"a=1", "b=2"}) || res.ContentLength != 6 {
			t.Errorf("got %v %q", res.Header, text)
		}
	})
	t.Run("a value alone", func(t *testing.T) {
		res, text := serve(t, build(t, "{"+at+"}"), &record.Record{}, request("GET", "/value", ""))
		if res.StatusCode != 200 || text != `{"message":"hello"}` || res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("got %d %v %s", res.StatusCode, res.Header, text)
		}
	})
	t.Run("version 1.0", func(t *testing.T) {
		s := build(t, "{payloadVersion: '1.0', path: '/pets/{proxy+}', "+at+"}")
		rec := &record.Record{Identity: &identity.Identity{Method: lambda.Method, Subject: "ann", Claims: map[string]any{"level": 3}}}
		res, text := serve(t, s, rec, request("GET", "/pets/a/b?x=1&x=2", ""))
		want := `{"authorizer":{"level":3,"principalId":"ann"},"body":"","ip":"192.0.2.1","method":"GET","path":"/pets/a/b","query":{"x":["1","2"]},"resource":"/pets/{proxy+}"}`
		if res.StatusCode != 201 || text != want || len(res.Header["Set-Cookie"]) != 2 {
			t.Errorf("got %d %v %s", res.StatusCode, res.Header, text)
		}
	})
	t.Run("failures", func(t *testing.T) {
		for path, want := range map[string]string{"/error": "function: function: the function has failed: errorString: no bread today", "/panic": "function: function: the function has failed: string: no bread ever"} {
			rec := &record.Record{}
			if res, text := serve(t, build(t, "{"+at+"}"), rec, request("GET", path, "")); res.StatusCode != 502 || rec.Cause != want || strings.Contains(text, "bread") {
				t.Errorf("%s: got %d %q, %s", path, res.StatusCode, rec.Cause, text)
			}
		}
	})
	t.Run("streamed", func(t *testing.T) {
		s := build(t, "{mode: stream, "+at+"}")
		res, text := serve(t, s, &record.Record{}, request("GET", "/stream", ""))
		if res.StatusCode != 202 || text != "one two" || res.Header.Get("Content-Type") != "text/plain" || res.Header.Get("Set-Cookie") != "s=1" || res.ContentLength != -1 {
			t.Errorf("got %d %v %q", res.StatusCode, res.Header, text)
		}
		rec := &record.Record{}
		if _, text := serve(t, s, rec, request("GET", "/stream-broken", "")); text != "one |unexpected EOF" || !strings.Contains(rec.Cause, "out of words") {
			t.Errorf("got %q, %q", text, rec.Cause)
		}
	})
	t.Run("without waiting", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "called")
		res, text := serve(t, build(t, "{mode: event, "+at+"}"), &record.Record{}, request("POST", "/once?file="+file, ""))
		if res.StatusCode != http.StatusAccepted || text != "" {
			t.Errorf("got %d %s", res.StatusCode, text)
		}
		await(t, "the function to be called", func() bool { _, err := os.Stat(file); return err == nil })
	})
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// says is an endpoint that answers everything with a text.
func says(t *testing.T, status int, text string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	return "endpoint: " + server.URL
}

func TestFunction_StatusesWithoutABody(t *testing.T) {
	for _, tt := range []struct{ method, said, length string }{
		{"GET", `{"statusCode": 204, "body": "x"}`, ""},
		{"GET", `{"statusCode": 304, "body": "x"}`, ""},
		{"HEAD", `{"statusCode": 200, "body": "x"}`, ""},
		{"GET", `{"statusCode": 200}`, "0"},
	} {
		res, text := serve(t, build(t, "{"+says(t, 200, tt.said)+"}"), &record.Record{}, request(tt.method, "/", ""))
		if text != "" || res.Header.Get("Content-Length") != tt.length {
			t.Errorf("%s %s: got %q, %v", tt.method, tt.said, text, res.Header)
		}
	}
}

func TestFunction_Refusals(t *testing.T) {
	for _, tt := range []struct {
		name, config, method, uri, body string
		status                          int
		cause                           string
	}{
		{"another path", "{path: '/pets/{id}', endpoint: 'http://127.0.0.1:1'}", "GET", "/dogs/1", "", 404, "function: the path is another"},
		{"nobody there", "{endpoint: 'http://127.0.0.1:1'}", "GET", "/", "", 502, "function: function: invoke the function: dial tcp"},
		{"a long body", "{maxPayloadBytes: 1000, endpoint: 'http://127.0.0.1:1'}", "POST", "/", strings.Repeat("x", 1001), 413, "the body is longer than maxPayloadBytes"},
		{"a long event", "{maxPayloadBytes: 1000, endpoint: 'http://127.0.0.1:1'}", "POST", "/", strings.Repeat("x", 990), 413, "the event is longer than maxPayloadBytes"},
		{"no answer", "{" + says(t, 200, `{"statusCode": "no"}`) + "}", "GET", "/", "", 502, `statusCode: no is not from 200 to 599`},
		{"no answer by 1.0", "{payloadVersion: '1.0', " + says(t, 200, `{"message": "hello"}`) + "}", "GET", "/", "", 502, "it is no object with a statusCode"},
		{"a long answer", "{maxResponseBytes: 10, " + says(t, 200, `"01234567890"`) + "}", "GET", "/", "", 502, "the function answers with more than 10 bytes"},
		{"throttled", "{" + says(t, 429, `{"message": "Rate Exceeded"}`) + "}", "GET", "/", "", 503, "the invocation was answered 429: Rate Exceeded"},
		{"throttled events", "{mode: event, " + says(t, 429, "") + "}", "GET", "/", "", 503, "the invocation was answered 429"},
		{"throttled streams", "{mode: stream, " + says(t, 429, "") + "}", "GET", "/", "", 503, "the invocation was answered 429"},
		{"an emulator that ends it", "{" + says(t, 200, "Task timed out after 3.00 seconds") + "}", "GET", "/", "", 504, "Task timed out after 3.00 seconds"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec := &record.Record{}
			res, text := serve(t, build(t, tt.config), rec, request(tt.method, tt.uri, tt.body))
			if res.StatusCode != tt.status || !strings.Contains(rec.Cause, tt.cause) || text != http.StatusText(tt.status)+"\n" && text != http.StatusText(tt.status) {
				t.Errorf("got %d %q, %q", res.StatusCode, text, rec.Cause)
			}
			if (res.Header.Get("Retry-After") != "") != (tt.status == 503) {
				t.Errorf("got %v", res.Header)
			}
		})
	}
}

// hanging is an endpoint that answers when it is let, or when it is asked no more.
func hanging(t *testing.T) (at string, asked, ended, release chan struct{}) {
	t.Helper()
	asked, ended, release = make(chan struct{}, 10), make(chan struct{}, 10), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		asked <- struct{}{}
		select {
		case <-r.Context().Done():
			ended <- struct{}{}
		case <-release:
			_, _ = io.WriteString(w, `"done"`)
		}
	}))
	t.Cleanup(server.Close)
	return "endpoint: " + server.URL, asked, ended, release
}

func TestTimeout_EndsTheInvocation(t *testing.T) {
	at, _, ended, _ := hanging(t)
	for _, mode := range []string{"buffered", "stream"} {
		rec := &record.Record{}
		res, _ := serve(t, build(t, "{timeout: 20ms, mode: "+mode+", "+at+"}"), rec, request("GET", "/", ""))
		if res.StatusCode != 504 || rec.Cause != "function: function: it has taken longer than timeout" {
			t.Errorf("%s: got %d, %q", mode, res.StatusCode, rec.Cause)
		}
		<-ended
	}
}

func TestClient_ThatGoesAwayEndsTheInvocation(t *testing.T) {
	at, asked, ended, _ := hanging(t)
	s := build(t, "{"+at+"}")
	ctx, cancel := context.WithCancel(t.Context())
	rec := &record.Record{}
	w := httptest.NewRecorder()
	over := make(chan struct{})
	go func() {
		defer close(over)
		s.ServeHTTP(w, httptest.NewRequest("GET", "/", nil).WithContext(record.With(ctx, rec)))
	}()
	<-asked
	cancel()
	<-ended
	<-over
	if w.Code != 499 || rec.Cause != "function: function: the client went away" {
		t.Errorf("got %d, %q", w.Code, rec.Cause)
	}
}

func TestConcurrency_LetsOthersWait(t *testing.T) {
	at, asked, _, release := hanging(t)
	c := parse(t, "{concurrency: 1, timeout: 10s, "+at+"}")
	s, err := c.New(t.Context(), proxy.Env{Name: "shop@file"})
	if err != nil {
		t.Fatal(err)
	}
	c.Timeout = types.Duration(20 * time.Millisecond)
	impatient, err := c.New(t.Context(), proxy.Env{Name: "shop@file", Previous: s}) // after a reload
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan int, 2)
	get := func() {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		answers <- w.Code
	}
	go get()
	<-asked
	w := httptest.NewRecorder()
	if impatient.ServeHTTP(w, httptest.NewRequest("GET", "/", nil)); w.Code != 503 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
	go get()
	close(release)
	if a, b := <-answers, <-answers; a != 200 || b != 200 {
		t.Errorf("got %d and %d", a, b)
	}
}

func TestStream_SendsPartsAsTheyCome(t *testing.T) {
	next := make(chan string)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		out := http.NewResponseController(w)
		for text := range next {
			_, _ = w.Write(lambdatest.Frame("PayloadChunk", []byte(text)))
			_ = out.Flush()
		}
		_, _ = w.Write(lambdatest.Frame("InvokeComplete", []byte("{}")))
	}))
	defer endpoint.Close()
	server := httptest.NewServer(build(t, "{mode: stream, endpoint: '"+endpoint.URL+"'}"))
	defer server.Close()
	go func() {
		next <- "{\"statusCode\": 200, \"headers\": {\"Content-Type\": \"text/event-stream\"}}\x00\x00\x00\x00\x00\x00\x00\x00"
	}()
	res, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	for _, want := range []string{"one\n", "two\n"} {
		next <- want
		if got, err := lines.ReadString('\n'); got != want || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	close(next)
	if _, err := lines.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}

func TestConfig_Mistakes(t *testing.T) {
	for text, want := range map[string]string{
		"{}":                                 "endpoint: is required without aws",
		"{endpoint: 'http://a', mode: fast}": `mode: "fast" is none of buffered, stream and event`,
		"{endpoint: 'http://a', payloadVersion: '3'}":     `payloadVersion: "3" is neither 1.0 nor 2.0`,
		"{endpoint: 'http://a', path: pets}":              `path: "pets" does not begin with a slash`,
		"{endpoint: 'http://a', timeout: 0s}":             "timeout: is not above 0",
		"{endpoint: 'http://a', maxPayloadBytes: 0}":      "maxPayloadBytes: is not above 0",
		"{endpoint: 'http://a', maxResponseBytes: 0}":     "maxResponseBytes: is not above 0",
		"{endpoint: 'http://a', concurrency: -1}":         "concurrency: -1 is not from 0",
		"{endpoint: 'http://a', binaryMediaTypes: ['[']}": "binaryMediaTypes: ",
		"{endpoint: 'http://a', aws: true}":               "name: is required with aws",
	} {
		if _, err := parse(t, text).New(t.Context(), proxy.Env{Name: "a@file"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}
