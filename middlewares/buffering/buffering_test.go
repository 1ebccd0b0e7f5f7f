package buffering

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

// build makes a middleware of options that are not the default.
func build(t *testing.T, change func(*Config), next http.HandlerFunc) http.Handler {
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

// answered is what a client got, and what is known of it.
type answered struct {
	*httptest.ResponseRecorder
	rec     record.Record
	aborted bool
}

func send(h http.Handler, r *http.Request) (a *answered) {
	a = &answered{ResponseRecorder: httptest.NewRecorder()}
	defer func() {
		if reason := recover(); reason != nil {
			if reason != http.ErrAbortHandler { //nolint:errorlint // a panic value
				panic(reason)
			}
			a.aborted = true
		}
	}()
	h.ServeHTTP(a.ResponseRecorder, r.WithContext(record.With(r.Context(), &a.rec)))
	return a
}

// unknownLength hides how long a body is.
func unknownLength(body io.Reader) io.Reader { return io.MultiReader(body) }

func post(body io.Reader) *http.Request { return httptest.NewRequest(http.MethodPost, "/", body) }

func get() *http.Request { return httptest.NewRequest(http.MethodGet, "/", nil) }

// temporary makes a folder for temporary files, and returns what is in there.
func temporary(t *testing.T) func() []string {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	return func() []string {
		found, _ := filepath.Glob(filepath.Join(dir, "*"))
		return found
	}
}

func TestBuffering_ReadsRequestsToTheirEnd(t *testing.T) {
	files := temporary(t)
	long := strings.Repeat("0123456789", 20_000)
	for name, memory := range map[string]int64{"in memory": 1 << 20, "partly on disk": 1000, "a page more than memory": 40_000, "on disk": 0} {
		for _, length := range []int{0, 1, 999, 1000, 1001, 40_000, 100_000, 200_000} {
			for kind, body := range map[string]io.Reader{"known": strings.NewReader(long[:length]), "unknown": unknownLength(strings.NewReader(long[:length]))} {
				asked := false
				h := build(t, func(c *Config) { c.MemRequestBodyBytes, c.MaxRequestBodyBytes = memory, 200_000 }, func(_ http.ResponseWriter, r *http.Request) {
					asked = true
					got, err := io.ReadAll(r.Body)
					if string(got) != long[:length] || err != nil || r.ContentLength != int64(length) {
						t.Errorf("%s: of %d bytes %d came, with length %d, %v", name, length, len(got), r.ContentLength, err)
					}
					if left := files(); len(left) > 0 {
						t.Errorf("%s: there are files with names: %v", name, left)
					}
				})
				if w := send(h, post(body)); w.Code != 200 || !asked {
					t.Errorf("%s, %d bytes, length %s: got %d, %s", name, length, kind, w.Code, w.rec.Cause)
				}
			}
		}
	}
}

func TestBuffering_ReadsTheBodyBeforeTheServiceIsAsked(t *testing.T) {
	body, more := io.Pipe()
	asked, done := make(chan struct{}), make(chan struct{})
	h := build(t, func(*Config) {}, func(http.ResponseWriter, *http.Request) { close(asked) })
	go func() {
		defer close(done)
		send(h, post(body))
	}()
	_, _ = io.WriteString(more, "half ")
	select {
	case <-asked:
		t.Error("the service was asked in the middle of the body")
	default:
	}
	_ = more.Close()
	<-asked
	<-done
}

func TestBuffering_RefusesRequestsThatAreTooLong(t *testing.T) {
	h := build(t, func(c *Config) { c.MaxRequestBodyBytes = 4 }, func(http.ResponseWriter, *http.Request) { t.Error("the service was asked") })
	unread := post(struct{ io.Reader }{strings.NewReader("")})
	unread.ContentLength = 5
	for name, r := range map[string]*http.Request{
		"by what it claims": unread,
		"by what comes":     post(unknownLength(strings.NewReader("hello"))),
	} {
		if w := send(h, r); w.Code != http.StatusRequestEntityTooLarge || w.rec.Cause != tooLongRequest {
			t.Errorf("%s: got %d, %q", name, w.Code, w.rec.Cause)
		}
	}
}

type brokenBody struct{ err error }

func (b brokenBody) Read([]byte) (int, error) { return 0, b.err }

func TestBuffering_SaysWhyABodyCannotBeRead(t *testing.T) {
	h := build(t, func(*Config) {}, func(http.ResponseWriter, *http.Request) { t.Error("the service was asked") })
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		r     *http.Request
		code  int
		cause string
	}{
		"broken":  {post(brokenBody{errors.New("bad chunk")}), 400, "buffering: read the request's body: bad chunk"},
		"timeout": {post(brokenBody{os.ErrDeadlineExceeded}), 408, "buffering: read the request's body: i/o timeout"},
		"gone":    {post(brokenBody{io.ErrUnexpectedEOF}).WithContext(gone), 499, "buffering: the client went away while its body was read"},
	} {
		if w := send(h, c.r); w.Code != c.code || w.rec.Cause != c.cause {
			t.Errorf("%s: got %d, %q", name, w.Code, w.rec.Cause)
		}
	}
}

