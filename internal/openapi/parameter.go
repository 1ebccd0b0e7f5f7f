package openapi

import (
	"fmt"
	"slices"
	"strings"

	"fairway/internal/holdback"
	"fairway/internal/schema"
)

// Parameter is a value of a request beside its body, or a header of a response.
type Parameter struct {
	Name string
	// In is path, query, header or cookie.
	In       string
	required bool
	empty    bool // it may be given without a value
	style    string
	explode  bool
	isJSON   bool
	schema   *schema.Schema // nil: every value will do
	shape    *shape
}

// styles are those that there may be, the default first.
var styles = map[string][]string{
	"path":   {"simple", "label", "matrix"},
	"query":  {"form", "spaceDelimited", "pipeDelimited", "deepObject"},
	"header": {"simple"},
	"cookie": {"form", "cookie"},
}

func (b *builder) parameters(v any, place string) ([]*Parameter, error) {
	list, _ := v.([]any)
	var all []*Parameter
	for i, one := range list {
		object, at, err := follow(b.root, one, fmt.Sprintf("%s/%d", place, i))
		if err != nil {
			return nil, err
		}
		name, _ := object["name"].(string)
		in, _ := object["in"].(string)
		if in == "header" && (strings.EqualFold(name, "Accept") || strings.EqualFold(name, "Content-Type") || strings.EqualFold(name, "Authorization")) {
			continue // OpenAPI, Parameter Object: these are ignored
		}
		if in == "querystring" {
			continue // of 3.2: the query as a whole, which is not looked at
		}
		if styles[in] == nil || name == "" {
			return nil, fmt.Errorf("%s: a parameter needs a name, and in has to be path, query, header or cookie", at)
		}
		p, err := b.parameter(b.requests, object, at, name, in)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func (b *builder) parameter(from *schema.Document, object map[string]any, place, name, in string) (*Parameter, error) {
	p := &Parameter{Name: name, In: in, required: object["required"] == true || in == "path", empty: object["allowEmptyValue"] == true}
	known := styles[in]
	p.style = known[0]
	if style, is := object["style"].(string); is {
		p.style = style
	}
	if !slices.Contains(known, p.style) {
		return nil, fmt.Errorf("%s/style: %q is not a style of what is in: %s", place, p.style, in)
	}
	p.explode = p.style == "form" || p.style == "cookie"
	if explode, is := object["explode"].(bool); is {
		p.explode = explode
	}
	of, at := object["schema"], place+"/schema"
	if content, is := object["content"].(map[string]any); is && of == nil {
		for kind := range content {
			media, where, err := follow(b.root, content[kind], pointerTo(place, "content", kind))
			if err != nil {
				return nil, err
			}
			if p.isJSON = holdback.IsJSON(kind); !p.isJSON {
				return p, nil
			}
			of, at = media["schema"], where+"/schema"
		}
	}
	if of == nil {
		return p, nil
	}
	var err error
	p.shape = b.shapeOf(of)
	p.schema, err = compiled(from, at)
	return p, err
}
