package transform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"text/template/parse"

	"fairway/internal/jq"
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
	t, err := template.New("template").Option("missingkey=zero").Funcs(functions).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	if err := bound(t.Root); err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	return &document{t, most}, nil
}

// bound has every turn of a range counted, and refuses what calls itself: otherwise a few lines of data could keep a
// template busy for ever, where nothing can end it.
func bound(n parse.Node) error {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, inner := range n.Nodes {
			if err := bound(inner); err != nil {
				return err
			}
		}
	case *parse.IfNode:
		return errors.Join(bound(n.List), bound(n.ElseList))
	case *parse.WithNode:
		return errors.Join(bound(n.List), bound(n.ElseList))
	case *parse.RangeNode:
		err := errors.Join(bound(n.List), bound(n.ElseList))
		n.List.Nodes = append([]parse.Node{counting.Root.Nodes[0].Copy()}, n.List.Nodes...)
		return err
	case *parse.TemplateNode:
		return fmt.Errorf("line %d: templates cannot call others", n.Line)
	}
	return nil
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
	if t.gone%1024 == 0 && t.ctx.Err() != nil {
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
		return strings.Join(all, separator), nil
	},
	"lower":   strings.ToLower,
	"upper":   strings.ToUpper,
	"trim":    strings.TrimSpace,
	"replace": func(old, with, text string) string { return strings.ReplaceAll(text, old, with) },
}

// bounded is a text that becomes no longer than most.
type bounded struct {
	bytes.Buffer
	most int64
}

func (b *bounded) Write(p []byte) (int, error) {
	if int64(b.Len()+len(p)) > b.most {
		return 0, errors.New("what comes out is longer than maxBodyBytes")
	}
	return b.Buffer.Write(p)
}

// make writes a body, and looks whether it is what it has to be.
func (d *document) make(ctx context.Context, to format, body any, variables []any) ([]byte, error) {
	data := map[string]any{"body": body, "turn": (&turns{ctx: ctx}).turn}
	for i, name := range variableNames {
		data[strings.TrimPrefix(name, "$")] = variables[i]
	}
	out := &bounded{most: d.most}
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
