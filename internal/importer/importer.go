// Package importer is where the configuration of another gateway becomes one of fairway's: what is written, and the
// report of what has no counterpart. Nothing is dropped silently: who reads the report knows what is left to do.
package importer

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// Object is one of the configuration, as it stands in a file.
type Object = map[string]any

// Line is one of the report.
type Line struct {
	// Place is where it is in what was imported.
	Place string
	Text  string
	// Lost tells that something is not done now that was done before; else it is done in another way.
	Lost bool
}

func (l Line) String() string {
	kind := "differs"
	if l.Lost {
		kind = "lost"
	}
	return fmt.Sprintf("%-7s  %s: %s", kind, oneLine(l.Place), oneLine(l.Text))
}

// Output is a configuration on its way to a file.
type Output struct {
	kinds  map[string]map[string]Object // by kind and name, as in routers
	report []Line
}

// Put adds an object of a kind, as routers or services. A name that is there already is given a number; the one that
// it has is returned.
func (o *Output) Put(kind, name string, object Object) string {
	if o.kinds == nil {
		o.kinds = map[string]map[string]Object{}
	}
	if o.kinds[kind] == nil {
		o.kinds[kind] = map[string]Object{}
	}
	free := Name(name)
	for i := 2; o.kinds[kind][free] != nil; i++ {
		free = fmt.Sprintf("%s-%d", Name(name), i)
	}
	o.kinds[kind][free] = object
	return free
}

// Lose notes what has no counterpart.
func (o *Output) Lose(place, format string, args ...any) {
	o.note(Line{place, fmt.Sprintf(format, args...), true})
}

// Differ notes what is done in another way.
func (o *Output) Differ(place, format string, args ...any) {
	o.note(Line{place, fmt.Sprintf(format, args...), false})
}

func (o *Output) note(l Line) {
	if !slices.Contains(o.report, l) {
		o.report = append(o.report, l)
	}
}

// Report is what there is to know.
func (o *Output) Report() []Line { return o.report }

// Lost tells whether anything was lost.
func (o *Output) Lost() bool {
	return slices.ContainsFunc(o.report, func(l Line) bool { return l.Lost })
}

// YAML is the configuration for the file provider. The report stands above it.
func (o *Output) YAML(from string) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Imported from %s.\n", oneLine(from))
	for _, l := range o.report {
		fmt.Fprintf(&b, "# %s\n", l)
	}
	http := Object{}
	for kind, all := range o.kinds {
		http[kind] = all
	}
	out := yaml.NewEncoder(&b)
	out.SetIndent(2)
	if err := out.Encode(Object{"http": http}); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	// Files are Go templates before they are YAML.
	return bytes.ReplaceAll(b.Bytes(), []byte("{{"), []byte(`{{"{{"}}`)), nil
}

// oneLine keeps what comes from outside from ending a line.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
}

// Name makes a name of a text: small letters, digits and hyphens.
func Name(text string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	name := strings.Trim(b.String(), "-")
	if len(name) > 60 {
		name = strings.Trim(name[:60], "-")
	}
	if name == "" {
		return "imported"
	}
	return name
}

// Literal is a text in a rule. ok: it can be one.
func Literal(text string) (literal string, ok bool) {
	return "`" + text + "`", !strings.ContainsAny(text, "`\n\r\x00")
}

// Texts are those of a list, or of one text.
func Texts(v any) (all []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, one := range v {
			all = append(all, fmt.Sprint(one))
		}
	}
	return all
}

// Members are the names of an object, in their order.
func Members(v any) []string {
	object, _ := v.(map[string]any)
	return slices.Sorted(maps.Keys(object))
}
