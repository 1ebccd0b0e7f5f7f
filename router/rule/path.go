package rule

import (
	"regexp"
	"strings"
)

// reserved are the characters that mean something else when they stand for
// themselves in a path, so their percent-encoded form is kept.
const reserved = "/?#[]@!$&'()*+,;=%:"

// RoutingPath turns the escaped path of a request into the form rules compare
// with: percent sequences are decoded unless they stand for a reserved
// character; those are kept, with upper-case digits. A sequence that is not
// valid stays as it is. It allocates only when something changes.
func RoutingPath(escapedPath string) string {
	for i := strings.IndexByte(escapedPath, '%'); i >= 0 && i+2 < len(escapedPath); i++ {
		if escapedPath[i] != '%' {
			continue
		}
		c, ok := unhex(escapedPath[i+1], escapedPath[i+2])
		if ok && (!isReserved(c) || isLower(escapedPath[i+1]) || isLower(escapedPath[i+2])) {
			return decodePath(escapedPath, i)
		}
	}
	return escapedPath
}

// decodePath rewrites the path from its first sequence to change.
func decodePath(s string, i int) string {
	b := append(make([]byte, 0, len(s)), s[:i]...)
	for i < len(s) {
		if s[i] != '%' || i+2 >= len(s) {
			b = append(b, s[i])
			i++
			continue
		}
		c, ok := unhex(s[i+1], s[i+2])
		switch {
		case !ok:
			b = append(b, '%')
			i++
			continue
		case isReserved(c):
			const digits = "0123456789ABCDEF"
			b = append(b, '%', digits[c>>4], digits[c&15])
		default:
			b = append(b, c)
		}
		i += 3
	}
	return string(b)
}

func isReserved(c byte) bool { return strings.IndexByte(reserved, c) >= 0 }
func isLower(c byte) bool    { return 'a' <= c && c <= 'z' }

func unhex(hi, lo byte) (byte, bool) {
	h, okHi := hexDigit(hi)
	l, okLo := hexDigit(lo)
	return h<<4 | l, okHi && okLo
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case isDigit(c):
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

type (
	path       string
	pathPrefix string // of the text, not of the segments
	pathRegexp struct {
		re *regexp.Regexp
		// prefix is what every path that matches starts with, as far as known.
		prefix string
	}
)

func (p path) match(q *Request) bool       { return q.Path == string(p) }
func (p pathPrefix) match(q *Request) bool { return strings.HasPrefix(q.Path, string(p)) }
func (p pathRegexp) match(q *Request) bool {
	return strings.HasPrefix(q.Path, p.prefix) && p.re.MatchString(q.Path)
}

func (path) cost() cost       { return costCompare }
func (pathPrefix) cost() cost { return costCompare }
func (pathRegexp) cost() cost { return costRegexp }

func buildPath(arg argument) (node, *Error) {
	if err := checkPath("Path", arg); err != nil {
		return nil, err
	}
	if err := checkPathShape("Path", arg); err != nil {
		return nil, err
	}
	return path(arg.text), nil
}

func buildPathPrefix(arg argument) (node, *Error) {
	if err := checkPath("PathPrefix", arg); err != nil {
		return nil, err
	}
	if err := checkPathShape("PathPrefix", arg); err != nil {
		return nil, err
	}
	return pathPrefix(arg.text), nil
}

func buildPathRegexp(arg argument) (node, *Error) {
	if err := checkTemplate("PathRegexp", arg); err != nil {
		return nil, err
	}
	re, err := compile(arg, arg.text)
	if err != nil {
		return nil, err
	}
	return pathRegexp{re: re}, nil
}

func checkPath(name string, arg argument) *Error {
	if arg.text[0] != '/' {
		return errorAt(arg.offset, "the path of %s has to start with a slash: %s", name, quote("/"+arg.text))
	}
	return nil
}
