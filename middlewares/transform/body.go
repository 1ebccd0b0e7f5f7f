package transform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"unicode/utf8"

	"fairway/internal/jq"
	"fairway/internal/texts"
)

// format is what a body is written in.
type format string

const (
	asJSON format = "json"
	asForm format = "form"
	asText format = "text"
)

func (f format) mediaType() string {
	switch f {
	case asForm:
		return "application/x-www-form-urlencoded"
	case asText:
		return "text/plain; charset=utf-8"
	}
	return "application/json"
}

// bodyChange makes a body of another.
type bodyChange struct {
	from, to format
	made     *jq.Expression
}

// deepest is how far JSON may be nested.
const deepest = 128

// readError is a body that is not what it should be.
type readError struct{ text string }

func (e *readError) Error() string { return e.text }

// make reads a body, and writes what the expression makes of it.
func (c *bodyChange) make(ctx context.Context, text []byte, variables []any) ([]byte, error) {
	in, err := c.from.read(text)
	if err != nil {
		return nil, &readError{"the body: " + err.Error()}
	}
	out, err := c.made.Run(ctx, in, variables...)
	if err != nil {
		return nil, err
	}
	return c.to.write(out)
}

func (f format) read(text []byte) (any, error) {
	switch f {
	case asText:
		if !utf8.Valid(text) {
			return nil, errors.New("it is no text in UTF-8")
		}
		return string(text), nil
	case asForm:
		form, err := url.ParseQuery(string(text))
		if err != nil {
			return nil, errors.New("it is no form")
		}
		out := map[string]any{}
		for name, all := range form {
			if len(all) == 1 {
				out[name] = all[0]
				continue
			}
			list := make([]any, len(all))
			for i, one := range all {
				list[i] = one
			}
			out[name] = list
		}
		return out, nil
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	return jq.Read(text, deepest)
}

func (f format) write(v any) ([]byte, error) {
	switch f {
	case asText:
		text, ok := texts.Of(v)
		if !ok {
			return nil, errors.New("what comes out is no text")
		}
		return []byte(text), nil
	case asForm:
		members, ok := v.(map[string]any)
		if !ok {
			return nil, errors.New("what comes out is no object, as a form has to be")
		}
		form := url.Values{}
		for name, member := range members {
			list, many := member.([]any)
			if !many {
				list = []any{member}
			}
			for _, one := range list {
				text, ok := texts.Of(one)
				if !ok {
					return nil, fmt.Errorf("the member %q is no text", name)
				}
				form.Add(name, text)
			}
		}
		return []byte(form.Encode()), nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
