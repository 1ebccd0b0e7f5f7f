// Package pathpattern has patterns of paths with names in them, as /pages/{id} and /files/{path...}.
package pathpattern

import (
	"fmt"
	"net/url"
	"strings"
)

// Pattern is that of a path: its segments, with {name} for one that has a name, and {name...} or
// {name+}, as AWS writes it, for the rest. That of an empty text is nil, and takes every path.
type Pattern []string

// New reads a pattern.
func New(text string) (Pattern, error) {
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
		case isRest(s) && i < len(segments)-1:
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
	name = segment[1 : len(segment)-1]
	if isRest(segment) {
		name = strings.TrimSuffix(strings.TrimSuffix(name, "..."), "+")
	}
	return name, true
}

func isRest(segment string) bool {
	return strings.HasPrefix(segment, "{") && (strings.HasSuffix(segment, "...}") || strings.HasSuffix(segment, "+}"))
}

// String is the pattern as AWS writes it.
func (p Pattern) String() string {
	if p == nil {
		return ""
	}
	all := make([]string, len(p))
	for i, s := range p {
		if all[i] = s; isRest(s) {
			name, _ := nameOf(s)
			all[i] = "{" + name + "+}"
		}
	}
	return "/" + strings.Join(all, "/")
}

// Match returns the values of the names; false: the path is another.
func (p Pattern) Match(escaped string) (map[string]string, bool) {
	if p == nil {
		return nil, true
	}
	names := map[string]string{}
	rest := strings.TrimPrefix(escaped, "/")
	for i, s := range p {
		one, after, more := strings.Cut(rest, "/")
		if name, named := nameOf(s); named && isRest(s) {
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
