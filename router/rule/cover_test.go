package rule

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// short writes alternatives as "host path", with "=" before what is exact and
// "+" at the end of what needs the rule as well.
func short(all []Alternative) []string {
	var out []string
	for _, a := range all {
		s := map[HostKind]string{AnyHost: "*", ExactHost: "=" + a.Host, WildcardHost: "*." + a.Host}[a.HostKind] + " " +
			map[PathKind]string{AnyPath: "*", ExactPath: "=" + a.Path, PrefixPath: a.Path + "*"}[a.PathKind]
		if !a.Sufficient {
			s += " +"
		}
		out = append(out, s)
	}
	return out
}

func TestRule_Alternatives(t *testing.T) {
	for _, tc := range []struct {
		name, rule string
		want       []string
	}{
		{"host", "Host(`a`)", []string{"=a *"}},
		{"wildcard host", "Host(`*.a`)", []string{"*.a *"}},
		{"any host", "Host(`*`)", []string{"* *"}},
		{"path", "Path(`/x`)", []string{"* =/x"}},
		{"host and prefix", "Host(`a`) && PathPrefix(`/x`)", []string{"=a /x*"}},
		{"or", "Host(`a`) || Path(`/x`)", []string{"=a *", "* =/x"}},
		{"and over or", "(Host(`a`) || Host(`b`)) && (Path(`/x`) || PathPrefix(`/y`))", []string{"=a =/x", "=a /y*", "=b =/x", "=b /y*"}},
		{"contradicting hosts", "Host(`a`) && Host(`b`)", nil},
		{"contradicting paths", "Path(`/a`) && PathPrefix(`/b`)", nil},
		{"contradicting prefixes", "PathPrefix(`/a`) && PathPrefix(`/b`)", nil},
		{"host under wildcard", "Host(`*.a`) && Host(`b.a`)", []string{"=b.a *"}},
		{"host beside wildcard", "Host(`b`) && Host(`*.a`)", nil},
		{"two wildcards", "Host(`*.a`) && Host(`*.b.a`)", nil},
		{"path under prefix", "Path(`/ab`) && PathPrefix(`/a`)", []string{"* =/ab"}},
		{"prefix under prefix", "PathPrefix(`/a`) && PathPrefix(`/ab`)", []string{"* /ab*"}},
		{"negation widens", "!Host(`a`)", []string{"* * +"}},
		{"negated beside host", "Host(`a`) && !Path(`/x`)", []string{"=a * +"}},
		{"method needs the rule", "Host(`a`) && Method(`GET`)", []string{"=a * +"}},
		{"regexp widens", "HostRegexp(`a`) || Host(`b`)", []string{"* * +", "=b *"}},
		{"repeat", "Host(`a`) || Host(`a`)", []string{"=a *"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := short(mustParse(t, Parse, tc.rule).Alternatives())
			less := func(all []string) map[string]bool {
				m := map[string]bool{}
				for _, s := range all {
					m[s] = true
				}
				return m
			}
			if diff := cmp.Diff(less(tc.want), less(got)); diff != "" || len(got) != len(tc.want) {
				t.Errorf("%s: got %q (-want +got):\n%s", tc.rule, got, diff)
			}
		})
	}
}

func TestRule_Alternatives_V2TemplateKeepsItsPlainStart(t *testing.T) {
	got := short(mustParse(t, ParseV2, "PathPrefix(`/api/{v}/x`)").Alternatives())
	if diff := cmp.Diff([]string{"* /api/* +"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestRule_Alternatives_AreBounded(t *testing.T) {
	var pairs []string
	for i := range 20 {
		pairs = append(pairs, fmt.Sprintf("(PathPrefix(`/%d`) || Method(`M%d`))", i, i))
	}
	r := mustParse(t, Parse, "Host(`a`) && "+strings.Join(pairs, " && "))
	all := r.Alternatives()
	if len(all) > maxAlternatives {
		t.Fatalf("got %d alternatives", len(all))
	}
	for _, a := range all {
		if a.HostKind != ExactHost || a.Host != "a" {
			t.Errorf("the host was lost: %+v", a)
		}
	}
}
