package aggregate

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

// expression is one of jq.
type expression struct {
	code  *gojq.Code
	parts []string // whose answers it sees
	all   bool     // it may see any of them
}

// namesPart finds the parts that an expression is about.
var namesPart = regexp.MustCompile(`\.parts(?:\.([A-Za-z_][A-Za-z0-9_]*)|\s*(?:\.\s*)?\[\s*"([^"\\]+)"\s*\]|\s*\.\s*"([^"\\]+)")?`)

// compile reads an expression. It can reach neither files nor the environment.
func compile(text string) (*expression, error) {
	query, err := gojq.Parse(text)
	if err != nil {
		if p, ok := errors.AsType[*gojq.ParseError](err); ok {
			return nil, fmt.Errorf("at offset %d: %w", p.Offset, err)
		}
		return nil, err
	}
	code, err := gojq.Compile(query, gojq.WithEnvironLoader(func() []string { return nil }))
	if err != nil {
		return nil, err
	}
	e := &expression{code: code}
	for _, m := range namesPart.FindAllStringSubmatch(text, -1) {
		name := m[1] + m[2] + m[3]
		if name == "" {
			e.all = true
			continue
		}
		e.parts = append(e.parts, name)
	}
	return e, nil
}

// run returns the only value of an expression.
func (e *expression) run(ctx context.Context, input any) (any, error) {
	iter := e.code.RunWithContext(ctx, input)
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

// readJSON reads JSON, as jq has it: whole numbers stay what they are, however long.
func readJSON(text []byte, depth int) (any, error) {
	if err := shallow(text, depth); err != nil {
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

// shallow tells whether JSON is nested no deeper, before it is read.
func shallow(text []byte, most int) error {
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
		return number(v)
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

func number(n json.Number) any {
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
