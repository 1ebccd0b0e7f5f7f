package httpcache

import (
	"net/http"
	"strings"
)

// Targeted fields are Cache-Control for caches of one kind (RFC 9213): the first of them
// that a response has takes the place of Cache-Control and Expires. They are Structured
// Fields (RFC 9651), which are stricter: one mistake, and the field is as if it were not
// there. Surrogate-Control is older than that and read as Cache-Control is.

// Lines returns the lines of a field of a response.
type Lines func(name string) []string

// ResponseDirectives are those of a response: of the first targeted field that it has, or
// of Cache-Control. targeted tells which it was.
func ResponseDirectives(lines Lines, targets []string) (d Directives, targeted bool) {
	for _, name := range targets {
		found := lines(name)
		if len(found) == 0 {
			continue
		}
		if name == "Surrogate-Control" {
			return ParseDirectives(withoutParameters(found)), true
		}
		if d, ok := parseTargeted(found); ok && d.Present {
			return d, true
		}
	}
	return ParseDirectives(lines("Cache-Control")), false
}

// withoutParameters drops what stands behind a semicolon: whom a directive of
// Surrogate-Control is for.
func withoutParameters(lines []string) []string {
	var plain []string
	for _, line := range lines {
		var kept []string
		for item := range strings.SplitSeq(line, ",") {
			item, _, _ = strings.Cut(item, ";")
			kept = append(kept, item)
		}
		plain = append(plain, strings.Join(kept, ","))
	}
	return plain
}

// parseTargeted reads a dictionary of Structured Fields.
func parseTargeted(lines []string) (d Directives, ok bool) {
	s := &scanner{rest: strings.Join(lines, ", ")}
	s.blanks()
	for s.rest != "" {
		key, ok := s.key()
		if !ok {
			return Directives{}, false
		}
		argument, kind := "", 't'
		if s.eat('=') {
			if argument, kind, ok = s.item(); !ok {
				return Directives{}, false
			}
		}
		if !s.parameters() {
			return Directives{}, false
		}
		d.Present = true
		d.takeTargeted(key, argument, kind)
		s.optional()
		if s.rest == "" {
			return d, true
		}
		if !s.eat(',') {
			return Directives{}, false
		}
		if s.optional(); s.rest == "" { // a comma at the end
			return Directives{}, false
		}
	}
	return d, true
}

// takeTargeted takes a directive in, if the kind of its argument is right: n is a number,
// t true, s a string, and o anything else.
func (d *Directives) takeTargeted(key, argument string, kind rune) {
	switch numbers := d.seconds(key) != nil || key == "max-stale"; {
	case numbers && kind == 'n':
		d.take(key, argument, true)
	case numbers:
	case kind == 't':
		d.take(key, "", false)
	case kind == 's' && (key == "no-cache" || key == "private"):
		d.take(key, argument, true)
	}
}

// scanner reads Structured Fields (RFC 9651, section 4.2).
type scanner struct{ rest string }

func (s *scanner) eat(c byte) bool {
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *scanner) blanks()   { s.rest = strings.Trim(s.rest, " ") }
func (s *scanner) optional() { s.rest = strings.TrimLeft(s.rest, " \t") }

// while takes bytes off as long as they are right.
func (s *scanner) while(right func(c byte) bool) string {
	n := 0
	for n < len(s.rest) && right(s.rest[n]) {
		n++
	}
	taken := s.rest[:n]
	s.rest = s.rest[n:]
	return taken
}

func (s *scanner) key() (string, bool) {
	if s.rest == "" || !(isLower(s.rest[0]) || s.rest[0] == '*') {
		return "", false
	}
	return s.while(func(c byte) bool { return isLower(c) || isDigit(c) || strings.IndexByte("_-.*", c) >= 0 }), true
}

func (s *scanner) parameters() bool {
	for s.eat(';') {
		s.rest = strings.TrimLeft(s.rest, " ")
		if _, ok := s.key(); !ok {
			return false
		}
		if s.eat('=') {
			if _, _, ok := s.item(); !ok {
				return false
			}
		}
	}
	return true
}

// item reads a bare item, or an inner list of them.
func (s *scanner) item() (text string, kind rune, ok bool) {
	if s.rest == "" {
		return "", 0, false
	}
	switch c := s.rest[0]; {
	case c == '"':
		content, rest, ok := cutQuoted(s.rest[1:])
		s.rest = rest
		return content, 's', ok
	case isDigit(c) || c == '-':
		return s.number()
	case c == '?':
		if len(s.rest) < 2 || s.rest[1] != '0' && s.rest[1] != '1' {
			return "", 0, false
		}
		kind := 'o'
		if s.rest[1] == '1' {
			kind = 't'
		}
		s.rest = s.rest[2:]
		return "", kind, true
	case isLower(c) || c >= 'A' && c <= 'Z' || c == '*':
		return s.while(func(c byte) bool { return isToken(c) || c == ':' || c == '/' }), 'o', true
	}
	return "", 0, false // dates, bytes and lists are in no directive
}

func (s *scanner) number() (text string, kind rune, ok bool) {
	minus := s.eat('-')
	whole := s.while(isDigit)
	if whole == "" || len(whole) > 15 {
		return "", 0, false
	}
	if s.eat('.') {
		part := s.while(isDigit)
		return "", 'o', part != "" && len(part) <= 3 && len(whole) <= 12
	}
	if minus {
		return "-" + whole, 'n', true
	}
	return whole, 'n', true
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isToken(c byte) bool {
	return isLower(c) || isDigit(c) || c >= 'A' && c <= 'Z' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// fieldsOf are the lines of a header map.
func fieldsOf(h http.Header) Lines { return func(name string) []string { return h[name] } }
