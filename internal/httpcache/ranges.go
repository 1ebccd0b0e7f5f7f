package httpcache

import (
	"net/http"
	"strings"
)

// Span is a part of a body: from a byte on, and how many.
type Span struct{ From, Length int64 }

// ParseRange reads a Range field that asks for one part of size bytes (RFC 9110, section
// 14.1.2). Not asked: it asks for none, or for several, or makes no sense, and the whole
// body is the answer. Not there: no byte of that part is.
func ParseRange(text string, size int64) (s Span, asked, there bool) {
	unit, spec, ok := strings.Cut(text, "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(unit), "bytes") || strings.Contains(spec, ",") {
		return Span{}, false, false
	}
	from, to, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok {
		return Span{}, false, false
	}
	if from == "" { // the last bytes
		n, ok := number(to)
		if !ok {
			return Span{}, false, false
		}
		n = min(n, size)
		return Span{size - n, n}, true, n > 0
	}
	begin, ok := number(from)
	if !ok {
		return Span{}, false, false
	}
	end := size - 1
	if to != "" {
		if end, ok = number(to); !ok || end < begin {
			return Span{}, false, false
		}
	}
	if begin >= size {
		return Span{}, true, false
	}
	end = min(end, size-1)
	return Span{begin, end - begin + 1}, true, true
}

// number reads digits up to 18, which no file is longer than.
func number(s string) (n int64, ok bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// WantsPart is the Range that counts: If-Range may say that it does not (RFC 9110, section
// 13.1.5).
func WantsPart(h http.Header, e *Entry) string {
	ranges := h["Range"]
	if len(ranges) != 1 || e.Status != http.StatusOK {
		return ""
	}
	condition := h.Get("If-Range")
	switch {
	case condition == "":
		return ranges[0]
	case strings.HasPrefix(condition, `"`):
		if condition == e.Get("Etag") {
			return ranges[0]
		}
	case condition == e.Get("Last-Modified") && !strings.HasPrefix(condition, "W/"):
		return ranges[0]
	}
	return ""
}
