package trailers

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// late is a body with which trailers come, as servers hand them on.
type late struct {
	io.Reader
	end func()
}

func (l late) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	if err != nil {
		l.end()
	}
	return n, err
}

func (late) Close() error { return nil }

func TestWithout_TakesAwayWhatIsAnnouncedAndWhatComesLate(t *testing.T) {
	takes := func(name string) bool { return strings.HasPrefix(name, "X-User") }
	for name, announced := range map[string]http.Header{"announced": {"X-User": nil, "X-Sum": nil}, "not announced": nil} {
		r := httptest.NewRequest("POST", "/", nil)
		r.ContentLength, r.Trailer = -1, announced
		r.Body = late{strings.NewReader("text"), func() {
			if r.Trailer == nil {
				r.Trailer = http.Header{}
			}
			r.Trailer["X-User"], r.Trailer["X-User-2"], r.Trailer["X-Sum"] = []string{"root"}, []string{"root"}, []string{"1"}
		}}
		out := Without(r, takes)
		if _, had := out.Trailer["X-User"]; had {
			t.Errorf("%s: it is announced", name)
		}
		inner := new(http.Request) // as middlewares copy requests
		*inner = *out
		if text, err := io.ReadAll(inner.Body); err != nil || string(text) != "text" {
			t.Errorf("%s: got %q %v", name, text, err)
		}
		if diff := cmp.Diff(http.Header{"X-Sum": {"1"}}, inner.Trailer); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestWithout_LeavesRequestsThatHaveNoTrailers(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"no body":     httptest.NewRequest("GET", "/", nil),
		"with length": httptest.NewRequest("POST", "/", strings.NewReader("text")),
	} {
		if Without(r, func(string) bool { return true }) != r {
			t.Errorf("%s: it is another one", name)
		}
	}
}
