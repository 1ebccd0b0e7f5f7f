// Package texts has texts with values in them, as {query.page} or {claims.sub|nobody}: what requests and
// headers are made of.
package texts

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Template is a text with values in it.
type Template []piece

// piece is a literal, or a value by its names.
type piece struct {
	literal   string
	value     []string // path, id
	otherwise string
}

// Sources are the first names that values may have; true: they are values themselves, as item, and
// names may follow.
type Sources map[string]bool

// New reads a template.
func (s Sources) New(text string) (t Template, err error) {
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
		if err := p.check(s); err != nil {
			return nil, fmt.Errorf("at offset %d: {%s}: %w", offset, names, err)
		}
		t = append(t, p)
		rest = rest[open+end+1:]
	}
	return t, nil
}

func (p piece) check(s Sources) error {
	if slices.Contains(p.value, "") {
		return errors.New("a name is empty")
	}
	switch whole, known := s[p.value[0]]; {
	case !known:
		return fmt.Errorf("there is no %q, only %s", p.value[0], strings.Join(slices.Sorted(maps.Keys(s)), ", "))
	case !whole && len(p.value) < 2:
		return fmt.Errorf("of %s a name is wanted", p.value[0])
	}
	return nil
}

// Needs calls yield for each name behind "parts" that the template has something of.
func (t Template) Needs(yield func(part string)) {
	for _, p := range t {
		if len(p.value) > 1 && p.value[0] == "parts" {
			yield(p.value[1])
		}
	}
}

// Each calls yield with the names of each value in the template.
func (t Template) Each(yield func(names []string)) {
	for _, p := range t {
		if p.value != nil {
			yield(p.value)
		}
	}
}

// Nothing says that there is no value, in a place where there has to be one.
type Nothing string

func (e Nothing) Error() string { return "there is no " + string(e) }

// Render makes the text, with the values that lookup finds. Each value goes through escape; one that is not there makes the whole
// text empty, or is an error if it is required.
func (t Template) Render(lookup func(names []string) (string, bool), escape func(string) string, required bool) (string, error) {
	var b strings.Builder
	for _, p := range t {
		if p.value == nil {
			b.WriteString(p.literal)
			continue
		}
		text, ok := lookup(p.value)
		if !ok || text == "" {
			text = p.otherwise
		}
		if text == "" {
			if required {
				return "", Nothing(strings.Join(p.value, "."))
			}
			return "", nil
		}
		b.WriteString(escape(text))
	}
	return b.String(), nil
}

// Segment makes a text one segment of a path, also "." and "..", which would be taken for another
// way.
func Segment(text string) string {
	if text == "." || text == ".." {
		return strings.ReplaceAll(text, ".", "%2E")
	}
	return url.PathEscape(text)
}

// OneLine keeps a value from being a second header.
func OneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}

// AsItIs changes nothing.
func AsItIs(text string) string { return text }

// Lookup goes into objects by names, and into lists by numbers.
func Lookup(v any, names []string) any {
	for _, name := range names {
		switch inner := v.(type) {
		case map[string]any:
			v = inner[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(inner) {
				return nil
			}
			v = inner[i]
		default:
			return nil
		}
	}
	return v
}

// Of is a value as a text; lists become their elements with commas between them.
func Of(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int:
		return strconv.Itoa(v), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case *big.Int:
		return v.String(), true
	case json.Number:
		return v.String(), true
	case []any:
		all := make([]string, len(v))
		for i := range v {
			var ok bool
			if all[i], ok = Of(v[i]); !ok {
				return "", false
			}
		}
		return strings.Join(all, ","), true
	case nil, map[string]any:
		return "", false
	}
	return fmt.Sprint(v), true
}
