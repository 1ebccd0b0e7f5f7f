package httpcache

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) string { return noon.Add(d).Format(http.TimeFormat) }

func judged(p Policy, status int, authorized bool, fields ...string) Verdict {
	h := http.Header{}
	for i := 0; i < len(fields); i += 2 {
		h.Add(fields[i], fields[i+1])
	}
	return p.Judge(&Response{Status: status, Lines: fieldsOf(h), Asked: noon, Came: noon, Authorized: authorized})
}

func TestJudge_WhatIsStoredAndForHowLong(t *testing.T) {
	cc := func(s string) []string { return []string{"Cache-Control", s} }
	guesses := Policy{Fraction: 0.1, MostGuessed: time.Hour}
	byStatus := Policy{TTL: func(status int) (time.Duration, bool) { return time.Minute, status == 404 }}
	targets := Policy{Targets: []string{"Cdn-Cache-Control"}}
	for name, tt := range map[string]struct {
		policy     Policy
		status     int
		authorized bool
		fields     []string
		lifetime   time.Duration // below 0: it is not stored
	}{
		"says nothing":                     {status: 200, lifetime: -1},
		"max-age":                          {status: 200, fields: cc("max-age=60"), lifetime: time.Minute},
		"s-maxage goes first":              {status: 200, fields: cc("max-age=60, s-maxage=5"), lifetime: 5 * time.Second},
		"an error that says so":            {status: 503, fields: cc("max-age=60"), lifetime: time.Minute},
		"stale, and no validator":          {status: 200, fields: cc("max-age=0"), lifetime: -1},
		"stale, with a validator":          {status: 200, fields: append(cc("no-cache"), "Etag", `"1"`), lifetime: 0},
		"a validator only":                 {status: 200, fields: []string{"Etag", `"1"`}, lifetime: -1},
		"no-store":                         {status: 200, fields: cc("max-age=60, no-store"), lifetime: -1},
		"private":                          {status: 200, fields: cc("max-age=60, private"), lifetime: -1},
		"private, some fields":             {status: 200, fields: cc(`max-age=60, private="x"`), lifetime: time.Minute},
		"must-understand":                  {status: 200, fields: cc("max-age=60, no-store, must-understand"), lifetime: time.Minute},
		"must-understand, and nobody does": {status: 299, fields: cc("max-age=60, must-understand"), lifetime: -1},
		"a part":                           {status: 206, fields: cc("max-age=60"), lifetime: -1},
		"authorized":                       {status: 200, authorized: true, fields: cc("max-age=60"), lifetime: -1},
		"authorized, public":               {status: 200, authorized: true, fields: cc("max-age=60, public"), lifetime: time.Minute},
		"authorized, must-revalidate":      {status: 200, authorized: true, fields: cc("max-age=60, must-revalidate"), lifetime: time.Minute},
		"authorized, s-maxage":             {status: 200, authorized: true, fields: cc("s-maxage=60"), lifetime: time.Minute},
		"a cookie":                         {status: 200, fields: append(cc("max-age=60"), "Set-Cookie", "a=b"), lifetime: -1},
		"a cookie, by option":              {policy: Policy{Cookies: true}, status: 200, fields: append(cc("max-age=60"), "Set-Cookie", "a=b"), lifetime: time.Minute},
		"varies by everything":             {status: 200, fields: append(cc("max-age=60"), "Vary", "Accept", "Vary", "*"), lifetime: -1},
		"trailers":                         {status: 200, fields: append(cc("max-age=60"), "Trailer", "X"), lifetime: -1},
		"expires":                          {status: 200, fields: []string{"Expires", at(time.Hour), "Date", at(0)}, lifetime: time.Hour},
		"expires, no date":                 {status: 200, fields: []string{"Expires", at(time.Hour)}, lifetime: time.Hour},
		"expired":                          {status: 200, fields: []string{"Expires", at(-time.Hour), "Etag", "x"}, lifetime: -time.Hour},
		"expires, nonsense":                {status: 200, fields: []string{"Expires", "0", "Etag", "x"}, lifetime: 0},
		"guessed":                          {policy: guesses, status: 200, fields: []string{"Last-Modified", at(-time.Hour), "Date", at(0)}, lifetime: 6 * time.Minute},
		"guessed, long":                    {policy: guesses, status: 200, fields: []string{"Last-Modified", at(-1000 * time.Hour)}, lifetime: time.Hour},
		"guessed for no such status":       {policy: guesses, status: 403, fields: []string{"Last-Modified", at(-time.Hour)}, lifetime: -1},
		"guessed, public":                  {policy: guesses, status: 599, fields: append(cc("public"), "Last-Modified", at(-time.Hour)), lifetime: 6 * time.Minute},
		"no guess against no-cache":        {policy: guesses, status: 200, fields: append(cc("no-cache"), "Last-Modified", at(-time.Hour)), lifetime: 0},
		"by status":                        {policy: byStatus, status: 404, lifetime: time.Minute},
		"by another status":                {policy: byStatus, status: 403, lifetime: -1},
		"what it says goes first":          {policy: byStatus, status: 404, fields: cc("max-age=5"), lifetime: 5 * time.Second},
		"targeted":                         {policy: targets, status: 200, fields: append(cc("no-store"), "Cdn-Cache-Control", "max-age=9"), lifetime: 9 * time.Second},
		"targeted against expires":         {policy: targets, status: 200, fields: []string{"Expires", at(time.Hour), "Cdn-Cache-Control", "no-store"}, lifetime: -1},
	} {
		t.Run(name, func(t *testing.T) {
			v := judged(tt.policy, tt.status, tt.authorized, tt.fields...)
			stored := tt.lifetime >= 0 || slices.Contains(tt.fields, "Etag") && tt.lifetime != -1
			if v.Store != stored || stored && v.Lifetime != tt.lifetime {
				t.Errorf("got stored %v for %v, want %v for %v", v.Store, v.Lifetime, stored, tt.lifetime)
			}
		})
	}
}

