package lambda

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"

	"fairway/internal/giveup"
	"fairway/internal/lambdatest"
)

// caller invokes what a handler answers for.
func caller(tb testing.TB, f Function, h http.HandlerFunc) *Caller {
	tb.Helper()
	server := httptest.NewServer(h)
	tb.Cleanup(server.Close)
	f.Endpoint = server.URL
	c, err := f.New(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// failure is an error with what there is to tell about it.
func failure(tb testing.TB, err error) Error {
	tb.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		tb.Fatalf("got %v", err)
	}
	return *e
}

func TestInvoke_AsksAsTheInterfaceHasIt(t *testing.T) {
	var asked []string
	c := caller(t, Function{Name: "arn:aws:lambda:eu-central-1:123456789012:function:orders", Qualifier: "live"}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Method+" "+r.RequestURI+" "+r.Header.Get("X-Amz-Invocation-Type")+" "+r.Header.Get("X-Amzn-Trace-Id")+" "+r.Header.Get("Authorization")+string(body))
		if r.Header.Get("X-Amz-Invocation-Type") == "Event" {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		_, _ = io.WriteString(w, `"ok"`)
	})
	call := &Call{Event: []byte(`{"a":1}`), Trace: "Root=1-a-b"}
	text, err := c.Invoke(t.Context(), call, 100)
	if err != nil || string(text) != `"ok"` {
		t.Fatalf("got %s, %v", text, err)
	}
	if err := c.Send(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	s, err := c.Stream(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	const at = "POST /%s/functions/arn:aws:lambda:eu-central-1:123456789012:function:orders/%s?Qualifier=live %s Root=1-a-b {\"a\":1}"
	want := []string{
		strings.NewReplacer("/%s/", "/2015-03-31/", "/%s?", "/invocations?", "%s", "RequestResponse").Replace(at),
		strings.NewReplacer("/%s/", "/2015-03-31/", "/%s?", "/invocations?", "%s", "Event").Replace(at),
		strings.NewReplacer("/%s/", "/2021-11-15/", "/%s?", "/response-streaming-invocations?", "%s", "RequestResponse").Replace(at),
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestSignature_IsRight signs what came once more, as AWS does to find out who it is from.
func TestSignature_IsRight(t *testing.T) {
	const id, key = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte("[shop]\naws_access_key_id = "+id+"\naws_secret_access_key = "+key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	for name, tt := range map[string]struct {
		aws  AWS
		env  map[string]string
		name string
	}{
		"static":                        {AWS{Region: "eu-west-1", AccessKeyID: id, SecretAccessKey: key, SessionToken: "token"}, nil, "orders"},
		"a file":                        {AWS{Region: "eu-west-1", CredentialsFile: file, Profile: "shop"}, nil, "orders"},
		"the environment":               {AWS{}, map[string]string{"AWS_ACCESS_KEY_ID": id, "AWS_SECRET_ACCESS_KEY": key, "AWS_REGION": "eu-west-1"}, "orders"},
		"the region of the function":    {AWS{AccessKeyID: id, SecretAccessKey: key}, map[string]string{"AWS_REGION": "us-east-1"}, "arn:aws:lambda:eu-west-1:123456789012:function:orders"},
		"what is configured goes first": {AWS{Region: "eu-west-1", AccessKeyID: id, SecretAccessKey: key}, map[string]string{"AWS_ACCESS_KEY_ID": "other", "AWS_SECRET_ACCESS_KEY": "other"}, "orders"},
	} {
		t.Run(name, func(t *testing.T) {
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			c := caller(t, Function{Name: tt.name, Qualifier: "$LATEST", AWS: &tt.aws}, func(w http.ResponseWriter, r *http.Request) {
				if err := verify(r, aws.Credentials{AccessKeyID: id, SecretAccessKey: key, SessionToken: tt.aws.SessionToken.Reveal()}); err != nil {
					t.Error(err)
				}
				_, _ = io.WriteString(w, `"ok"`)
			})
			if _, err := c.Invoke(t.Context(), &Call{Event: []byte(`{}`), Trace: "Root=1-a-b"}, 100); err != nil {
				t.Error(err)
			}
		})
	}
}

func verify(r *http.Request, by aws.Credentials) error {
	told := r.Header.Get("Authorization")
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return err
	}
	body, _ := io.ReadAll(r.Body)
	sum := sha256.Sum256(body)
	again := r.Clone(context.Background())
	again.URL.Scheme, again.URL.Host, again.ContentLength = "http", r.Host, int64(len(body))
	again.Header = http.Header{}
	_, list, _ := strings.Cut(told, "SignedHeaders=")
	list, _, _ = strings.Cut(list, ",")
	for name := range strings.SplitSeq(list, ";") {
		if values := r.Header.Values(name); len(values) > 0 {
			again.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	if err := v4.NewSigner().SignHTTP(context.Background(), by, again, hex.EncodeToString(sum[:]), "lambda", "eu-west-1", at); err != nil {
		return err
	}
	if want := again.Header.Get("Authorization"); told != want || !strings.Contains(list, "x-amz-invocation-type") {
		return errors.New("the signature is " + told + ", want " + want)
	}
	return nil
}

func TestCredentials_ThatAreNotThere(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	for want, f := range map[string]Function{
		"the region of AWS is not known":  {Name: "orders", AWS: &AWS{}},
		"find the credentials of AWS":     {Name: "orders", AWS: &AWS{Region: "eu-west-1"}},
		"failed to get shared config":     {Name: "orders", AWS: &AWS{Region: "eu-west-1", Profile: "nobody"}},
		"find the credentials of AWS: op": {Name: "orders", AWS: &AWS{Region: "eu-west-1", CredentialsFile: "/nowhere/at/all"}},
	} {
		c, err := f.New(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Invoke(t.Context(), &Call{Event: []byte("{}")}, 100)
		if e := failure(t, err); e.Status != http.StatusBadGateway || !strings.Contains(e.Cause, strings.TrimSuffix(want, ": op")) {
			t.Errorf("got %+v, want %s", e, want)
		}
	}
}

func TestEndpoint_OfAWS(t *testing.T) {
	for region, want := range map[string]string{"eu-west-1": "https://lambda.eu-west-1.amazonaws.com", "cn-north-1": "https://lambda.cn-north-1.amazonaws.com.cn"} {
		s, err := (&AWS{Region: region, AccessKeyID: "a", SecretAccessKey: "b"}).signer("orders")
		if err != nil {
			t.Fatal(err)
		}
		if u, err := s.endpoint(t.Context()); err != nil || u.String() != want {
			t.Errorf("got %v, %v", u, err)
		}
	}
}

func TestNew_Mistakes(t *testing.T) {
	for want, f := range map[string]Function{
		"endpoint: is required without aws":                    {Name: "a"},
		"name: is required with aws":                           {AWS: &AWS{}},
		`name: "../x" is neither the name`:                     {Name: "../x", Endpoint: "http://a"},
		"concurrency: -1 is not from 0":                        {Concurrency: -1, Endpoint: "http://a"},
		`qualifier: "a/b" is neither`:                          {Qualifier: "a/b", Endpoint: "http://a"},
		`endpoint: "a:80" is no URL`:                           {Endpoint: "a:80"},
		`endpoint: "ftp://a" is no URL`:                        {Endpoint: "ftp://a"},
		`endpoint: "http://u:xxxxx@a" is no URL`:               {Endpoint: "http://u:secret@a"},
		`aws.region: "evil.example/" is none`:                  {Name: "a", AWS: &AWS{Region: "evil.example/"}},
		"aws.accessKeyID: it and secretAccessKey":              {Name: "a", AWS: &AWS{AccessKeyID: "a"}},
		"aws.sessionToken: there is no accessKeyID":            {Name: "a", AWS: &AWS{SessionToken: "a"}},
		"aws.accessKeyID: there is a credentialsFile or profi": {Name: "a", AWS: &AWS{AccessKeyID: "a", SecretAccessKey: "b", Profile: "c"}},
	} {
		if _, err := f.New(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestInvoke_Failures(t *testing.T) {
	for _, tt := range []struct {
		name   string
		aws    bool
		status int
		header map[string]string
		body   string
		want   Error
	}{
		{"the function throws", true, 200, map[string]string{"X-Amz-Function-Error": "Unhandled"}, `{"errorType": "Error", "errorMessage": "no bread"}`, Error{502, "the function has failed: Error: no bread", "", &Thrown{"Error", "no bread"}}},
		{"and says nothing of it", true, 200, map[string]string{"X-Amz-Function-Error": "Unhandled"}, "oh\r\nno", Error{502, "the function has failed: oh  no", "", &Thrown{"", "oh\r\nno"}}},
		{"it takes too long", true, 200, map[string]string{"X-Amz-Function-Error": "Unhandled"}, `{"errorMessage": "2026-11-26T00:00:00Z 1234 Task timed out after 3.00 seconds"}`, Error{504, "the function has failed: 2026-11-26T00:00:00Z 1234 Task timed out after 3.00 seconds", "", &Thrown{"", "2026-11-26T00:00:00Z 1234 Task timed out after 3.00 seconds"}}},
		{"the emulator has no header", false, 200, nil, `{"errorType": "Error", "errorMessage": "no bread", "stackTrace": []}`, Error{502, "the function has failed: Error: no bread", "", &Thrown{"Error", "no bread"}}},
		{"the emulator ends it", false, 200, nil, "Task timed out after 3.00 seconds", Error{504, "the function has failed: Task timed out after 3.00 seconds", "", &Thrown{"", "Task timed out after 3.00 seconds"}}},
		{"the emulator has lost it", false, 502, nil, `{"errorType": "Runtime.ExitError", "errorMessage": "exit status 1"}`, Error{502, "the invocation was answered 502: Runtime.ExitError: exit status 1", "", nil}},
		{"the emulator is busy", false, 400, nil, "", Error{502, "the invocation was answered 400", "", nil}},
		{"too many", true, 429, map[string]string{"X-Amzn-Errortype": "TooManyRequestsException:http://x", "Retry-After": "7"}, `{"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "message": "Rate Exceeded."}`, Error{503, "the invocation was answered 429 TooManyRequestsException: Rate Exceeded.", "7", nil}},
		{"too many, without a time", true, 429, map[string]string{"Retry-After": "soon"}, "", Error{503, "the invocation was answered 429", "1", nil}},
		{"too large", true, 413, nil, "", Error{413, "the invocation was answered 413", "", nil}},
		{"not there", true, 404, map[string]string{"X-Amzn-Errortype": "ResourceNotFoundException"}, `{"Message": "Function not found"}`, Error{502, "the invocation was answered 404 ResourceNotFoundException: Function not found", "", nil}},
		{"elsewhere", true, 302, map[string]string{"Location": "http://127.0.0.1:1/"}, "", Error{502, "the invocation was answered 302", "", nil}},
		{"too long an answer", true, 200, nil, `"` + long(100) + `"`, Error{502, "the function answers with more than 100 bytes", "", nil}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := Function{Name: "orders"}
			if tt.aws {
				f.AWS = &AWS{Region: "eu-west-1", AccessKeyID: "a", SecretAccessKey: "b"}
			}
			c := caller(t, f, func(w http.ResponseWriter, _ *http.Request) {
				for name, value := range tt.header {
					w.Header().Set(name, value)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			_, err := c.Invoke(t.Context(), &Call{Event: []byte("{}")}, 100)
			if diff := cmp.Diff(tt.want, failure(t, err)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if tt.status == http.StatusOK {
				return
			}
			if _, err := c.Stream(t.Context(), &Call{Event: []byte("{}")}); !cmp.Equal(tt.want, failure(t, err)) {
				t.Errorf("streamed: got %v", err)
			}
			if err := c.Send(t.Context(), &Call{Event: []byte("{}")}); !cmp.Equal(tt.want, failure(t, err)) {
				t.Errorf("sent: got %v", err)
			}
		})
	}
}

func TestInvoke_EndsWithItsContext(t *testing.T) {
	ended := make(chan struct{}, 2)
	c := caller(t, Function{}, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		ended <- struct{}{}
	})
	for _, tt := range []struct {
		reason error
		status int
	}{{giveup.TooLong("slow"), 504}, {nil, 499}} {
		ctx, cancel := giveup.WithCancel(t.Context())
		go cancel(tt.reason)
		_, err := c.Invoke(ctx, &Call{Event: []byte("{}")}, 100)
		if e := failure(t, err); e.Status != tt.status {
			t.Errorf("got %+v", e)
		}
	}
	if e := failure(t, func() error {
		f := Function{Endpoint: "http://127.0.0.1:1"}
		c, err := f.New(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Invoke(t.Context(), &Call{Event: []byte("{}")}, 100)
		return err
	}()); e.Status != http.StatusBadGateway || !strings.Contains(e.Cause, "invoke the function: dial tcp") {
		t.Errorf("got %+v", e)
	}
}

// TestConcurrency_IsFreedInEveryWay asks for a turn after each way in which an invocation can end.
func TestConcurrency_IsFreedInEveryWay(t *testing.T) {
	status := http.StatusOK
	c := caller(t, Function{Concurrency: 1}, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `"ok"`)
	})
	call := &Call{Event: []byte("{}")}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		for _, status = range []int{http.StatusOK, http.StatusNotFound} {
			_, _ = c.Invoke(t.Context(), call, 100)
			_, _ = c.Invoke(ended, call, 100)
			_ = c.Send(t.Context(), call)
			if s, err := c.Stream(t.Context(), call); err == nil {
				if len(c.turns) != 1 {
					t.Error("a stream has no turn")
				}
				s.Close()
				s.Close()
			}
			if len(c.turns) != 0 {
				t.Fatalf("%d: %d are under way", status, len(c.turns))
			}
		}
	}
	c.turns <- struct{}{}
	late, giveUp := giveup.WithCancel(t.Context())
	giveUp(giveup.TooLong("slow"))
	_, err := c.Invoke(late, call, 100)
	if e := failure(t, err); e.Status != 503 || e.RetryAfter != "1" {
		t.Errorf("got %+v", e)
	}
	_, err = c.Invoke(ended, call, 100)
	if e := failure(t, err); e.Status != 499 {
		t.Errorf("got %+v", e)
	}
}

func TestStream_Forms(t *testing.T) {
	const prelude = `{"statusCode": 201, "headers": {"X-A": "1", "Transfer-Encoding": "chunked"}, "cookies": ["a=1"]}`
	zero := strings.Repeat("\x00", zeros)
	frames := func(parts ...string) string {
		var b strings.Builder
		for _, p := range parts {
			b.Write(lambdatest.Frame("PayloadChunk", []byte(p)))
		}
		b.Write(lambdatest.Frame("InvokeComplete", []byte("{}")))
		return b.String()
	}
	withHead := http.Header{"X-A": {"1"}, "Set-Cookie": {"a=1"}, "Content-Type": {"application/octet-stream"}}
	plain := http.Header{"Content-Type": {"application/octet-stream"}}
	for _, tt := range []struct {
		name, kind, sent string
		status           int
		header           http.Header
		body, fails      string
	}{
		{"frames", typeFrames, frames(prelude+zero, "one ", "two"), 201, withHead, "one two", ""},
		{"a prelude in bits", typeFrames, frames(prelude[:5], prelude[5:]+zero[:3], zero[3:]+"one"), 201, withHead, "one", ""},
		{"frames by another name", typePrelude, frames(prelude + zero + "one"), 201, withHead, "one", ""},
		{"no frames", typePrelude, prelude + zero + "one", 201, withHead, "one", ""},
		{"no prelude", typeFrames, frames("one ", "two"), 200, plain, "one two", ""},
		{"JSON without a prelude", typeFrames, frames(`{"a":1}`, "\n", `{"a":2}`), 200, plain, `{"a":1}` + "\n" + `{"a":2}`, ""},
		{"what looks like a prelude", typeFrames, frames(`{"a":`), 200, plain, `{"a":`, ""},
		{"a prelude that never ends", typeFrames, frames(`{"a":"` + long(longestPrelude)), 200, plain, `{"a":"` + long(longestPrelude), ""},
		{"nothing", typeFrames, frames(), 200, plain, "", ""},
		{"its own type", "text/csv", "a;b", 200, http.Header{"Content-Type": {"text/csv"}}, "a;b", ""},
		{"it breaks off", typeFrames, frames("one")[:len(frames("one"))-5], 200, plain, "one", "the answer of the function breaks off"},
		{"it fails", typeFrames, string(lambdatest.Frame("PayloadChunk", []byte("one"))) + string(lambdatest.Frame("InvokeComplete", []byte(`{"ErrorCode": "Oh", "ErrorDetails": "no"}`))), 200, plain, "one", "the function has failed: Oh: no"},
		{"its end is none", typeFrames, string(lambdatest.Frame("PayloadChunk", []byte("one"))) + string(lambdatest.Frame("InvokeComplete", []byte(`{`))), 200, plain, "one", "its end is no JSON"},
		{"what is new", typeFrames, string(lambdatest.Frame("New", []byte("x"))) + frames("one"), 200, plain, "one", ""},
		{"seven zeros", typeFrames, frames(prelude + zero[1:] + "x"), 0, nil, "", "there are no eight zeros after its prelude"},
		{"a prelude that is wrong", typeFrames, frames(`{"statusCode": 101}` + zero), 0, nil, "", "statusCode: 101 is not from 200 to 599"},
		{"it fails at once", typeFrames, string(lambdatest.Frame("InvokeComplete", []byte(`{"ErrorCode": "Oh", "ErrorDetails": "{\"errorType\": \"Error\", \"errorMessage\": \"no\"}"}`))), 0, nil, "", "the function has failed: Error: no"},
		{"no frame at all", typeFrames, long(100), 0, nil, "", "invoke the function: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := caller(t, Function{}, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.kind)
				_, _ = io.WriteString(w, tt.sent)
			})
			s, err := c.Stream(t.Context(), &Call{Event: []byte("{}")})
			if tt.status == 0 {
				if e := failure(t, err); e.Status != http.StatusBadGateway || !strings.Contains(e.Cause, tt.fails) {
					t.Errorf("got %+v", e)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			body, err := io.ReadAll(s)
			if tt.fails == "" && err != nil || tt.fails != "" && !strings.Contains(failure(t, err).Cause, tt.fails) {
				t.Errorf("got %v", err)
			}
			if diff := cmp.Diff(&Answer{Status: tt.status, Header: tt.header}, s.Head); diff != "" || string(body) != tt.body {
				t.Errorf("got %q, -want +got:\n%s", body, diff)
			}
		})
	}
}

func FuzzStream(f *testing.F) {
	f.Add(typeFrames, append(lambdatest.Frame("PayloadChunk", []byte("{\"statusCode\":200}\x00\x00\x00\x00\x00\x00\x00\x00a")), lambdatest.Frame("InvokeComplete", []byte("{}"))...))
	f.Add(typePrelude, []byte("{}\x00\x00\x00\x00\x00\x00\x00\x00a"))
	f.Add("", []byte("{\"a\":"))
	f.Add(typeFrames, []byte("\x00\x00\x00\x10\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, kind string, text []byte) {
		s := &Stream{}
		err := s.read(t.Context(), strings.NewReader(string(text)), kind)
		if err == nil {
			if s.Head == nil || s.Head.Status < 200 {
				t.Fatalf("got %+v", s.Head)
			}
			_, err = io.Copy(io.Discard, s)
		}
		if err != nil {
			failure(t, err)
		}
	})
}
