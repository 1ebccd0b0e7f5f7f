package server

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestCleanPath(t *testing.T) {
	tests := []struct{ name, in, path, uri string }{
		{"plain", "/a/b", "/a/b", "/a/b"},
		{"two slashes", "//a", "/a", "/a"},
		{"a dot segment", "/a/./b", "/a/b", "/a/b"},
		{"two dots", "/a/../b", "/b", "/b"},
		{"above the root", "/../../etc", "/etc", "/etc"},
		{"encoded dots", "/a/%2e%2e/b", "/b", "/b"},
		{"half encoded dots", "/a/.%2E/b", "/b", "/b"},
		{"encoded letters", "/%61dmin", "/admin", "/admin"},
		{"an encoded slash stays", "/a%2fb", "/a/b", "/a%2Fb"},
		{"a slash at the end stays", "/a//b/", "/a/b/", "/a/b/"},
		{"dots at the end leave a slash", "/a/b/..", "/a/", "/a/"},
		{"names that begin with a dot", "/.well-known/x", "/.well-known/x", "/.well-known/x"},
		{"three dots are a name", "/.../x", "/.../x", "/.../x"},
		{"an encoded slash beside what must be encoded", "/a%2f..%2fb%20%00", "/a/../b \x00", "/a%2F..%2Fb%20%00"},
		{"an encoded slash beside what should have been", "/a%2f\"", "/a/\"", "/a%2F%22"},
		{"lower-case digits", "/%c3%a9%5c", "/é\\", "/%C3%A9%5C"},
		{"braces", "/a{b", "/a{b", "/a%7Bb"},
		{"the query stays", "/a//b?x=//y", "/a/b", "/a/b?x=//y"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := cleanPath(httptest.NewRequest(http.MethodGet, tt.in, nil))
			if err != nil {
				t.Fatal(err)
			}
			if r.URL.Path != tt.path || r.URL.RequestURI() != tt.uri {
				t.Errorf("got %q, %q, want %q, %q", r.URL.Path, r.URL.RequestURI(), tt.path, tt.uri)
			}
		})
	}
}

func TestCleanPath_LeavesTheServerItselfAlone(t *testing.T) {
	r := httptest.NewRequest(http.MethodOptions, "*", nil)
	if got, err := cleanPath(r); err != nil || got.URL.Path != "*" {
		t.Errorf("got %q, %v", got.URL.Path, err)
	}
}

func FuzzCleanPath(f *testing.F) {
	for _, seed := range []string{"/", "/a/../b", "/%2e%2e/x", "/a%2fb%00", "//", "/.", "/%zz", "/a;b/..;/c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		r, err := http.NewRequest(http.MethodGet, "http://a.test", nil)
		if err != nil {
			t.Fatal(err)
		}
		u, err := r.URL.Parse("/")
		if err != nil {
			t.Fatal(err)
		}
		if u, err = u.Parse(uri); err != nil || u.Host != "a.test" {
			return
		}
		r.URL = u
		once, err := cleanPath(r)
		if err != nil {
			return
		}
		if p := once.URL.EscapedPath(); needsCleaning(p) && p != "*" && !hasDottedName(p) {
			t.Errorf("%q became %q, which is not clean", uri, p)
		}
		again, err := cleanPath(once)
		if err != nil || again.URL.EscapedPath() != once.URL.EscapedPath() {
			t.Errorf("%q became %q, then %q", uri, once.URL.EscapedPath(), again.URL.EscapedPath())
		}
	})
}

// hasDottedName tells whether a segment is a name that begins with a dot, which
// needsCleaning cannot tell from a dot segment.
func hasDottedName(p string) bool {
	for i := 0; i+2 < len(p); i++ {
		if p[i] != '/' || p[i+1] != '.' {
			continue
		}
		rest := p[i+1:]
		for j, c := range rest {
			if c == '/' {
				rest = rest[:j]
				break
			}
		}
		if rest == "." || rest == ".." {
			return false
		}
	}
	return true
}

// What is not sanitized means the same to rules, which look at the URL, and to
// servers, which get RequestURI.
func FuzzKeepPath(f *testing.F) {
	for _, seed := range []string{"/", "/a/../b", "/%2e%2E/x", "/a%2fb\"", "//a", "/%zz", "/a;b?c;d", "/é%2F"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		u, err := url.ParseRequestURI(uri)
		if err != nil || u.Host != "" || u.Opaque != "" || u.Scheme != "" {
			return
		}
		r, err := keepPath(&http.Request{Method: http.MethodGet, URL: u, RequestURI: uri})
		if err != nil {
			return
		}
		sent, _, _ := strings.Cut(r.RequestURI, "?")
		if got := r.URL.EscapedPath(); got != sent {
			t.Errorf("%q: rules see %q, servers %q", uri, got, sent)
		}
		if again, err := keepPath(r); err != nil || again != r {
			t.Errorf("%q changes again, %v", r.RequestURI, err)
		}
	})
}