func TestBuffering_SaysThatTheDiskFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing")
	t.Setenv("TMPDIR", dir)
	c := &Config{MemRequestBodyBytes: 2, MemResponseBodyBytes: 2}
	env := middlewarestest.Env("test")
	log, logs := test.NewNullLogger()
	env.Log = log
	var kept any
	env.Keep = func(fresh func() any) any {
		if kept == nil {
			kept = fresh()
		}
		return kept
	}
	var h http.Handler
	for range 2 {
		var err error
		if h, err = c.New(t.Context(), env, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "long") })); err != nil {
			t.Fatal(err)
		}
	}
	if e := logs.AllEntries(); len(e) != 1 || e[0].Level != logrus.WarnLevel || !strings.Contains(e[0].Message, dir) {
		t.Errorf("the log has %v", e)
	}
	for what, r := range map[string]*http.Request{"the request's body": post(strings.NewReader("long")), "the response": get()} {
		w := send(h, r)
		if w.Code != 500 || w.Body.String() != "Internal Server Error" || !strings.HasPrefix(w.rec.Cause, "buffering: keep "+what+": make a temporary file: open "+dir) {
			t.Errorf("%s: got %d %q, %q", what, w.Code, w.Body, w.rec.Cause)
		}
	}
	fits := &Config{MaxRequestBodyBytes: 2, MemRequestBodyBytes: 2, MaxResponseBodyBytes: 1, MemResponseBodyBytes: 2}
	kept = nil
	if _, err := fits.New(t.Context(), env, http.NotFoundHandler()); err != nil || len(logs.AllEntries()) != 1 {
		t.Errorf("%v; where no file is needed the log has %v", err, logs.AllEntries())
	}
}

func TestBuffering_HoldsResponsesBack(t *testing.T) {
	files := temporary(t)
	part := strings.Repeat("x", 50_000)
	for _, memory := range []int64{1 << 20, 60_000, 0} {
		var client *httptest.ResponseRecorder
		h := build(t, func(c *Config) { c.MemResponseBodyBytes = memory }, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Of", "service")
			w.WriteHeader(http.StatusCreated)
			for i := range 3 {
				if i == 1 {
					_, _ = io.Copy(w, strings.NewReader(part))
				} else {
					_, _ = io.WriteString(w, part)
				}
				w.(http.Flusher).Flush()
			}
			w.Header().Set("X-Late", "1")
			if client.Body.Len() > 0 || len(client.Header()) > 0 || len(files()) > 0 {
				t.Errorf("%d bytes have reached the client, with %v; files: %v", client.Body.Len(), client.Header(), files())
			}
		})
		client = httptest.NewRecorder()
		h.ServeHTTP(client, get())
		if got := client.Result(); got.StatusCode != 201 || client.Body.String() != part+part+part || got.Header.Get("X-Of") != "service" || got.Header.Get("Content-Length") != "150000" || got.Header.Get("X-Late") != "" {
			t.Errorf("got %d, %d bytes, %v", got.StatusCode, client.Body.Len(), got.Header)
		}
	}
}

