package rule

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type errorCase struct {
	name   string
	rule   string
	offset int
	want   string // a part of the message
}

func checkErrors(t *testing.T, parse func(string) (*Rule, error), cases []errorCase) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			_, err := parse(tc.rule)
			var got *Error
			if !errors.As(err, &got) {
				t.Fatalf("parse %s: got error %v, want an *Error", tc.rule, err)
			}
			if got.Offset != tc.offset || !strings.Contains(got.Msg, tc.want) {
				t.Errorf("parse %s:\ngot  %v\nwant at byte %d: ...%s...", tc.rule, got, tc.offset, tc.want)
			}
		})
	}
}

func TestParse_Errors(t *testing.T) {
	checkErrors(t, Parse, []errorCase{
		{"empty", "", 0, "empty"},
		{"only space", " \n", 0, "empty"},
		{"single quotes", "Host('a')", 5, "use backticks or double quotes"},
		{"typographic quotes", "Host(“a”)", 5, "use backticks or double quotes"},
		{"word and", "Host(`a`) and Path(`/`)", 10, "write && instead of and"},
		{"word OR", "Host(`a`) OR Path(`/`)", 10, "write || instead of OR"},
		{"word not", "not Host(`a`)", 0, "write ! instead of not"},
		{"single ampersand", "Host(`a`) & Path(`/`)", 10, "write &&"},
		{"single bar", "Host(`a`) | Path(`/`)", 10, "write ||"},
		{"no operator", "Host(`a`) Path(`/`)", 10, "&& or ||"},
		{"operator without operand", "Host(`a`) &&", 12, "ends"},
		{"operator first", "&& Host(`a`)", 0, "&& stands where a matcher should"},
		{"lone literal", "`a`", 0, "write Host"},
		{"group never closed", "Host(`a`) && (Path(`/`)", 13, "never closed"},
		{"group never opened", "Host(`a`))", 9, "no opening"},
		{"empty group", "()", 1, ") stands where"},
		{"no parentheses", "Host", 0, "parentheses"},
		{"call never closed", "Host(`a`", 4, "never closed"},
		{"call cut after comma", "Header(`a`,", 6, "never closed"},
		{"no comma", "Header(`a` `b`)", 11, "comma"},
		{"name as argument", "Host(a)", 5, "literals"},
		{"literal never closed", "Host(`a)", 5, "no closing `"},
		{"bad escape", `Host("\q")`, 5, "escape"},
		{"stray character", "Host(`a`) ; ", 10, "';'"},
		{"empty argument", "Header(`a`, ``)", 12, "empty argument"},
		{"no argument", "Host()", 0, "Host takes 1 argument, not 0"},
		{"v2 list of hosts", "Host(`a`, `b`)", 0, "Host takes 1 argument; write Host(`a`) || Host(`b`)"},
		{"v2 list of methods", "method(`GET`, `PUT`)", 0, "write Method(`GET`) || Method(`PUT`)"},
		{"long list", "Host(`a`,`b`,`c`,`d`,`e`)", 0, "Host(`d`) || ..."},
		{"Header with one argument", "Header(`a`)", 0, "Header takes 2 arguments, not 1"},
		{"HeaderRegexp with three", "HeaderRegexp(`a`,`b`,`c`)", 0, "HeaderRegexp takes 2 arguments, not 3"},
		{"Query with three", "Query(`a`,`b`,`c`)", 0, "Query takes 1 or 2 arguments, not 3"},
		{"QueryRegexp with none", "QueryRegexp()", 0, "QueryRegexp takes 1 or 2 arguments, not 0"},
		{"unknown matcher, near", "Hst(`a`)", 0, "unknown matcher Hst; did you mean Host?"},
		{"unknown matcher, v2 name", "Headers(`a`, `b`)", 0, "did you mean Header?"},
		{"unknown matcher, path", "Host(`a`) && PathPrefx(`/`)", 13, "did you mean PathPrefix?"},
		{"unknown matcher, far", "Zzzzzzzz(`a`)", 0, "known are Host, HostRegexp"},
		{"non-ASCII host", "Host(`bücher.example`)", 5, "Host(`xn--bcher-kva.example`)"},
		{"non-ASCII host of several labels", "Host(`Пример.испытание`)", 5, "Host(`xn--e1afmkfd.xn--80akhbyknj4f`)"},
		{"non-ASCII HostRegexp", "HostRegexp(`bü`)", 11, "ASCII"},
		{"path without slash", "Path(`a`)", 5, "start with a slash: `/a`"},
		{"prefix without slash", "PathPrefix(`a`)", 11, "start with a slash"},
		{"bad HostRegexp", "HostRegexp(`(`)", 11, "missing closing )"},
		{"bad PathRegexp", "PathRegexp(`[`)", 11, "regular expression"},
		{"bad HeaderRegexp", "HeaderRegexp(`a`, `*`)", 18, "regular expression"},
		{"bad QueryRegexp", "QueryRegexp(`a`, `*`)", 17, "regular expression"},
		{"bad address", "ClientIP(`10.0.0`)", 9, "ClientIP takes an address"},
		{"bad range", "ClientIP(`10.0.0.0/40`)", 9, "ClientIP takes an address"},
		{"too deep, groups", strings.Repeat("(", 10000), maxDepth, "deeper"},
		{"too deep, not", strings.Repeat("!", 10000), maxDepth, "deeper"},
		{"too long", strings.Repeat(" ", maxSize+1), maxSize, "longer"},
	})
}

