package accesslog

import (
	"net/http"
	"strings"
)

// query leaves out parameters of a query, or their values. Names are compared as servers
// read them: decoded, and without regard to case. Parameters end at "&", and at ";" for
// the servers that take it for one.
type query struct{ choices }

// open tells whether queries are written as they are.
func (q *query) open() bool { return q.otherwise == keep && len(q.names) == 0 }

// append adds a query with its question mark, if anything of it is left.
func (q *query) append(dst []byte, x *line, raw string) []byte {
	if q.open() {
		return x.escape(append(dst, '?'), raw)
	}
	if q.otherwise == drop && len(q.names) == 0 {
		return dst
	}
	separator := byte('?')
	for raw != "" {
		var one string
		end := strings.IndexAny(raw, "&;")
		next := byte('&')
		if end < 0 {
			one, raw = raw, ""
		} else {
			one, next, raw = raw[:end], raw[end], raw[end+1:]
		}
		name, _, hasValue := strings.Cut(one, "=")
		switch q.of(x, name) {
		case keep:
			dst = x.escape(append(dst, separator), one)
		case redact:
			dst = x.escape(append(dst, separator), name)
			if hasValue {
				dst = append(dst, "="+redacted...)
			}
		case drop:
			continue
		}
		separator = next
	}
	return dst
}

// of is the mode of a parameter by its name as it stands in the query.
func (q *query) of(x *line, raw string) mode {
	if len(q.names) == 0 {
		return q.otherwise
	}
	name := x.scratch[:0]
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(raw) && isHex(raw[i+1]) && isHex(raw[i+2]):
			c = unhex(raw[i+1])<<4 | unhex(raw[i+2])
			i += 2
		}
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		name = append(name, c)
	}
	x.scratch = name
	if m, ok := q.names[string(name)]; ok {
		return m
	}
	return q.otherwise
}

// hasQuery tells whether the value of a header, by its name in canonical form, is the address
// of something, or has one as Refresh does.
func hasQuery(header string) bool {
	switch header {
	case "Referer", "Location", "Content-Location", "Refresh":
		return true
	}
	return strings.HasSuffix(header, "-Url") || strings.HasSuffix(header, "-Uri")
}

// appendURL adds an address whose query is treated as that of the request. What follows
// "#" may have parameters as well, and goes.
func (q *query) appendURL(dst []byte, x *line, address string) []byte {
	if q.open() {
		return x.escape(dst, address)
	}
	address, _, _ = strings.Cut(address, "#")
	before, raw, has := strings.Cut(address, "?")
	dst = x.escape(dst, before)
	if has {
		dst = q.append(dst, x, raw)
	}
	return dst
}

// appendPath adds path and query of a request. The path is escaped as url.URL does it.
func (q *query) appendPath(dst []byte, x *line, r *http.Request) []byte {
	u := r.URL
	if u == nil {
		return dst
	}
	if u.RawPath != "" {
		dst = x.escape(dst, u.RawPath)
	} else {
		dst = escapePath(dst, u.Path)
	}
	switch {
	case u.RawQuery != "":
		dst = q.append(dst, x, u.RawQuery)
	case u.ForceQuery:
		dst = append(dst, '?')
	}
	return dst
}

// escapePath adds a path with all but what may stand for itself in one (RFC 3986, section
// 3.3) as a sequence.
func escapePath(dst []byte, path string) []byte {
	from := 0
	for i := range len(path) {
		if c := path[i]; !inPath[c] {
			dst = append(dst, path[from:i]...)
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
			from = i + 1
		}
	}
	return append(dst, path[from:]...)
}

// inPath has the bytes that url.URL leaves as they are in paths.
var inPath = func() (plain [256]bool) {
	for c := range len(plain) {
		plain[c] = 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c != 0 && strings.IndexByte("-_.~/$&+,:;=@!*'()[]", byte(c)) >= 0
	}
	return plain
}()

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
