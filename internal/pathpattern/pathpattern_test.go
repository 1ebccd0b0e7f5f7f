package pathpattern

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, path string
		want          map[string]string // nil: it is another path
	}{
		{"", "/anything", map[string]string{}},
		{"/a/{id}", "/a/7", map[string]string{"id": "7"}},
		{"/a/{id}", "/a/b%2Fc", map[string]string{"id": "b/c"}},
		{"/a/{id}", "/a/", nil},
		{"/a/{id}", "/a/7/8", nil},
		{"/a/{id}", "/b/7", nil},
		{"/a/{id}/c", "/a/7", nil},
		{"/a/{rest...}", "/a/b/c%20d", map[string]string{"rest": "b/c d"}},
		{"/a/{rest+}", "/a/b/c", map[string]string{"rest": "b/c"}},
		{"/a/{rest+}", "/a/", nil},
		{"/a/{id}", "/a/%zz", nil},
		{"/", "/", map[string]string{}},
	} {
		p, err := New(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := p.Match(tt.path)
		if ok && got == nil {
			got = map[string]string{}
		}
		if ok != (tt.want != nil) || ok && !cmp.Equal(tt.want, got) {
			t.Errorf("%s takes %s: got %v, %v", tt.pattern, tt.path, got, ok)
		}
	}
}

func TestString_IsAsAWSWritesIt(t *testing.T) {
	for text, want := range map[string]string{"": "", "/": "/", "/a/{id}/{rest...}": "/a/{id}/{rest+}", "/{proxy+}": "/{proxy+}"} {
		p, err := New(text)
		if err != nil || p.String() != want {
			t.Errorf("%q: got %q, %v", text, p, err)
		}
	}
}

func TestNew_Mistakes(t *testing.T) {
	for text, want := range map[string]string{
		"a":               "does not begin with a slash",
		"/a{id}":          "braces go around a whole segment",
		"/{id}/{id}":      "is empty, or there twice",
		"/{}":             "is empty, or there twice",
		"/{+}":            "is empty, or there twice",
		"/{rest...}/more": "only the last segment",
		"/{rest+}/more":   "only the last segment",
	} {
		if _, err := New(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}
