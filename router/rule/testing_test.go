package rule

import (
	"net/http"
	"net/url"
	"testing"
)

// ask describes a request of a test case. The zero value is GET / of an
// empty host.
type ask struct {
	method, host, path, query, remote string
	header                            http.Header
}

func (a ask) request(tb testing.TB) *http.Request {
	tb.Helper()
	u := &url.URL{RawQuery: a.query}
	if a.path == "" {
		a.path = "/"
	}
	p, err := url.PathUnescape(a.path)
	if err != nil {
		tb.Fatalf("path %q: %v", a.path, err)
	}
	u.Path, u.RawPath = p, a.path
	if a.method == "" {
		a.method = http.MethodGet
	}
	if a.remote == "" {
		a.remote = "192.0.2.1:1234"
	}
	if a.header == nil {
		a.header = http.Header{}
	}
	return &http.Request{Method: a.method, Host: a.host, URL: u, Header: a.header, RemoteAddr: a.remote}
}

func mustParse(tb testing.TB, parse func(string) (*Rule, error), text string) *Rule {
	tb.Helper()
	r, err := parse(text)
	if err != nil {
		tb.Fatalf("parse %s: %v", text, err)
	}
	return r
}

type matchCase struct {
	name string
	rule string
	ask  ask
	want bool
}

// checkMatches runs the cases, and for each checks that the alternatives of
// the rule do not contradict the match.
func checkMatches(t *testing.T, parse func(string) (*Rule, error), cases []matchCase) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			r := mustParse(t, parse, tc.rule)
			q := NewRequest(tc.ask.request(t))
			if got := r.Match(&q); got != tc.want {
				t.Errorf("%s matches %+v: got %v, want %v", tc.rule, tc.ask, got, tc.want)
			}
			checkCover(t, r, &q)
		})
	}
}

// checkCover verifies the promise of Alternatives for one request.
func checkCover(t *testing.T, r *Rule, q *Request) {
	t.Helper()
	admitted, sufficient := false, false
	for _, a := range r.Alternatives() {
		if a.Admits(q.Host, q.Path) {
			admitted = true
			sufficient = sufficient || a.Sufficient
		}
	}
	matches := r.Match(q)
	if matches && !admitted {
		t.Errorf("%s matches host %q path %q, which no alternative admits: %+v", r, q.Host, q.Path, r.Alternatives())
	}
	if sufficient && !matches {
		t.Errorf("%s does not match host %q path %q, which a sufficient alternative admits: %+v", r, q.Host, q.Path, r.Alternatives())
	}
}
