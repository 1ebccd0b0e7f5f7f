package index

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"fairway/router/rule"
)

// source is where tests draw from: a seeded generator or the bytes of a fuzzer.
type source interface{ IntN(n int) int }

// byteSource draws from bytes; when they run out it draws zeros.
type byteSource struct{ rest []byte }

func (b *byteSource) IntN(n int) int {
	if len(b.rest) == 0 {
		return 0
	}
	v := int(b.rest[0]) % n
	b.rest = b.rest[1:]
	return v
}

func pick(src source, words ...string) string { return words[src.IntN(len(words))] }

// The alphabets are small and overlap, so that rules and requests meet.
func drawHost(src source) string {
	return pick(src, "a.x", "b.x", "c.a.x", "x", "a.y", "b.a.x", "a")
}

func drawPath(src source) string {
	var b strings.Builder
	b.WriteByte('/')
	for range src.IntN(5) {
		b.WriteString(pick(src, "a", "b", "/", "ab", "a/"))
	}
	return b.String()
}

func drawMatcher(src source) string {
	switch src.IntN(18) {
	case 0, 1, 2:
		return "Host(`" + drawHost(src) + "`)"
	case 3:
		return "Host(`*." + drawHost(src) + "`)"
	case 4, 5, 6:
		return "PathPrefix(`" + drawPath(src) + "`)"
	case 7, 8:
		return "Path(`" + drawPath(src) + "`)"
	case 9:
		return "HostRegexp(`" + pick(src, "^a", "x$", "^.$", "\\.a\\.") + "`)"
	case 10:
		return "PathRegexp(`" + pick(src, "a$", "^/b", "//", "^/.?$") + "`)"
	case 11:
		return "Method(`" + pick(src, "GET", "POST") + "`)"
	case 12:
		return "Header(`X-A`, `" + pick(src, "1", "2") + "`)"
	case 13:
		return "HeaderRegexp(`X-A`, `" + pick(src, "1", "[23]") + "`)"
	case 14:
		return pick(src, "Query(`k`)", "Query(`k`, `1`)")
	case 15:
		return pick(src, "QueryRegexp(`k`)", "QueryRegexp(`k`, `1`)")
	case 16:
		return "ClientIP(`" + pick(src, "10.0.0.1", "10.0.0.0/8", "::1") + "`)"
	default:
		return "Host(`*`)"
	}
}

func drawRule(src source, depth int) string {
	if depth == 0 {
		return drawMatcher(src)
	}
	switch src.IntN(6) {
	case 0, 1:
		return drawRule(src, depth-1) + " && " + drawRule(src, depth-1)
	case 2:
		return "(" + drawRule(src, depth-1) + " || " + drawRule(src, depth-1) + ")"
	case 3:
		return "!(" + drawRule(src, depth-1) + ")"
	default:
		return drawMatcher(src)
	}
}

func drawRequest(src source) rule.Request {
	return rule.NewRequest(&http.Request{
		Method:     pick(src, "GET", "POST"),
		Host:       drawHost(src),
		URL:        &url.URL{Path: drawPath(src), RawQuery: pick(src, "", "k", "k=1", "k=2&k=1")},
		Header:     http.Header{"X-A": {pick(src, "1", "2", "3")}},
		RemoteAddr: pick(src, "10.0.0.1:1", "10.1.0.1:1", "[::1]:1"),
	})
}

// drawEntry makes ties of every length likely.
func drawEntry(tb testing.TB, src source) Entry[int] {
	return Entry[int]{
		Rule:       parse(tb, drawRule(src, src.IntN(4))),
		Priority:   src.IntN(4),
		Precedence: src.IntN(3),
		Name:       fmt.Sprintf("r%d", src.IntN(40)),
		Value:      src.IntN(256),
	}
}

func parse(tb testing.TB, text string) *rule.Rule {
	tb.Helper()
	r, err := rule.Parse(text)
	if err != nil {
		tb.Fatalf("parse %s: %v", text, err)
	}
	return r
}

// linear is the oracle: the entries in the order of the documentation, tried
// one after the other.
type linear []Entry[int]

func (l linear) with(removed []string, added []Entry[int]) linear {
	next := slices.DeleteFunc(slices.Clone(l), func(e Entry[int]) bool { return slices.Contains(removed, e.Name) })
	next = append(next, added...)
	slices.SortStableFunc(next, func(a, b Entry[int]) int {
		switch {
		case a.Priority != b.Priority:
			return b.Priority - a.Priority
		case a.Precedence != b.Precedence:
			return a.Precedence - b.Precedence
		case a.Name != b.Name:
			return strings.Compare(a.Name, b.Name)
		}
		return strings.Compare(a.Rule.String(), b.Rule.String())
	})
	return next
}

func (l linear) lookup(q *rule.Request) *Entry[int] {
	for i := range l {
		if l[i].Rule.Match(q) {
			return &l[i]
		}
	}
	return nil
}

// checkSame compares the index with the oracle for one request.
func checkSame(tb testing.TB, ix *Index[int], l linear, q *rule.Request) bool {
	tb.Helper()
	got, want := ix.Lookup(q), l.lookup(q)
	if (got == nil) != (want == nil) || got != nil && *got != *want {
		tb.Errorf("host %q path %q: got %s, want %s", q.Host, q.Path, describe(got), describe(want))
	}
	return want != nil
}

func describe(e *Entry[int]) string {
	if e == nil {
		return "nothing"
	}
	return fmt.Sprintf("%s (priority %d, precedence %d, value %d, %s)", e.Name, e.Priority, e.Precedence, e.Value, e.Rule)
}

// checkOrder compares All and Len with the oracle.
func checkOrder(tb testing.TB, ix *Index[int], l linear) {
	tb.Helper()
	if ix.Len() != len(l) {
		tb.Errorf("Len: got %d, want %d", ix.Len(), len(l))
	}
	i := 0
	for e := range ix.All() {
		if i >= len(l) || *e != l[i] {
			tb.Fatalf("All: entry %d is %s", i, describe(e))
		}
		i++
	}
}