func TestParse_RefusesWhatNeverMatches(t *testing.T) {
	checkErrors(t, Parse, []errorCase{
		{"template of v2 in HostRegexp", "HostRegexp(`{sub:[a-z]+}.x`)", 11, "`{sub:[a-z]+}.x` looks like the syntax of Traefik v2: set ruleSyntax=v2, or write HostRegexp(`^(?:[a-z]+)\\.x$`)"},
		{"template in an expression", "HostRegexp(`^{sub:[a-z]+}\\.x$`)", 11, "write HostRegexp(`^(?:[a-z]+)\\.x$`)"},
		{"template without an expression", "HostRegexp(`{any}.x`)", 11, "write HostRegexp(`^(?:[^.]+)\\.x$`)"},
		{"template in Host", "Host(`{sub}.x`)", 5, "write HostRegexp(`^(?:[^.]+)\\.x$`)"},
		{"template in PathPrefix", "PathPrefix(`/{id:[0-9]+}`)", 11, "write PathRegexp(`^/(?:[0-9]+)`)"},
		{"template in Path", "Path(`/u/{id:[0-9]{2}}/{x}`)", 5, "write PathRegexp(`^/u/(?:[0-9]{2})/(?:[^/]+)$`)"},
		{"template in PathRegexp", "PathRegexp(`^/{id}$`)", 11, "write PathRegexp(`^/(?:[^/]+)$`)"},
		{"template that is broken", "Path(`/{id:(}`)", 5, "or write a regular expression without the braces"},
		{"scheme", "Host(`http://a.b`)", 5, "Host takes the host without http://; write Host(`a.b`)"},
		{"scheme and path", "Host(`https://a.b/c`)", 5, "write Host(`a.b`)"},
		{"path in Host", "Host(`a.b/path`)", 5, "Host takes no path; write Host(`a.b`) && PathPrefix(`/path`)"},
		{"path as Host", "Host(`/path`)", 5, "is a path and no host; write PathPrefix(`/path`)"},
		{"port", "Host(`a.b:8080`)", 5, "write Host(`a.b`)"},
		{"port of an IPv6 address", "Host(`[::1]:80`)", 5, "write Host(`::1`)"},
		{"two stars", "Host(`*.*.x`)", 5, "write HostRegexp(`^[^.]+\\.[^.]+\\.x$`)"},
		{"star in the middle", "Host(`a.*.x`)", 5, "write HostRegexp(`^a\\.[^.]+\\.x$`)"},
		{"star for a part of a label", "Host(`*a.x`)", 5, "write HostRegexp(`^[^.]+a\\.x$`)"},
		{"query", "Path(`/a?b=c`)", 5, "Path takes the path without the query; write Path(`/a`) && Query(`b`, `c`)"},
		{"query without a value", "PathPrefix(`/a?b`)", 11, "write PathPrefix(`/a`) && Query(`b`)"},
		{"no percent sequence", "Path(`/%zz`)", 5, "write %25 for the sign itself"},
		{"half a percent sequence", "Path(`/a%2`)", 5, "write %25 for the sign itself"},
		{"percent sequence that is decoded", "Path(`/%61%20`)", 5, "write Path(`/a `)"},
		{"percent sequence in small letters", "PathPrefix(`/a%2fb`)", 11, "write PathPrefix(`/a%2Fb`)"},
	})
}

