package rule

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"testing"
)

func FuzzParse(f *testing.F) {
	for _, seed := range []struct{ rule, host, path, query string }{
		{"Host(`a.example`) && (PathPrefix(`/b`) || !Method(`GET`))", "a.example:80", "/b/c", ""},
		{"Host(`*.example`) || HostRegexp(`^a`) && PathRegexp(`/x+`)", "A.example.", "/%61%2f", ""},
		{"!(Host(`*`) && Path(`/`)) || Query(`k`) || QueryRegexp(`k`, `v`)", "[::1]:8", "/", "k=&k=v"},
		{"HEADER(\"A\", \"b\\n\") && headerregexp(`a`, `.`) || ClientIP(`10.0.0.0/8`)", "", "*", "%"},
		{"Host('a') and Host(`b`)", "b", "/", ""},
		{"Host(`bücher.example`)", "", "", ""},
		{"((((!!!!Host(`a`)", "a", "/", ""},
	} {
		f.Add(seed.rule, seed.host, seed.path, seed.query)
	}
	f.Fuzz(func(t *testing.T, text, host, path, query string) {
		checkParse(t, Parse, text, host, path, query)
	})
}

func FuzzParseV2(f *testing.F) {
	for _, seed := range []struct{ rule, host, path, query string }{
		{"Host(`a`, `b`) && PathPrefix(`/u/{id:[0-9]{2}}`, `/x`)", "b", "/u/42/x", ""},
		{"HostRegexp(`{sub:[a-z]+}.example`, `plain`)", "a.example", "/", ""},
		{"Headers(`A`, `b`, `C`, `d`) || HeadersRegexp(`A`, `.`)", "", "/", ""},
		{"Query(`a=1`, `b={x}`, `c=`) && Method(`GET`, `POST`)", "", "/", "a=1&b=2&c"},
		{"Path(`/{a:a)|(b}`)", "", "/a", ""},
		{"ClientIP(`::1`, `10.0.0.0/8`)", "", "/", ""},
	} {
		f.Add(seed.rule, seed.host, seed.path, seed.query)
	}
	f.Fuzz(func(t *testing.T, text, host, path, query string) {
		checkParse(t, ParseV2, text, host, path, query)
	})
}

// checkParse holds for any text: the parser answers, its errors point into
// the text, and what it accepts reads the same again and has a sound cover.
func checkParse(t *testing.T, parse func(string) (*Rule, error), text, host, path, query string) {
	r, err := parse(text)
	if err != nil {
		var at *Error
		if !errors.As(err, &at) || at.Offset < 0 || at.Offset > len(text) || at.Msg == "" {
			t.Fatalf("parse %q: bad error %#v", text, err)
		}
		return
	}
	again, err := parse(r.String())
	if err != nil {
		t.Fatalf("parse %q: accepted once, then %v", text, err)
	}
	if len(r.Alternatives()) > maxAlternatives {
		t.Fatalf("parse %q: %d alternatives", text, len(r.Alternatives()))
	}
	q := NewRequest(&http.Request{
		Method: "GET", Host: host, URL: &url.URL{Path: path, RawQuery: query},
		Header: http.Header{"A": {"b"}}, RemoteAddr: "10.0.0.1:1",
	})
	if r.Match(&q) != again.Match(&q) {
		t.Fatalf("%q: two readings disagree", text)
	}
	checkCover(t, r, &q)
	for _, a := range r.Alternatives() {
		q.Host, q.Path = a.Host, a.Path
		checkCover(t, r, &q)
	}
}

func FuzzParseTCP(f *testing.F) {
	for _, seed := range []string{"HostSNI(`*`)", "HostSNI(`a.test`) && ALPN(`h2`) || !ClientIP(`10.0.0.0/8`)", "HostSNIRegexp(`^a[0-9]+$`)", "HostSNI(`*.test`, `b`)", "HostSNI(`a*b`)", "ALPN(`acme-tls/1`)", "HostSNI(`bücher.test`)"} {
		f.Add(seed, "a.test", "h2")
	}
	f.Fuzz(func(t *testing.T, text, name, protocol string) {
		for _, read := range []func(string) (*Rule, error){ParseTCP, ParseTCPV2} {
			r, err := read(text)
			if err != nil {
				continue
			}
			q := ForConnection(name, netip.MustParseAddr("10.0.0.1"), []string{protocol})
			if r.Match(q) && !slices.ContainsFunc(r.Alternatives(), func(a Alternative) bool { return a.AdmitsHost(q.Host) }) {
				t.Errorf("%q matches %q, which none of its alternatives admits", text, q.Host)
			}
		}
	})
}
