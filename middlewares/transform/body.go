package transform

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"fairway/internal/jq"
)

// bodyChange makes a body of another: by an expression or by a template.
type bodyChange struct {
	from, to format
	made     *jq.Expression // nil: written
	written  *document
}

// readError is a body that is not what it should be.
type readError struct{ text string }

func (e *readError) Error() string { return e.text }

// longest is how long an expression may take.
const longest = 10 * time.Second

// make reads a body, and writes what the expression or the template makes of it.
func (c *bodyChange) make(ctx context.Context, text []byte, variables []any) ([]byte, error) {
	in, err := c.from.read(text)
	if err != nil {
		return nil, &readError{"the body: " + err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	if c.written != nil {
		return c.written.make(ctx, c.to, in, variables)
	}
	out, err := c.made.Run(ctx, in, variables...)
	if err != nil {
		return nil, err
	}
	return c.to.write(out)
}

// newBody reads the options of a body; nil: it passes.
func newBody(expression, template, from, to string, most int64) (*bodyChange, error) {
	switch {
	case expression != "" && template != "":
		return nil, errors.New("body: template is given, too")
	case expression == "" && template == "":
		if from != "" || to != "" {
			return nil, errors.New("body: is not given, and so there is nothing for from and to")
		}
		return nil, nil
	}
	b := &bodyChange{from: format(from), to: format(to)}
	if err := b.checkFormats(); err != nil {
		return nil, err
	}
	var err error
	if template != "" {
		if b.from.stream() {
			return nil, errors.New("template: streams are changed by an expression (body)")
		}
		b.written, err = newDocument(template, most)
		return b, err
	}
	if b.made, err = jq.Compile(expression, variableNames...); err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	return b, nil
}

func (c *bodyChange) checkFormats() error {
	if c.from == "" {
		c.from = asJSON
	}
	if c.to == "" {
		if c.to = asJSON; c.from.stream() {
			c.to = c.from
		}
	}
	for _, f := range []format{c.from, c.to} {
		if !slices.Contains(formats, f) {
			return fmt.Errorf("from, to: %q is none of json, form, text, xml, ndjson and sse", f)
		}
	}
	if c.from.stream() != c.to.stream() {
		return fmt.Errorf("from, to: %s and %s do not go together: a stream stays one", c.from, c.to)
	}
	return nil
}
