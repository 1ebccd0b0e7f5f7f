package proxy

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func mustTarget(t testing.TB, address string) *Target {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return &Target{URL: u}
}

func TestSharedBody_EveryAttemptHasAllOfIt(t *testing.T) {
	r := httptest.NewRequest("POST", "/", strings.NewReader("some text"))
	b := shareBody(r)
	first := b.attempt(&http.Request{})
	if _, err := io.ReadFull(first, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	_ = first.Close()
	if _, err := first.Read(make([]byte, 1)); !errors.Is(err, errBodyOver) {
		t.Errorf("a closed one: got %v", err)
	}
	again := shareBody(r)
	if again != b {
		t.Fatal("the second attempt has another body")
	}
	if text, err := io.ReadAll(again.attempt(&http.Request{})); string(text) != "some text" || err != nil {
		t.Errorf("the second: got %q, %v", text, err)
	}
	if text, err := io.ReadAll(r.Body); string(text) != "some text" || err != nil {
		t.Errorf("one by the engine: got %q, %v", text, err)
	}
	if !b.complete() || !b.repeatable() {
		t.Errorf("complete %v, repeatable %v", b.complete(), b.repeatable())
	}
}

func TestSharedBody_ALongOneIsNotKept(t *testing.T) {
	r := httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", keepAtMost+1)))
	b := shareBody(r)
	if n, err := io.Copy(io.Discard, b.attempt(&http.Request{})); n != keepAtMost+1 || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
	if b.repeatable() || len(b.kept) > 0 {
		t.Errorf("kept %d", len(b.kept))
	}
	if _, err := b.attempt(&http.Request{}).Read(make([]byte, 1)); !errors.Is(err, errBodySpent) {
		t.Errorf("a second attempt: got %v", err)
	}
}

// An attempt that waits for the client does not keep another one from what has come
// already, and both hear what comes.
func TestSharedBody_AttemptsWaitTogether(t *testing.T) {
	from, to := io.Pipe()
	r := httptest.NewRequest("POST", "/", from)
	b := shareBody(r)
	read := func(a io.Reader, n int) chan string {
		got := make(chan string, 1)
		go func() {
			buf := make([]byte, n)
			_, err := io.ReadFull(a, buf)
			got <- string(buf) + noError(err)
		}()
		return got
	}
	first := b.attempt(&http.Request{})
	early := read(first, 6)
	_, _ = io.WriteString(to, "one")
	second := b.attempt(&http.Request{})
	if got := <-read(second, 3); got != "one" {
		t.Errorf("while the first waits: got %q", got)
	}
	late := read(second, 3)
	_, _ = io.WriteString(to, "two")
	if a, b := <-early, <-late; a != "onetwo" || b != "two" {
		t.Errorf("got %q and %q", a, b)
	}
	waiting := read(second, 1)
	b.end(httptest.NewRecorder())
	_ = to.CloseWithError(errors.New("gone"))
	if got := <-waiting; !strings.Contains(got, "gone") && !strings.Contains(got, errBodyOver.Error()) {
		t.Errorf("at the end: got %q", got)
	}
}

func noError(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestSharedBody_TrailersReachTheAttempt(t *testing.T) {
	r := httptest.NewRequest("POST", "/", strings.NewReader("text"))
	r.Trailer = http.Header{"X-Sum": {"4"}, "Content-Length": {"9"}}
	b := shareBody(r)
	out := &http.Request{}
	if _, err := io.ReadAll(b.attempt(out)); err != nil {
		t.Fatal(err)
	}
	if out.Trailer.Get("X-Sum") != "4" || len(out.Trailer) != 1 {
		t.Errorf("got %v", out.Trailer)
	}
}

func TestCleanQuery(t *testing.T) {
	for query, want := range map[string]string{
		"":                     "",
		"a=1;b=2&c":            "a=1&b=2&c",
		"a=%20":                "a=%20",
		"a HTTP/1.1\r\nX-A: b": "a%20HTTP/1.1%0D%0AX-A:%20b",
		"ä\x7f":                "ä%7F",
	} {
		if got := cleanQuery(query); got != want {
			t.Errorf("%q: got %q, want %q", query, got, want)
		}
	}
}
