package openapi

import (
	"encoding/json"
	"regexp"
	"strings"

	"fairway/internal/schema"
)

// check finds what of the texts for a parameter is not as it should be. A text has no type: it is taken for what the
// schema wants, and where that leaves a choice for each of the choices.
func (p *Parameter) check(g given) []schema.Violation {
	if len(g.texts) == 0 && len(g.parts) == 0 {
		if p.required {
			return p.about([]schema.Violation{{Detail: "is required"}})
		}
		return nil
	}
	if p.schema == nil || p.empty && len(g.texts) == 1 && g.texts[0] == "" {
		return nil
	}
	if p.isJSON {
		if len(g.texts) != 1 {
			return p.about([]schema.Violation{{Detail: "is given more than once"}})
		}
		return p.about(p.schema.Check([]byte(g.decode(g.texts[0]))))
	}
	values, wrong := p.values(g)
	if wrong != "" {
		return p.about([]schema.Violation{{Detail: wrong}})
	}
	var first []schema.Violation
	for i, v := range values {
		found := p.schema.CheckValue(v)
		if len(found) == 0 {
			return nil
		}
		if i == 0 {
			first = found
		}
	}
	return p.about(first)
}

func (p *Parameter) about(found []schema.Violation) []schema.Violation {
	for i := range found {
		found[i].In, found[i].Name = p.In, p.Name
	}
	return found
}

// values are what texts may be taken for, the likeliest first.
func (p *Parameter) values(g given) (all []any, wrong string) {
	if p.shape.may("object") {
		if o, is := p.object(g); is {
			all = append(all, o)
		}
	}
	if p.shape.may("array") && len(g.texts) > 0 {
		all = append(all, p.array(g))
	}
	if len(g.texts) == 1 && (len(all) == 0 || p.shape.may("string") || p.shape.may("integer") || p.shape.may("number") || p.shape.may("boolean")) {
		text := g.texts[0]
		switch p.style {
		case "label":
			text = strings.TrimPrefix(text, ".")
		case "matrix":
			text = strings.TrimPrefix(text, ";"+p.Name+"=")
		}
		all = append(all, p.shape.choices(g.decode(text))...)
	}
	if len(all) == 0 && len(g.texts) > 1 {
		return nil, "is given more than once"
	}
	if len(all) == 0 {
		return nil, "is not given as its style says"
	}
	return all, ""
}

// separator is what stands between elements.
func (p *Parameter) separator() string {
	switch p.style {
	case "spaceDelimited":
		return " "
	case "pipeDelimited":
		return "|"
	case "label":
		if p.explode {
			return "."
		}
	case "matrix":
		if p.explode {
			return ";"
		}
	}
	return ","
}

// elements are the texts of elements, or of names and values.
func (p *Parameter) elements(g given) []string {
	if (p.In == "query" || p.In == "cookie") && p.explode || len(g.texts) != 1 {
		return g.texts
	}
	text := g.texts[0]
	switch p.style {
	case "label":
		text = strings.TrimPrefix(text, ".")
	case "matrix":
		text = strings.TrimPrefix(text, ";")
		if !p.explode {
			text = strings.TrimPrefix(text, p.Name+"=")
		}
	case "spaceDelimited":
		text = strings.NewReplacer("%20", " ", "+", " ").Replace(text)
	case "pipeDelimited":
		text = strings.NewReplacer("%7C", "|", "%7c", "|").Replace(text)
	}
	if text == "" {
		return nil
	}
	return strings.Split(text, p.separator())
}

func (p *Parameter) array(g given) any {
	list := []any{}
	for _, text := range p.elements(g) {
		if p.style == "matrix" && p.explode {
			text = strings.TrimPrefix(text, p.Name+"=")
		}
		if p.In == "header" {
			text = strings.TrimSpace(text)
		}
		list = append(list, p.shape.item().choices(g.decode(text))[0])
	}
	return list
}

// object puts an object together; false: there is none.
func (p *Parameter) object(g given) (any, bool) {
	o := map[string]any{}
	set := func(name, text string) { o[name] = p.shape.prop(name).choices(g.decode(text))[0] }
	if len(g.parts) > 0 || p.style == "deepObject" || p.In == "query" && p.explode {
		for name, text := range g.parts {
			set(name, text)
		}
		return o, len(o) > 0
	}
	elements := p.elements(g)
	if p.explode {
		for _, text := range elements {
			name, value, is := strings.Cut(strings.TrimSpace(text), "=")
			if !is {
				return nil, false
			}
			set(g.decode(name), value)
		}
		return o, true
	}
	if len(elements)%2 != 0 {
		return nil, false
	}
	for i := 0; i < len(elements); i += 2 {
		set(strings.TrimSpace(g.decode(elements[i])), strings.TrimSpace(elements[i+1]))
	}
	return o, true
}

var isNumber = regexp.MustCompile(`^-?(0|[1-9]\d{0,99})(\.\d{1,99})?([eE][+-]?\d{1,3})?$`)

// choices are the values that a text may stand for, never none. What is not wanted is left a text, so that the
// violation says that it should be something else.
func (s *shape) choices(text string) (all []any) {
	anything := s == nil || len(s.types) == 0
	if (s.may("integer") || s.may("number")) && isNumber.MatchString(text) {
		all = append(all, json.Number(text))
	}
	if s.may("boolean") && (text == "true" || text == "false") {
		all = append(all, text == "true")
	}
	if s.may("null") && text == "" {
		all = append(all, nil)
	}
	if anything || s.may("string") || len(all) == 0 {
		all = append(all, text)
	}
	if anything {
		switch {
		case isNumber.MatchString(text):
			all = append(all, json.Number(text))
		case text == "true" || text == "false":
			all = append(all, text == "true")
		}
	}
	return all
}
