package aggregate

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// template is a text with values in it.
type template []piece

// piece is a literal, or a value by its names.
type piece struct {
	literal   string
	value     []string // path, id
	otherwise string
}

// sources are the first names that values may have.
var sources = map[string]bool{"path": true, "query": true, "header": true, "claims": true, "consumer": true, "parts": true, "item": true, "items": true, "method": true}

func newTemplate(text string) (t template, err error) {
	for rest := text; rest != ""; {
		open := strings.IndexByte(rest, '{')
		if open < 0 {
			return append(t, piece{literal: rest}), nil
		}
		if open > 0 {
			t = append(t, piece{literal: rest[:open]})
		}
		end := strings.IndexByte(rest[open:], '}')
		offset := len(text) - len(rest) + open
		if end < 0 {
			return nil, fmt.Errorf("at offset %d: the brace is not closed", offset)
		}
		names, otherwise, _ := strings.Cut(rest[open+1:open+end], "|")
		p := piece{value: strings.Split(strings.TrimSpace(names), "."), otherwise: otherwise}
		if err := p.check(); err != nil {
			return nil, fmt.Errorf("at offset %d: {%s}: %w", offset, names, err)
		}
		t = append(t, p)
		rest = rest[open+end+1:]
	}
	return t, nil
}

func (p piece) check() error {
	for _, name := range p.value {
		if name == "" {
			return errors.New("a name is empty")
		}
	}
	switch first := p.value[0]; {
	case !sources[first]:
		return fmt.Errorf("there is no %q, only path, query, header, claims, consumer, parts, item, items and method", first)
	case (first == "item" || first == "items" || first == "method") && len(p.value) >= 1:
	case len(p.value) < 2:
		return fmt.Errorf("of %s a name is wanted", first)
	}
	return nil
}

// needs calls yield for each other part that the template has something of.
func (t template) needs(yield func(part string)) {
	for _, p := range t {
		if len(p.value) > 1 && p.value[0] == "parts" {
			yield(p.value[1])
		}
	}
}

// errNothing says that there is no value, in a place where there has to be one.
type errNothing string

func (e errNothing) Error() string { return "there is no " + string(e) }

// render makes the text. Each value goes through escape; one that is not there makes the whole
// text empty, or is an error if it is required.
func (t template) render(values *values, escape func(string) string, required bool) (string, error) {
	var b strings.Builder
	for _, p := range t {
		if p.value == nil {
			b.WriteString(p.literal)
			continue
		}
		text, ok := values.text(p.value)
		if !ok || text == "" {
			text = p.otherwise
		}
		if text == "" {
			if required {
				return "", errNothing(strings.Join(p.value, "."))
			}
			return "", nil
		}
		b.WriteString(escape(text))
	}
	return b.String(), nil
}

// segment makes a text one segment of a path, also "." and "..", which would be taken for another
// way.
func segment(text string) string {
	if text == "." || text == ".." {
		return strings.ReplaceAll(text, ".", "%2E")
	}
	return url.PathEscape(text)
}

// oneLine keeps a value from being a second header.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}

func asItIs(text string) string { return text }

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
