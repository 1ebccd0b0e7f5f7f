package transform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"fairway/internal/jq"
	"fairway/internal/tame"
	"fairway/internal/xmljson"
)

// document is a template of Go (text/template) that a body is written by.
type document struct{ *tame.Document }

// newDocument reads a template whose text is no longer than most.
func newDocument(text string, most int64) (*document, error) {
	d, err := tame.New(text, tame.Kind{Name: "template", Most: most})
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	return &document{d}, nil
}

// make writes a body, and looks whether it is what it has to be.
func (d *document) make(ctx context.Context, to format, body any, variables []any) ([]byte, error) {
	values := map[string]any{"body": body}
	for i, name := range variableNames {
		values[strings.TrimPrefix(name, "$")] = variables[i]
	}
	text, err := d.Write(ctx, values)
	if err != nil {
		return nil, err
	}
	switch to {
	case asJSON:
		if !json.Valid(text) {
			err = errors.New("it is no JSON")
		} else {
			err = jq.Shallow(text, deepest)
		}
	case asXML:
		_, err = xmljson.Read(text, deepest)
	}
	if err != nil {
		return nil, fmt.Errorf("what the template makes: %w", err)
	}
	return text, nil
}
