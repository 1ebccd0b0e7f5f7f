// Package jq has expressions of jq over values of JSON, as gojq has them.
package jq

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"

	"github.com/itchyny/gojq"
)

// Expression is one of jq.
type Expression struct {
	code    *gojq.Code
	text    string
	matches bool // it looks for regular expressions
}

// namesPart finds the parts that an expression is about.
var namesPart = regexp.MustCompile(`\.parts\b(?:\.([A-Za-z_][A-Za-z0-9_]*)|\s*(?:\.\s*)?\[\s*"([^"\\]+)"\s*\]|\s*\.\s*"([^"\\]+)")?`)

// Compile reads an expression, with variables whose names begin with $. It can reach neither files nor
// the environment.
func Compile(text string, variables ...string) (*Expression, error) {
	query, err := gojq.Parse(text)
	if err != nil {
		if p, ok := errors.AsType[*gojq.ParseError](err); ok {
			return nil, fmt.Errorf("at offset %d: %w", p.Offset, err)
		}
		return nil, err
	}
	code, err := gojq.Compile(query, gojq.WithEnvironLoader(func() []string { return nil }), gojq.WithVariables(variables))
	if err != nil {
		return nil, err
	}
	return &Expression{code, text, regular.MatchString(text)}, nil
}

// regular finds the functions that look for regular expressions. What they take grows with the square of a text, and they
// cannot be ended: longer texts are not looked into.
var regular = regexp.MustCompile(`\b(test|match|capture|scan|splits?|sub|gsub)\b`)

const longestText = 16 << 10

// ErrLongText is what becomes of a text in which an expression looks for a regular expression.
var ErrLongText = fmt.Errorf("a text is longer than %d bytes, and the expression looks for a regular expression", longestText)

// fits tells whether an expression may look at values.
func (e *Expression) fits(values ...any) error {
	if !e.matches {
		return nil
	}
	for _, v := range values {
		switch v := v.(type) {
		case string:
			if len(v) > longestText {
				return ErrLongText
			}
		case []any:
			if err := e.fits(v...); err != nil {
				return err
			}
		case map[string]any:
			for _, member := range v {
				if err := e.fits(member); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Parts are the names that the expression has of members of .parts; all tells that it is about
// .parts as a whole.
func (e *Expression) Parts() (names []string, all bool) {
	for _, m := range namesPart.FindAllStringSubmatch(e.text, -1) {
		if name := m[1] + m[2] + m[3]; name != "" {
			names = append(names, name)
		} else {
			all = true
		}
	}
	return names, all
}

// Run returns the only value of an expression. It may write into input what is there already: nobody
// else looks at it meanwhile.
func (e *Expression) Run(ctx context.Context, input any, variables ...any) (any, error) {
	if err := errors.Join(e.fits(input), e.fits(variables...)); err != nil {
		return nil, err
	}
	iter := e.code.RunWithContext(ctx, input, variables...)
	v, ok := iter.Next()
	if !ok {
		return nil, nil
	}
	if err, failed := v.(error); failed {
		return nil, err
	}
	if second, more := iter.Next(); more {
		if err, failed := second.(error); failed {
			return nil, err
		}
		return nil, errors.New("it has more than one value: put [ and ] around it")
	}
	return v, nil
}

// Each calls yield with each value of an expression, until there is an error. Input is as that of Run.
func (e *Expression) Each(ctx context.Context, input any, yield func(any) error, variables ...any) error {
	if err := errors.Join(e.fits(input), e.fits(variables...)); err != nil {
		return err
	}
	iter := e.code.RunWithContext(ctx, input, variables...)
	for {
		v, ok := iter.Next()
		if !ok {
			return nil
		}
		if err, failed := v.(error); failed {
			return err
		}
		if err := yield(v); err != nil {
			return err
		}
	}
}

// Read reads JSON, as jq has it: whole numbers stay what they are, however long.
func Read(text []byte, depth int) (any, error) {
	if err := Shallow(text, depth); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, errors.New("it is no JSON")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something behind the JSON")
	}
	return numbers(v), nil
}

// Shallow tells whether JSON is nested no deeper, before it is read.
func Shallow(text []byte, most int) error {
	depth, inText := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{' || c == '[':
			if depth++; depth > most {
				return fmt.Errorf("it is nested deeper than %d", most)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// numbers makes numbers of what the decoder has left as text.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		return Number(v)
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = numbers(v[name])
		}
	}
	return v
}

// Number is a number as expressions have it.
func Number(n json.Number) any {
	if i, err := n.Int64(); err == nil && int64(int(i)) == i {
		return int(i)
	}
	if i, ok := new(big.Int).SetString(n.String(), 10); ok {
		return i
	}
	f, err := n.Float64()
	if err != nil {
		return n.String()
	}
	return f
}

// Copy copies what is everybody's, as the claims of a token, into what expressions take.
func Copy(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name := range v {
			out[name] = Copy(v[name])
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = Copy(v[i])
		}
		return out
	case json.Number:
		return Number(v)
	}
	return v
}
