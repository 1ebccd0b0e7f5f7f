package httpcache

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func secs(n int) Seconds { return Seconds{time.Duration(n) * time.Second, true} }

func TestParseDirectives(t *testing.T) {
	for name, tt := range map[string]struct {
		lines []string
		want  Directives
	}{
		"nothing":                 {nil, Directives{}},
		"blanks":                  {[]string{" , ,"}, Directives{}},
		"several lines":           {[]string{"max-age=5", "Public , S-MaxAge=7"}, Directives{Public: true, MaxAge: secs(5), SharedMaxAge: secs(7), Present: true}},
		"quoted":                  {[]string{`max-age="60"`}, Directives{MaxAge: secs(60), Present: true}},
		"in a quoted string":      {[]string{`ext="max-age=9, no-store", max-age=1`}, Directives{MaxAge: secs(1), Present: true}},
		"escaped":                 {[]string{`ext="a\", no-store", public`}, Directives{Public: true, Present: true}},
		"a string without an end": {[]string{`public, ext="max-age=9`}, Directives{Public: true, NoStore: true, Present: true}},
		"the least counts":        {[]string{"max-age=60, max-age=5", "max-age=9"}, Directives{MaxAge: secs(5), Present: true}},
		"too many seconds":        {[]string{"max-age=99999999999999999999"}, Directives{MaxAge: secs(1 << 31), Present: true}},
		"no number":               {[]string{"max-age=1x, s-maxage=-1, stale-if-error='5'"}, Directives{MaxAge: secs(0), SharedMaxAge: secs(0), StaleIfError: secs(0), Present: true}},
		"no argument":             {[]string{"max-age"}, Directives{MaxAge: secs(0), Present: true}},
		"all of it":               {[]string{"no-cache, private"}, Directives{NoCache: true, Private: true, Present: true}},
		"some fields":             {[]string{`no-cache="set-cookie, x-a", private=x-b`}, Directives{Withheld: []string{"set-cookie", "x-a", "x-b"}, Present: true}},
		"some and all":            {[]string{`private="a", private`}, Directives{Private: true, Withheld: []string{"a"}, Present: true}},
		"an empty list":           {[]string{`private=" , "`}, Directives{Private: true, Present: true}},
		"max-stale":               {[]string{"max-stale, min-fresh=3, only-if-cached"}, Directives{AnyStale: true, MinFresh: secs(3), OnlyIfCached: true, Present: true}},
		"the rest":                {[]string{"must-revalidate,proxy-revalidate,must-understand,stale-while-revalidate=8,max-stale=2,immutable"}, Directives{MustRevalidate: true, ProxyRevalidate: true, MustUnderstand: true, StaleWhileRevalidate: secs(8), MaxStale: secs(2), Present: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, ParseDirectives(tt.lines)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestResponseDirectives_ATargetedFieldCountsInsteadOfAll(t *testing.T) {
	for name, tt := range map[string]struct {
		field string
		want  Directives
		other bool // Cache-Control counts
	}{
		"a number":              {"max-age=60", Directives{MaxAge: secs(60), Present: true}, false},
		"with parameters":       {`max-age=60;x;y="a,b" , must-revalidate;z=?0`, Directives{MaxAge: secs(60), MustRevalidate: true, Present: true}, false},
		"false":                 {"private=?0, max-age=1", Directives{MaxAge: secs(1), Present: true}, false},
		"a string is no number": {`max-age="60"`, Directives{Present: true}, false},
		"fields":                {`private="a"`, Directives{Withheld: []string{"a"}, Present: true}, false},
		"empty":                 {"", Directives{}, true},
		"in capitals":           {"Max-Age=60", Directives{}, true},
		"a comma at the end":    {"max-age=60,", Directives{}, true},
		"no comma":              {"max-age=60 public", Directives{}, true},
		"no value":              {"max-age=", Directives{}, true},
		"too many digits":       {"max-age=1234567890123456", Directives{}, true},
		"a string without end":  {`a="`, Directives{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{"Cdn-Cache-Control": {tt.field}, "Cache-Control": {"no-store"}}
			got, targeted := ResponseDirectives(fieldsOf(h), []string{"Cdn-Cache-Control"})
			if tt.other {
				tt.want = Directives{NoStore: true, Present: true}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || targeted == tt.other {
				t.Errorf("targeted %v\n%s", targeted, diff)
			}
		})
	}
}

func FuzzParseDirectives(f *testing.F) {
	for _, seed := range []string{"max-age=60, public", `no-cache="a, b", ext="\"x", s-maxage=1`, `private="`, "max-age=99999999999999999999", `a=1;b=?1, c="d"`, ",,=,\"\\"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		d := ParseDirectives([]string{line})
		for _, s := range []Seconds{d.MaxAge, d.SharedMaxAge, d.MinFresh, d.MaxStale, d.StaleWhileRevalidate, d.StaleIfError} {
			if s.D < 0 || s.D > longest*time.Second || !s.Given && s.D != 0 {
				t.Errorf("%q: got %v", line, s)
			}
		}
		if again := ParseDirectives([]string{line, ""}); !cmp.Equal(d, again) {
			t.Errorf("%q: an empty line changes it", line)
		}
		if safe := ParseDirectives([]string{"no-store", line}); !safe.NoStore {
			t.Errorf("%q takes no-store back", line)
		}
		if targeted, ok := parseTargeted([]string{line}); ok && strings.TrimSpace(line) != "" && !targeted.Present {
			t.Errorf("%q says nothing, as a targeted field", line)
		}
	})
}
