package transform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"text/template/parse"

	"fairway/internal/jq"
	"fairway/internal/tame"
	"fairway/internal/texts"
	"fairway/internal/xmljson"
)

// document is a template of Go (text/template) that a body is written by.
type document struct {
	template *template.Template
	most     int64
}

// newDocument reads a template whose text is no longer than most.
func newDocument(text string, most int64) (*document, error) {
	t, err := template.New("template").Option("missingkey=zero").Funcs(tame.Texts).Funcs(tame.Escapes).Funcs(functions).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	if err := tame.Check(t.Root, func(n *parse.RangeNode, _ int) error {
		n.List.Nodes = append([]parse.Node{counting.Root.Nodes[0].Copy()}, n.List.Nodes...)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	return &document{t, most}, nil
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

// functions are those that templates have beside those of text/template. None reaches anything but its
// arguments.
var functions = template.FuncMap{
	"json": func(v any) (string, error) { text, err := encode(v); return string(text), err },
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
		if len(all)*(len(separator)+1) > tame.Most {
			return "", tame.ErrTooLong
		}
		return strings.Join(all, separator), nil
	},
	"lower": strings.ToLower,
	"upper": strings.ToUpper,
	"trim":  strings.TrimSpace,
	"replace": func(old, with, text string) (string, error) {
		if (strings.Count(text, old)+1)*(len(with)+1) > tame.Most {
			return "", tame.ErrTooLong
		}
		return strings.ReplaceAll(text, old, with), nil
	},
}

// make writes a body, and looks whether it is what it has to be.
func (d *document) make(ctx context.Context, to format, body any, variables []any) ([]byte, error) {
	data := map[string]any{"body": body, "turn": (&turns{ctx: ctx}).turn}
	for i, name := range variableNames {
		data[strings.TrimPrefix(name, "$")] = variables[i]
	}
	out := &tame.Writer{Most: d.most}
	if err := d.template.Execute(out, data); err != nil {
		return nil, err
	}
	var err error
	switch to {
	case asJSON:
		if !json.Valid(out.Bytes()) {
			err = errors.New("it is no JSON")
		} else {
			err = jq.Shallow(out.Bytes(), deepest)
		}
	case asXML:
		_, err = xmljson.Read(out.Bytes(), deepest)
	}
	if err != nil {
		return nil, fmt.Errorf("what the template makes: %w", err)
	}
	return out.Bytes(), nil
}