func TestBuffering_RefusesResponsesThatAreTooLong(t *testing.T) {
	for name, next := range map[string]http.HandlerFunc{
		"by what it claims": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			_, err := io.WriteString(w, "h")
			if err == nil {
				t.Error("the service is not stopped")
			}
		},
		"by what comes": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Secret", "1")
			_, _ = io.WriteString(w, "hell")
			if _, err := io.WriteString(w, "o"); err == nil {
				t.Error("the service is not stopped")
			}
			panic(http.ErrAbortHandler) // as the proxy does
		},
		"by what is copied": func(w http.ResponseWriter, _ *http.Request) {
			if _, err := io.Copy(w, strings.NewReader("hello")); err == nil {
				t.Error("the service is not stopped")
			}
		},
	} {
		w := send(build(t, func(c *Config) { c.MaxResponseBodyBytes = 4 }, next), get())
		if w.Code != 500 || w.Body.String() != "Internal Server Error" || w.Header().Get("X-Secret") != "" || w.rec.Cause != "buffering: the response is longer than maxResponseBodyBytes" {
			t.Errorf("%s: got %d %q %v, %q", name, w.Code, w.Body, w.Header(), w.rec.Cause)
		}
	}
}

func TestBuffering_KnowsResponsesWithoutABody(t *testing.T) {
	for status, want := range map[int]string{200: "100", 204: "", 304: "100"} {
		h := build(t, func(c *Config) { c.MaxResponseBodyBytes = 4 }, func(w http.ResponseWriter, _ *http.Request) {
			if want != "" {
				w.Header().Set("Content-Length", want)
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "nobody sees")
		})
		r := get()
		if status == 200 {
			r.Method = http.MethodHead
		}
		if w := send(h, r); w.Code != status || w.Body.Len() != 0 || w.Header().Get("Content-Length") != want {
			t.Errorf("%d: got %d %q with %v", status, w.Code, w.Body, w.Header())
		}
	}
}

func TestBuffering_AnswersWhatBreaksOff(t *testing.T) {
	h := build(t, func(*Config) {}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "half")
		record.From(r.Context()).Fail("response of the server broke off")
		panic(http.ErrAbortHandler)
	})
	w := send(h, get())
	if w.Code != http.StatusBadGateway || w.Body.String() != "Bad Gateway" || w.rec.Cause != "response of the server broke off" {
		t.Errorf("got %d %q, %q", w.Code, w.Body, w.rec.Cause)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if w := send(h, get().WithContext(gone)); !w.aborted {
		t.Errorf("a client that has gone got %d", w.Code)
	}
	defer func() {
		if reason := recover(); reason != "a mistake" {
			t.Errorf("another panic became %v", reason)
		}
	}()
	send(build(t, func(*Config) {}, func(http.ResponseWriter, *http.Request) { panic("a mistake") }), get())
}

