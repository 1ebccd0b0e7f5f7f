package urlpath

import (
	"net/url"
	"testing"
)

func TestCanonical(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"nothing to do", "/a/b;c=d/@e:%20%2F", "/a/b;c=d/@e:%20%2F"},
		{"unreserved", "/%61%2D%7e%2e", "/a-~."},
		{"lower-case digits", "/%2f%c3", "/%2F%C3"},
		{"bytes that may not stand for themselves", "/{é\\ \x00", "/%7B%C3%A9%5C%20%00"},
		{"decoded once only", "/%2541", "/%2541"},
		{"a percent sign that begins nothing", "/%zz%4", "/%25zz%254"},
		{"digits that are none", "/%1\x10%g0", "/%251%10%25g0"},
	} {
		if got := Canonical(tt.in); got != tt.want {
			t.Errorf("%s: Canonical(%q): got %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
	if n := testing.AllocsPerRun(10, func() { Canonical("/a/b%20c") }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

// What is canonical already stays, and means what it meant before, byte by byte.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{"/", "/%2f%00", "/%zz", "/a{%2F\"", "/%2e%2E/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		once := Canonical(in)
		if again := Canonical(once); again != once {
			t.Errorf("%q became %q, then %q", in, once, again)
		}
		meant, err := url.PathUnescape(in)
		if err != nil {
			return
		}
		if means, err := url.PathUnescape(once); err != nil || means != meant {
			t.Errorf("%q became %q, which means %q, %v", in, once, means, err)
		}
		u := url.URL{Path: meant, RawPath: once}
		if got := u.EscapedPath(); got != once {
			t.Errorf("net/url does not keep %q: %q", once, got)
		}
	})
}
