package aggregate

import (
	"fmt"
	"net/url"
	"strings"
)

// pattern is that of the request's path.
type pattern []string // segments; {name} for one that has a name, {name...} for the rest

func newPattern(text string) (pattern, error) {
	if text == "" {
		return nil, nil
	}
	if !strings.HasPrefix(text, "/") {
		return nil, fmt.Errorf("%q does not begin with a slash", text)
	}
	segments := strings.Split(text[1:], "/")
	seen := map[string]bool{}
	for i, s := range segments {
		name, named := nameOf(s)
		switch {
		case !named && strings.ContainsAny(s, "{}"):
			return nil, fmt.Errorf("%q: braces go around a whole segment", s)
		case named && (name == "" || seen[name]):
			return nil, fmt.Errorf("%q: the name is empty, or there twice", s)
		case strings.HasSuffix(s, "...}") && i < len(segments)-1:
			return nil, fmt.Errorf("%q: only the last segment can be the rest", s)
		}
		seen[name] = named
	}
	return segments, nil
}

// nameOf is the name in braces.
func nameOf(segment string) (name string, named bool) {
	if len(segment) < 2 || segment[0] != '{' || segment[len(segment)-1] != '}' {
		return "", false
	}
	return strings.TrimSuffix(segment[1:len(segment)-1], "..."), true
}

// match returns the values of the names; false: the path is another.
func (p pattern) match(escaped string) (map[string]string, bool) {
	if p == nil {
		return nil, true
	}
	names := map[string]string{}
	rest := strings.TrimPrefix(escaped, "/")
	for i, s := range p {
		one, after, more := strings.Cut(rest, "/")
		if name, named := nameOf(s); named && strings.HasSuffix(s, "...}") {
			one, after, more = rest, "", false
			if names[name] = unescaped(one); names[name] == "" {
				return nil, false
			}
		} else if named {
			if names[name] = unescaped(one); names[name] == "" {
				return nil, false
			}
		} else if one != s {
			return nil, false
		}
		if more != (i < len(p)-1) {
			return nil, false
		}
		rest = after
	}
	return names, true
}

func unescaped(segment string) string {
	text, err := url.PathUnescape(segment)
	if err != nil {
		return ""
	}
	return text
}
