package transform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"unicode/utf8"

	"fairway/internal/jq"
	"fairway/internal/texts"
	"fairway/internal/xmljson"
)

// format is what a body is written in.
type format string

const (
	asJSON   format = "json"
	asForm   format = "form"
	asText   format = "text"
	asXML    format = "xml"
	asLines  format = "ndjson"
	asEvents format = "sse"
)

// formats are all of them.
var formats = []format{asJSON, asForm, asText, asXML, asLines, asEvents}

// deepest is how far JSON and XML may be nested.
const deepest = 128

func (f format) mediaType() string {
	switch f {
	case asForm:
		return "application/x-www-form-urlencoded"
	case asText:
		return "text/plain; charset=utf-8"
	case asXML:
		return "application/xml; charset=utf-8"
	case asLines:
		return "application/x-ndjson"
	case asEvents:
		return "text/event-stream"
	}
	return "application/json"
}

// stream tells whether a body is changed item by item, as it comes.
func (f format) stream() bool { return f == asLines || f == asEvents }

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
	if f == asXML {
		return xmljson.Read(text, deepest)
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
	case asXML:
		text, err := xmljson.Write(v)
		if err != nil {
			return nil, fmt.Errorf("what comes out: %w", err)
		}
		return text, nil
	}
	return encode(v)
}

// encode writes JSON in one line.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
