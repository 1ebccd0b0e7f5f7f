package tame

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"maps"
	"strings"
	"text/template"
	"text/template/parse"

	"fairway/internal/texts"
)

// Document is a template that writes a text about values of JSON: a template of Go (text/template), or one of HTML
// (html/template), in which values are escaped as their place wants it.
type Document struct {
	template interface{ Execute(io.Writer, any) error }
	most     int64
	paths    [][]string
}

// Paths are the names that it has from the top of its values, as far as that can be told from its text.
func (d *Document) Paths() [][]string { return d.paths }

// NewDocument reads a template whose text becomes no longer than most, in bytes.
func NewDocument(text string, html bool, most int64) (*Document, error) {
	d := &Document{most: most}
	var root parse.Node
	if html {
		t, err := htmltemplate.New("template").Option("missingkey=zero").Funcs(Texts).Funcs(functions).Parse(text)
		if err != nil {
			return nil, fmt.Errorf("template: %w", err)
		}
		d.template, root = t, t.Tree.Root
	} else {
		t, err := template.New("template").Option("missingkey=zero").Funcs(Texts).Funcs(Escapes).Funcs(functions).Parse(text)
		if err != nil {
			return nil, fmt.Errorf("template: %w", err)
		}
		d.template, root = t, t.Root
	}
	var named paths
	named.of(root, true)
	d.paths = named.found
	if err := Check(root, func(n *parse.RangeNode, depth int) error {
		if html && depth >= deepest {
			return fmt.Errorf("line %d: ranges in ranges go %d deep and no deeper", n.Line, deepest)
		}
		n.List.Nodes = append([]parse.Node{counting.Root.Nodes[0].Copy()}, n.List.Nodes...)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	return d, d.escape()
}

// escape looks whether values can be escaped where they stand, which html/template does in the first execution only.
func (d *Document) escape() error {
	gone, cancel := context.WithCancel(context.Background())
	cancel() // nothing has to be written
	var bad *htmltemplate.Error
	if _, err := d.Write(gone, map[string]any{}); errors.As(err, &bad) {
		return fmt.Errorf("template: %w", err)
	}
	return nil
}

// deepest is how deep ranges go in HTML: html/template looks at what is in each of them twice.
const deepest = 4

// Write writes the text about the values, by name.
func (d *Document) Write(ctx context.Context, values map[string]any) ([]byte, error) {
	data := maps.Clone(values)
	data["turn"] = (&turns{ctx: ctx}).turn
	out := &Writer{Most: d.most}
	if err := d.template.Execute(out, data); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// counting is what is put into every range.
var counting = template.Must(template.New("counting").Parse("{{call $.turn}}"))

// mostTurns is how often ranges may go round, all together.
const mostTurns = 1_000_000

// turns counts those of one document.
type turns struct {
	ctx  context.Context //nolint:containedctx // that of the request, for one execution
	gone int
}

func (t *turns) turn() (string, error) {
	if t.gone++; t.gone > mostTurns {
		return "", errors.New("it goes round too often")
	}
	if t.gone%64 == 0 && t.ctx.Err() != nil {
		return "", t.ctx.Err()
	}
	return "", nil
}

// functions are those that documents have beside those of text/template. None reaches anything but its
// arguments.
var functions = template.FuncMap{
	"json": encode,
	"xml": func(v any) (string, error) {
		text, ok := texts.Of(v)
		if v != nil && !ok {
			return "", errors.New("xml: a list or an object is no text")
		}
		return template.HTMLEscapeString(text), nil
	},
	"default": func(otherwise, v any) any {
		if truth, _ := template.IsTrue(v); truth {
			return v
		}
		return otherwise
	},
	"join": func(separator string, list []any) (string, error) {
		all := make([]string, len(list))
		for i, v := range list {
			var ok bool
			if all[i], ok = texts.Of(v); !ok {
				return "", fmt.Errorf("join: item %d is no text", i)
			}
		}
		if len(all)*(len(separator)+1) > Most {
			return "", ErrTooLong
		}
		return strings.Join(all, separator), nil
	},
	"lower": strings.ToLower,
	"upper": strings.ToUpper,
	"trim":  strings.TrimSpace,
	"replace": func(old, with, text string) (string, error) {
		if (strings.Count(text, old)+1)*(len(with)+1) > Most {
			return "", ErrTooLong
		}
		return strings.ReplaceAll(text, old, with), nil
	},
}

func encode(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
