package accesslog

import (
	"fmt"
	"slices"
	"strings"

	"fairway/internal/headername"
	"fairway/internal/secret"
)

// mode says what is done with a field, a header or a parameter.
type mode uint8

const (
	keep mode = iota
	drop
	redact
)

// modeNames are the modes as operators write them.
var modeNames = [...]string{keep: "keep", drop: "drop", redact: "redact"}

// redacted stands for what must not be read.
const redacted = "REDACTED"

func parseMode(s string, otherwise mode) (mode, error) {
	if s == "" {
		return otherwise, nil
	}
	i := slices.Index(modeNames[:], strings.ToLower(s))
	if i < 0 {
		return otherwise, fmt.Errorf("%q is none of keep, drop, redact%s", s, suggestion(s, modeNames[:]))
	}
	return mode(i), nil
}

// choices are modes by name, with one for all other names.
type choices struct {
	names     map[string]mode
	otherwise mode
}

// parseChoices reads modes; spell brings names into the form in which they are looked up,
// or says why there is no such name.
func parseChoices(otherwise string, standard mode, names map[string]string, spell func(string) (string, error)) (choices, error) {
	m, err := parseMode(otherwise, standard)
	if err != nil {
		return choices{}, fmt.Errorf("defaultMode: %w", err)
	}
	c := choices{otherwise: m, names: make(map[string]mode, len(names))}
	for name, text := range names {
		spelled, err := spell(name)
		if err != nil {
			return choices{}, fmt.Errorf("names: %w", err)
		}
		if c.names[spelled], err = parseMode(text, m); err != nil {
			return choices{}, fmt.Errorf("names.%s: %w", name, err)
		}
	}
	return c, nil
}

func (c *choices) of(name string) mode {
	if m, ok := c.names[name]; ok {
		return m
	}
	return c.otherwise
}

// modes is FieldModes, ready for use.
type modes struct {
	fields, headers choices
	query           query
}

// modes accepts nil, which is the defaults.
func (f *FieldModes) modes() (*modes, error) {
	if f == nil {
		f = &FieldModes{}
	}
	h, q := f.Headers, f.QueryParameters
	if h == nil {
		h = &HeaderModes{}
	}
	if q == nil {
		q = &QueryModes{}
	}
	var m modes
	var err error
	if m.fields, err = parseChoices(f.DefaultMode, keep, f.Names, spellField); err != nil {
		return nil, err
	}
	if m.headers, err = parseChoices(h.DefaultMode, drop, h.Names, spellHeader); err != nil {
		return nil, fmt.Errorf("headers.%w", err)
	}
	if m.query.choices, err = parseChoices(q.DefaultMode, keep, q.Names, spellParameter); err != nil {
		return nil, fmt.Errorf("queryParameters.%w", err)
	}
	return &m, nil
}

func spellField(name string) (string, error) {
	if f := fieldOf(name); f != nil {
		return f.Name, nil
	}
	for _, never := range neverFilled {
		if strings.EqualFold(name, never) {
			return never, nil
		}
	}
	return "", unknownField(name)
}

func spellHeader(name string) (string, error) {
	if !headername.Valid(name) {
		return "", fmt.Errorf("%q is no name of a header", name)
	}
	return headername.Plain(name), nil
}

func spellParameter(name string) (string, error) { return strings.ToLower(name), nil }

// ofField is the mode of a field of JSON and of the formats that are not the operator's
// own words.
func (m *modes) ofField(f *Field) mode {
	if got, ok := m.fields.names[f.Name]; ok {
		return got
	}
	if f.Named {
		return drop
	}
	return m.fields.otherwise
}

// ofHeader is the mode of a header. Underscores are dashes, as for many servers.
func (m *modes) ofHeader(name string) mode {
	name = headername.Plain(name)
	if got, ok := m.headers.names[name]; ok {
		return got
	}
	if m.headers.otherwise == keep && secret.Header(name) {
		return redact
	}
	return m.headers.otherwise
}

// named makes modes for a template: what it names is wanted, unless that is mentioned by
// name elsewhere, too.
func (m *modes) named() *modes {
	n := *m
	n.fields.otherwise, n.headers.otherwise = keep, keep
	return &n
}

// anyHeader tells whether a header may be written at all.
func (m *modes) anyHeader() bool {
	if m.headers.otherwise != drop {
		return true
	}
	for _, got := range m.headers.names {
		if got != drop {
			return true
		}
	}
	return false
}
