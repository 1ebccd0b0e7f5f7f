package urlpath

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestRewrite_KeepsBothFormsOfThePathTogether(t *testing.T) {
	tests := map[string]struct{ escaped, path, requestURI string }{
		"plain":           {"/a/b", "/a/b", "/a/b?q=1"},
		"encoded slash":   {"/a%2Fb", "/a/b", "/a%2Fb?q=1"},
		"missing slash":   {"a", "/a", "/a?q=1"},
		"empty":           {"", "/", "/?q=1"},
		"needs encoding":  {"/a b", "/a b", "/a%20b?q=1"},
		"leading encoded": {"%2Fa", "//a", "/%2Fa?q=1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/old?q=1", nil)
			r2, err := Rewrite(r, tt.escaped)
			if err != nil {
				t.Fatal(err)
			}
			if r2.URL.Path != tt.path || r2.RequestURI != tt.requestURI || r2.URL.RequestURI() != tt.requestURI {
				t.Errorf("got path %q, uri %q, want %q, %q", r2.URL.Path, r2.RequestURI, tt.path, tt.requestURI)
			}
			if r.URL.Path != "/old" || r.RequestURI != "/old?q=1" {
				t.Errorf("the caller's request changed: %q", r.RequestURI)
			}
		})
	}
}

func TestRewrite_RefusesABrokenEscape(t *testing.T) {
	if _, err := Rewrite(httptest.NewRequest(http.MethodGet, "/", nil), "/%zz"); err == nil {
		t.Error("no error")
	}
}

func TestClean(t *testing.T) {
	tests := map[string]bool{
		"/":                         true,
		"/a/b/":                     true,
		"/a..b/.well-known/...":     true,
		"/proxy/https:%2F%2Fa.test": true,
		"/a//b":                     true,
		"//a":                       false,
		"/../a":                     false,
		"/a/.":                      false,
		"/%2e%2E/a":                 false,
		"/..%2Fa":                   false,
		"/..%5Ca":                   false,
		"/..;/a":                    false,
		"/..;x=1/a":                 false,
	}
	for path, want := range tests {
		t.Run(path, func(t *testing.T) {
			u, err := url.Parse("http://h" + path)
			if err != nil {
				t.Fatal(err)
			}
			if got := Clean(u); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func FuzzCut(f *testing.F) {
	f.Add("/api/x%2Fy", 4)
	f.Add("/%61pi", 2)
	f.Add("/a{b}", 3)
	f.Fuzz(func(t *testing.T, target string, n int) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Opaque != "" || n < 0 || n > len(u.Path) {
			return
		}
		rest, err := url.PathUnescape(Cut(u, n))
		if err != nil {
			t.Fatalf("cut %q by %d inside an escape: %v", target, n, err)
		}
		if !strings.HasSuffix(u.Path, rest) || len(rest) != len(u.Path)-n {
			t.Fatalf("cut %q by %d: got %q of %q", target, n, rest, u.Path)
		}
	})
}

func TestRewrite_KeepsAnEncodedSlashBesideWhatMustBeEscaped(t *testing.T) {
	r, err := Rewrite(httptest.NewRequest(http.MethodGet, "/", nil), "/a%2Fb c")
	if err != nil {
		t.Fatal(err)
	}
	if want := "/a%2Fb%20c"; r.URL.EscapedPath() != want || r.RequestURI != want {
		t.Errorf("got %q, %q, want %q", r.URL.EscapedPath(), r.RequestURI, want)
	}
}