func TestBuffering_RetriesByExpression(t *testing.T) {
	temporary(t)
	for name, c := range map[string]struct {
		expression, method string
		statuses           []int // 0: it breaks off
		want, attempts     int
	}{
		"a network error":             {"IsNetworkError() && Attempts() < 3", "GET", []int{502, 504, 200}, 200, 3},
		"too many of them":            {"IsNetworkError() && Attempts() < 3", "GET", []int{502, 504, 502, 200}, 502, 3},
		"none":                        {"IsNetworkError() && Attempts() < 3", "GET", []int{503, 200}, 503, 1},
		"one that breaks off":         {"IsNetworkError() && Attempts() < 3", "GET", []int{0, 200}, 200, 2},
		"all break off":               {"IsNetworkError() && Attempts() < 3", "GET", []int{0, 0, 0, 200}, 502, 3},
		"a status":                    {"ResponseCode() == 503 && Attempts() <= 1", "GET", []int{503, 200}, 200, 2},
		"a method":                    {`ResponseCode() >= 500 && RequestMethod() == "GET"`, "GET", []int{500, 200}, 200, 2},
		"another method":              {`ResponseCode() >= 500 && RequestMethod() == "GET"`, "POST", []int{500, 200}, 500, 1},
		"no more than ten":            {"ResponseCode() == 500", "GET", []int{500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 200}, 500, 10},
		"said by nobody, which is ok": {"ResponseCode() == 200 && Attempts() < 2", "GET", []int{-1, 404}, 404, 2},
	} {
		t.Run(name, func(t *testing.T) {
			attempts := 0
			h := build(t, func(o *Config) { o.RetryExpression, o.MemRequestBodyBytes = c.expression, 3 }, func(w http.ResponseWriter, r *http.Request) {
				if got, err := io.ReadAll(r.Body); string(got) != "hello" || err != nil {
					t.Errorf("attempt %d got %q, %v", attempts, got, err)
				}
				if r.Header.Get("X-Changed") != "" || w.Header().Get("X-Attempt") != "" || w.Header().Get("X-Outer") != "1" {
					t.Errorf("attempt %d begins with %v, and %v", attempts, r.Header, w.Header())
				}
				r.Header.Set("X-Changed", "1")
				w.Header().Set("X-Attempt", fmt.Sprint(attempts))
				rec, status := record.From(r.Context()), c.statuses[attempts]
				if rec.Cause != "" || rec.Status != 0 {
					t.Errorf("attempt %d begins as if it had failed: %q", attempts, rec.Cause)
				}
				attempts++
				switch {
				case status == 0:
					rec.Fail("broke off")
					_, _ = io.WriteString(w, "half")
					panic(http.ErrAbortHandler)
				case status >= 500:
					rec.Fail("failed")
				case status < 0:
					return
				}
				w.WriteHeader(status)
				_, _ = fmt.Fprint(w, "answer ", attempts)
			})
			r := post(strings.NewReader("hello"))
			r.Method = c.method
			a := &answered{ResponseRecorder: httptest.NewRecorder()}
			a.ResponseRecorder.Header().Set("X-Outer", "1")
			h.ServeHTTP(a.ResponseRecorder, r.WithContext(record.With(r.Context(), &a.rec)))
			if a.Code != c.want || attempts != c.attempts {
				t.Errorf("got %d after %d attempts, want %d after %d", a.Code, attempts, c.want, c.attempts)
			}
			if c.statuses[attempts-1] > 0 && (a.Body.String() != fmt.Sprint("answer ", attempts) || a.Header().Get("X-Attempt") != fmt.Sprint(attempts-1)) {
				t.Errorf("got %q with %v", a.Body, a.Header())
			}
			if failed := c.want >= 500; failed != (a.rec.Cause != "") {
				t.Errorf("in the end the cause is %q", a.rec.Cause)
			}
		})
	}
}

func TestBuffering_DoesNotRetryForNobody(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	attempts := 0
	h := build(t, func(c *Config) { c.RetryExpression = "ResponseCode() == 502" }, func(w http.ResponseWriter, _ *http.Request) {
		attempts++
		cancel()
		w.WriteHeader(502)
	})
	if send(h, get().WithContext(ctx)); attempts != 1 {
		t.Errorf("%d attempts", attempts)
	}
}

func TestBuffering_KnowsTheStatusOfCallsByGRPC(t *testing.T) {
	attempts := 0
	h := build(t, func(c *Config) { c.RetryExpression = "IsNetworkError() && Attempts() < 2" }, func(w http.ResponseWriter, r *http.Request) {
		attempts++
		middlewares.Refuse(w, r, http.StatusBadGateway, "no server")
	})
	r := get()
	r.Header.Set("Content-Type", "application/grpc")
	if w := send(h, r); attempts != 2 || w.Header().Get("Grpc-Status") != "14" {
		t.Errorf("%d attempts, %v", attempts, w.Header())
	}
}