func TestParse_AcceptsWhatOnlyLooksStrange(t *testing.T) {
	for _, text := range []string{
		"Host(`*`)", "Host(`*.x`)", "Host(`::1`)", "Host(`[::1]`)", "Host(`2001:db8::1`)", "Path(`/a%2Fb`)", "PathPrefix(`/`)", "Path(`/{}`)", "Path(`/{1}`)",
		"HostRegexp(`^a{2,3}$`)", "HostRegexp(`a{2}b{3,}`)", "PathRegexp(`^/[{a}]+\\{id\\}$`)", "PathRegexp(`\\p{Greek}`)", "PathRegexp(`[]{a}]`)", "PathRegexp(`^/(?P<id>[0-9]{4})$`)",
	} {
		if _, err := Parse(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestParseV2_Errors(t *testing.T) {
	checkErrors(t, ParseV2, []errorCase{
		{"no argument", "Host()", 0, "Host takes at least 1, not 0"},
		{"empty argument", "Host(`a`, ``)", 10, "empty argument"},
		{"v3 name", "HeaderRegexp(`a`, `b`)", 0, "did you mean HeadersRegexp?"},
		{"odd headers", "Headers(`a`, `b`, `c`)", 18, "no value"},
		{"query without value", "Query(`a`)", 6, "key=value"},
		{"unbalanced brace", "Path(`/{a`)", 5, "not balanced"},
		{"closing brace first", "Path(`/}{`)", 5, "not balanced"},
		{"brace without name", "Path(`/{:a}`)", 5, "missing"},
		{"brace without expression", "Path(`/{a:}`)", 5, "missing"},
		{"bad expression", "Path(`/{a:(}`)", 5, "regular expression"},
		{"expression that only fits the group", "Path(`/{a:a)|(b}`)", 5, "regular expression"},
		{"path without slash", "Path(`{a}`)", 5, "slash"},
		{"non-ASCII", "Host(`ü`)", 5, "xn--tda"},
	})
}

func TestError_NamesTheByte(t *testing.T) {
	_, err := Parse("Host(`a`) and Host(`b`)")
	if got, want := err.Error(), "at byte 10: write && instead of and"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParse_LongListOfHosts(t *testing.T) {
	text := "Host(`h`)" + strings.Repeat(" || Host(`h`)", 4000)
	r := mustParse(t, Parse, text)
	if got, want := r.Alternatives(), []Alternative{{}}; !cmp.Equal(got, want) {
		t.Errorf("beyond the bound the cover should collapse: got %d alternatives", len(got))
	}
}

func TestRule_Hosts(t *testing.T) {
	for _, tc := range []struct {
		name, rule string
		parse      func(string) (*Rule, error)
		want       []string
	}{
		{"in order, once", "Host(`b`) && Path(`/`) || Host(`A`) || Host(`b.`)", Parse, []string{"b", "a"}},
		{"wildcard as written", "Host(`*.X.example`) || Host(`*`)", Parse, []string{"*.x.example"}},
		{"no regexp", "HostRegexp(`a`)", Parse, nil},
		{"not negated", "!Host(`a`) && !(Host(`b`) || Host(`c`)) && Host(`d`)", Parse, []string{"d"}},
		{"negated twice", "!(Path(`/`) || !Host(`a`))", Parse, []string{"a"}},
		{"v2 list", "Host(`b`, `a`) || HostHeader(`c`)", ParseV2, []string{"b", "a", "c"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := mustParse(t, tc.parse, tc.rule)
			if diff := cmp.Diff(tc.want, r.Hosts()); diff != "" {
				t.Errorf("hosts of %s (-want +got):\n%s", tc.rule, diff)
			}
			if r.String() != tc.rule {
				t.Errorf("String: got %s, want %s", r, tc.rule)
			}
		})
	}
}
