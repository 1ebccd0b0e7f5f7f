package rule

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		rule, failed string
		matched      bool
	}{
		{"Host(`shop.test`)", "", true},
		{"Host(`other.test`)", "Host(`other.test`)", false},
		{"PathPrefix(`/cart`) && Host(`shop.test`) && Method(`POST`)", "Method(`POST`)", false},
		{"Host(`a.test`) || Host( \"b.test\" )", "Host(`a.test`) Host( \"b.test\" )", false},
		{"Host(`a.test`) || PathPrefix(`/cart`)", "", true},
		{"Host(`shop.test`) && !PathPrefix(`/cart`)", "!PathPrefix(`/cart`)", false},
		{"!(Host(`a.test`) && Path(`/`))", "", true},
		{"!(Host(`shop.test`) || Path(`/`))", "!Host(`shop.test`)", false},
		{"!!Host(`a.test`)", "Host(`a.test`)", false},
	} {
		r, err := Parse(tt.rule)
		if err != nil {
			t.Fatal(err)
		}
		q := NewRequest(httptest.NewRequest("GET", "http://shop.test/cart/1", nil))
		e := r.Explain(&q)
		if e.Matched != tt.matched || e.Matched != r.Match(&q) || strings.Join(e.Failed(), " ") != tt.failed {
			t.Errorf("%s: got %v because of %q", tt.rule, e.Matched, e.Failed())
		}
	}
}

func TestExplain_KeepsTheOrder(t *testing.T) {
	r, err := ParseV2("HostRegexp(`{name:[a-z]+}.test`) && Host(`a.test`, `shop.test`)")
	if err != nil {
		t.Fatal(err)
	}
	q := NewRequest(httptest.NewRequest("GET", "http://shop.test/", nil))
	want := Explanation{Op: "&&", Matched: true, Parts: []Explanation{
		{Text: "HostRegexp(`{name:[a-z]+}.test`)", Matched: true}, {Text: "Host(`a.test`, `shop.test`)", Matched: true},
	}}
	if diff := cmp.Diff(want, r.Explain(&q)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzExplain looks whether an explanation is right, for all rules that can be read.
func FuzzExplain(f *testing.F) {
	for _, rule := range []string{"Host(`a.test`) && !Path(`/`)", "!(Method(`GET`) || Query(`a`, `b`)) && ClientIP(`10.0.0.0/8`)"} {
		f.Add(rule, "a.test", "/x")
	}
	f.Fuzz(func(t *testing.T, text, host, path string) {
		r, err := Parse(text)
		if err != nil {
			return
		}
		http := httptest.NewRequest("GET", "/", nil)
		http.Host, http.URL.Path = host, path
		q := NewRequest(http)
		e := r.Explain(&q)
		if e.Matched != r.Match(&q) || e.Matched != (len(e.Failed()) == 0) {
			t.Errorf("%s: got %v because of %q", text, e.Matched, e.Failed())
		}
	})
}