func TestJudge_AgeIsTheWorstThatCanBe(t *testing.T) {
	for name, tt := range map[string]struct {
		fields []string
		want   time.Duration
	}{
		"none":          {nil, 0},
		"said":          {[]string{"Age", "30"}, 30 * time.Second},
		"by date":       {[]string{"Date", at(-time.Minute)}, time.Minute},
		"both":          {[]string{"Age", "90", "Date", at(-time.Minute)}, 90 * time.Second},
		"a fast clock":  {[]string{"Date", at(time.Minute)}, 0},
		"nonsense":      {[]string{"Age", "abc"}, old},
		"negative":      {[]string{"Age", "-1"}, old},
		"several":       {[]string{"Age", "0", "Age", "0"}, old},
		"a list":        {[]string{"Age", "0, 0"}, old},
		"very old":      {[]string{"Age", "99999999999999999999"}, old},
		"a part second": {[]string{"Date", at(-time.Second)}, 0},
	} {
		if got := judged(Policy{}, 200, false, tt.fields...).Age; got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
	r := &Response{Status: 200, Lines: fieldsOf(nil), Asked: noon, Came: noon.Add(7 * time.Second)}
	if got := (&Policy{}).Judge(r).Age; got != 7*time.Second {
		t.Errorf("the way took 7s, and the age is %v", got)
	}
}

func TestNormal_WhatMeansTheSameIsTheSame(t *testing.T) {
	for _, tt := range []struct {
		name string
		a, b []string
		same bool
	}{
		{"Foo", []string{"1", " 2"}, []string{"1,2"}, true},
		{"Foo", []string{"1, 2"}, []string{"2, 1"}, false},
		{"Foo", []string{`"a, b"`}, []string{`"a,b"`}, false},
		{"Accept-Language", []string{"en, De"}, []string{"dE,EN"}, true},
		{"Accept-Language", []string{"en;q=0.5"}, []string{"en"}, false},
		{"Accept-Encoding", []string{"gzip, br"}, []string{"br;q=0.1", "x-gzip"}, true},
		{"Accept-Encoding", []string{"gzip, identity"}, []string{"gzip"}, true},
		{"Accept-Encoding", []string{"gzip;q=0"}, []string{"gzip"}, false},
		{"Accept-Encoding", []string{"gzip;q=0.0"}, []string{"gzip;Q=0"}, true},
		{"Accept-Encoding", []string{"identity;q=0, gzip"}, []string{"gzip"}, false},
		{"User-Agent", []string{"a,  b"}, []string{"a, b"}, false},
	} {
		if same := Normal(tt.name, tt.a) == Normal(tt.name, tt.b); same != tt.same {
			t.Errorf("%s: %q and %q are the same: %v", tt.name, tt.a, tt.b, same)
		}
	}
	none, empty := AppendVariant(nil, []string{"Foo"}, http.Header{}), AppendVariant(nil, []string{"Foo"}, http.Header{"Foo": {""}})
	if string(none) == string(empty) {
		t.Error("no field is the same as an empty one")
	}
}

func FuzzVary(f *testing.F) {
	f.Add("Accept, accept-encoding", "gzip, br;q=0", "x")
	f.Add("*", "", "")
	f.Add(", ,Foo", "a\x00b", `"a,b\"`)
	f.Fuzz(func(t *testing.T, line, one, other string) {
		names, ok := VaryNames([]string{line})
		if again, _ := VaryNames([]string{strings.Join(names, ",")}); ok && !slices.Equal(names, again) {
			t.Errorf("%q: got %q, and then %q", line, names, again)
		}
		for _, name := range append(names, "Accept-Encoding", "Accept-Language", "Foo") {
			if Normal(name, []string{one}) != Normal(name, []string{" " + one + "\t"}) && !slices.Contains([]string{"Cookie", "Authorization", "User-Agent", "Origin", "Referer"}, name) {
				t.Errorf("%s: blanks around %q are of account", name, one)
			}
		}
		h, g := http.Header{"Foo": {one}}, http.Header{"Foo": {other}}
		if one != other && !strings.ContainsAny(one+other, " ,\t\n\r\v\f\"\u0085\u00a0") && strings.TrimSpace(one) == one && strings.TrimSpace(other) == other &&
			string(AppendVariant(nil, []string{"Foo"}, h)) == string(AppendVariant(nil, []string{"Foo"}, g)) {
			t.Errorf("%q and %q are one variant", one, other)
		}
	})
}

func TestParseRange(t *testing.T) {
	for text, want := range map[string]struct {
		span         Span
		asked, there bool
	}{
		"bytes=0-1": {Span{0, 2}, true, true}, "bytes=5-": {Span{5, 5}, true, true}, "bytes=-3": {Span{7, 3}, true, true},
		"bytes=-30": {Span{0, 10}, true, true}, "bytes=8-99": {Span{8, 2}, true, true}, "Bytes = 9-9": {Span{9, 1}, true, true},
		"bytes=10-": {Span{}, true, false}, "bytes=-0": {Span{10, 0}, true, false},
		"bytes=3-2": {}, "bytes=0-1,3-4": {}, "bytes=a-b": {}, "lines=0-1": {}, "bytes": {}, "bytes=-": {}, "bytes=1": {}, "bytes=9999999999999999999-": {},
	} {
		span, asked, there := ParseRange(text, 10)
		if span != want.span || asked != want.asked || there != want.there {
			t.Errorf("%s: got %v, %v, %v", text, span, asked, there)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	for _, seed := range []string{"bytes=0-1", "bytes=-5", "bytes=5-", "bytes=1-2,3-4", "bytes=99999999999999999999-"} {
		f.Add(seed, int64(100))
	}
	f.Fuzz(func(t *testing.T, text string, size int64) {
		size = max(size, 0)
		if span, asked, there := ParseRange(text, size); there && (!asked || span.From < 0 || span.Length <= 0 || span.From+span.Length > size) {
			t.Errorf("%q of %d bytes: got %v", text, size, span)
		}
	})
}

func entry(fields ...string) *Entry {
	h := http.Header{}
	for i := 0; i < len(fields); i += 2 {
		h.Add(fields[i], fields[i+1])
	}
	v := (&Policy{}).Judge(&Response{Status: 200, Lines: fieldsOf(h), Asked: noon, Came: noon})
	e := NewEntry("key", "a.test/b", 200, v, noon, func(visit func(name, value string)) {
		for _, name := range slices.Sorted(maps.Keys(h)) {
			for _, value := range h[name] {
				visit(name, value)
			}
		}
	})
	e.Init()
	return e
}

func TestEvaluate(t *testing.T) {
	e := entry("Etag", `W/"1"`, "Last-Modified", at(-time.Hour))
	for name, tt := range map[string]struct {
		fields http.Header
		want   Condition
	}{
		"no condition":       {http.Header{}, Unconditional},
		"the tag":            {http.Header{"If-None-Match": {`"0", "1"`}}, NotModified},
		"another tag":        {http.Header{"If-None-Match": {`"2"`}}, Unconditional},
		"any tag":            {http.Header{"If-None-Match": {`*`}}, NotModified},
		"the tag goes first": {http.Header{"If-None-Match": {`"2"`}, "If-Modified-Since": {at(0)}}, Unconditional},
		"since":              {http.Header{"If-Modified-Since": {at(-time.Hour)}}, NotModified},
		"since before":       {http.Header{"If-Modified-Since": {at(-2 * time.Hour)}}, Unconditional},
		"since nonsense":     {http.Header{"If-Modified-Since": {"yesterday"}}, Unconditional},
	} {
		if got := Evaluate(tt.fields, e); got != tt.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestFreshen_TakesTheFieldsThatAreNotAboutTheBody(t *testing.T) {
	e := entry("Etag", `"1"`, "X-A", "old", "X-B", "kept", "Content-Type", "text/plain", "Content-Encoding", "gzip", "Cache-Control", "max-age=1")
	h := http.Header{"Etag": {`"2"`}, "X-A": {"new", "newer"}, "Content-Encoding": {"br"}, "Cache-Control": {"max-age=60"}, "Date": {at(time.Minute)}, "Connection": {"close"}}
	fresh, v := (&Policy{}).Freshen(e, &Response{Status: 304, Lines: fieldsOf(h), Asked: noon.Add(time.Minute), Came: noon.Add(time.Minute)}, func(visit func(name, value string)) {
		for name, values := range h {
			for _, v := range values {
				visit(name, v)
			}
		}
	})
	got := http.Header{}
	for _, f := range fresh.Fields {
		got[f.Name] = append(got[f.Name], f.Value)
	}
	want := http.Header{
		"Etag": {`"1"`}, "X-A": {"new", "newer"}, "X-B": {"kept"}, "Content-Type": {"text/plain"}, "Content-Encoding": {"gzip"},
		"Cache-Control": {"max-age=60"}, "Date": {at(time.Minute)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if left := fresh.FreshFor(noon.Add(time.Minute)); left != time.Minute || !v.Store {
		t.Errorf("it is fresh for %v", left)
	}
	if e.Get("X-A") != "old" {
		t.Error("the stored one is changed")
	}
}

func TestWantsPart(t *testing.T) {
	e := entry("Etag", `"1"`, "Last-Modified", at(-time.Hour))
	for condition, want := range map[string]bool{"": true, `"1"`: true, `"2"`: false, `W/"1"`: false, at(-time.Hour): true, at(0): false} {
		h := http.Header{"Range": {"bytes=0-1"}}
		if condition != "" {
			h.Set("If-Range", condition)
		}
		if got := WantsPart(h, e) != ""; got != want {
			t.Errorf("If-Range %q: got %v", condition, got)
		}
	}
}

func TestDecode_IsEncodeBackwards(t *testing.T) {
	e := entry("Etag", `"1"`, "Set-Cookie", "a=b", "Set-Cookie", "c=d", "Cache-Control", "max-age=5, must-revalidate, stale-if-error=7")
	e.Body, e.Tags, e.Names, e.Salt = []byte("body"), []string{"a", "b"}, []string{"Accept"}, 1<<63+1
	b := Encode(nil, e)
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	got.Came = got.Came.UTC()
	if diff := cmp.Diff(e, got, cmp.AllowUnexported(Entry{})); diff != "" {
		t.Error(diff)
	}
	for n := range b { // a write that was cut off
		if _, err := Decode(b[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes are taken for an entry", n, len(b))
		}
	}
	for i := range b { // a bit that fell over
		bad := slices.Clone(b)
		bad[i] ^= 4
		if _, err := Decode(bad); err == nil {
			t.Fatalf("byte %d is damaged, and that is not seen", i)
		}
	}
}

// sealed is what Decode takes for whole.
func sealed(content []byte) []byte {
	b := append(append([]byte(magic), 0, 0, 0, 0), content...)
	seal(b)
	return b
}

func FuzzDecode(f *testing.F) {
	e := entry("Etag", `"1"`, "Cache-Control", "max-age=5")
	e.Body = []byte("body")
	f.Add(Encode(nil, e)[len(magic)+4:])
	f.Add([]byte{})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, content []byte) {
		b := sealed(content)
		e, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Decode(Encode(nil, e))
		if err != nil {
			t.Fatalf("what was decoded cannot be decoded again: %v", err)
		}
		if !cmp.Equal(e, again, cmp.AllowUnexported(Entry{})) {
			t.Error(cmp.Diff(e, again, cmp.AllowUnexported(Entry{})))
		}
	})
}
