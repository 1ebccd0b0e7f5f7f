package lambda

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fairway/internal/headername"
)

func TestReadV2(t *testing.T) {
	const kind, text = "Content-Type", "text/plain; charset=utf-8"
	for _, tt := range []struct {
		name, said string
		status     int
		header     http.Header
		body       string
	}{
		{"whole", `{"statusCode": 201, "headers": {"content-type": "text/html", "x-a": "1"}, "body": "<p>"}`, 201, http.Header{kind: {"text/html"}, "X-A": {"1"}}, "<p>"},
		{"numbers and booleans", `{"statusCode": "404", "headers": {"x-a": 1.5, "x-b": true}}`, 404, http.Header{"X-A": {"1.5"}, "X-B": {"true"}}, ""},
		{"cookies", `{"statusCode": 200, "cookies": ["a=1; Secure", "b=2"], "headers": {"Set-Cookie": "c=3"}}`, 200, http.Header{"Set-Cookie": {"c=3", "a=1; Secure", "b=2"}}, ""},
		{"bytes", `{"statusCode": 200, "isBase64Encoded": true, "body": "/wA=", "headers": {"Content-Type": "image/png"}}`, 200, http.Header{kind: {"image/png"}}, "\xff\x00"},
		{"several values", `{"statusCode": 200, "headers": {"x-a": "0", "x-b": "2"}, "multiValueHeaders": {"X-A": ["1", "2"]}}`, 200, http.Header{"X-A": {"1", "2"}, "X-B": {"2"}}, ""},
		{"null", `{"statusCode": 204, "headers": {"X-A": null}, "multiValueHeaders": null, "body": null, "cookies": null, "isBase64Encoded": null}`, 204, http.Header{}, ""},
		{"no type", `{"statusCode": 200, "body": "a"}`, 200, http.Header{kind: {text}}, "a"},
		{"an object alone", ` {"message": "hello", "n": 12345678901234567890} `, 200, http.Header{kind: {"application/json"}}, `{"message": "hello", "n": 12345678901234567890}`},
		{"a text alone", `"hello \"you\""`, 200, http.Header{kind: {"application/json"}}, `hello "you"`},
		{"a list alone", `[1]`, 200, http.Header{kind: {"application/json"}}, `[1]`},
		{"nothing", `null`, 200, http.Header{kind: {"application/json"}}, `null`},
		{"other spelling", `{"StatusCode": 500}`, 200, http.Header{kind: {"application/json"}}, `{"StatusCode": 500}`},
		{"what is not a function's", `{"statusCode": 200, "headers": {"Content-Length": "7", "transfer-encoding": "chunked", "Connection": "X-Hop", "x-hop": "1", "Upgrade": "h2c", "Trailer": "X", "Keep-Alive": "1"}, "body": "a"}`, 200, http.Header{kind: {text}}, "a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := ReadV2([]byte(tt.said))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&Answer{tt.status, tt.header, []byte(tt.body)}, a); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestReadV1(t *testing.T) {
	a, err := ReadV1([]byte(`{"statusCode": 200, "headers": {"X-A": "0"}, "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"], "x-a": ["1"]}, "body": "{}"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Answer{200, http.Header{"X-A": {"1"}, "Set-Cookie": {"a=1", "b=2"}, "Content-Type": {"application/json"}}, []byte("{}")}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, text := range []string{`{"message": "hello"}`, `"hello"`, `[]`, `null`} {
		if _, err := ReadV1([]byte(text)); err == nil || !strings.Contains(err.Error(), "it is no object with a statusCode") {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestRead_WhatIsMalformed(t *testing.T) {
	for said, want := range map[string]string{
		`{"a": `:                          "it is no JSON",
		``:                                "it is no JSON",
		`{"statusCode": 101}`:             "statusCode: 101 is not from 200 to 599",
		`{"statusCode": 600}`:             "statusCode: 600 is not from 200 to 599",
		`{"statusCode": 2e2}`:             "statusCode: 2e2 is not from 200 to 599",
		`{"statusCode": {}}`:              "statusCode: {} is not from 200 to 599",
		`{"statusCode": 200, "body": {}}`: "body: is no text",
		`{"statusCode": 200, "body": "a!", "isBase64Encoded": true}`:         "body: is no base64",
		`{"statusCode": 200, "isBase64Encoded": "yes"}`:                      "isBase64Encoded: is neither true nor false",
		`{"statusCode": 200, "headers": []}`:                                 "headers: is of another type",
		`{"statusCode": 200, "headers": {"a": {}}}`:                          "headers: A: no field can be called so",
		`{"statusCode": 200, "headers": {"a b": "c"}}`:                       "headers: a b: no field can be called so",
		`{"statusCode": 200, "headers": {"a": "b\r\nSet-Cookie: c"}}`:        "headers: A: no field can be called so",
		`{"statusCode": 200, "multiValueHeaders": {"a": "b"}}`:               "multiValueHeaders: is of another type",
		`{"statusCode": 200, "multiValueHeaders": {"a": ["b\nc"]}}`:          "headers: A: no field can be called so",
		`{"statusCode": 200, "cookies": "a=b"}`:                              "cookies: is of another type",
		`{"statusCode": 200, "cookies": ["a\r\nb"]}`:                         "cookies: no field can have such a value",
		`{"statusCode": 200, "headers": {"a": "` + long(longestHead) + `"}}`: "headers: they have more than 65536 bytes",
	} {
		_, err := ReadV2([]byte(said))
		if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusBadGateway || !strings.Contains(e.Cause, want) {
			t.Errorf("%.80s: got %v, want %s", said, err, want)
		}
	}
}

func long(n int) string { return strings.Repeat("x", n) }

func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"statusCode": 200, "headers": {"a": "b"}, "multiValueHeaders": {"a": ["b"]}, "cookies": ["a=b"], "body": "YQ==", "isBase64Encoded": true}`,
		`"text"`, `{"statusCode": "301", "headers": {"Connection": "close"}}`, `[`, `{"statusCode":1e3}`, `{"statusCode":null}`, "{\"statusCode\":200,\"headers\":{\"\u017fet-cookie\":1}}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for version, read := range []func([]byte) (*Answer, error){ReadV1, ReadV2, readPrelude} {
			a, err := read(text)
			if err != nil {
				if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusBadGateway || len(e.Cause) > 2000 {
					t.Errorf("%d: %v", version, err)
				}
				continue
			}
			if a.Status < 200 || a.Status > 599 {
				t.Errorf("%d: status %d", version, a.Status)
			}
			for name, values := range a.Header {
				for _, value := range values {
					if !headername.Valid(name) || !headername.ValidValue(value) || http.CanonicalHeaderKey(name) != name {
						t.Errorf("%d: %s: %s", version, name, strconv.Quote(value))
					}
				}
			}
			for _, name := range []string{"Connection", "Content-Length", "Transfer-Encoding", "Upgrade", "Trailer"} {
				if a.Header[name] != nil {
					t.Errorf("%d: there is %s", version, name)
				}
			}
		}
	})
}
