package openapi

import (
	"fmt"
	"maps"
	"mime"
	"net/url"
	"slices"
	"strings"

	"fairway/internal/schema"
)

// builder makes the operations of a document.
type builder struct {
	root                map[string]any
	requests, responses *schema.Document
	options             Options
	into                *Document
}

// Operation is what a method of a path expects, and answers.
type Operation struct {
	// Name is its operationId; without one, method and path.
	Name      string
	params    []*Parameter
	body      *Body
	responses map[string]*Response
}

// Body is that of requests.
type Body struct {
	Required bool
	Content
}

// Response is one of those that an operation may have.
type Response struct {
	headers []*Parameter
	Content
}

// Content are the bodies that there may be, by their types.
type Content []*Media

// Media is a body of a type, which may be a range as in image/* or */*.
type Media struct {
	kind   string
	schema *schema.Schema // nil: every one will do
	shape  *shape
	fields map[string]*Parameter // of a form
}

var methods = map[string]string{
	"get": "GET", "put": "PUT", "post": "POST", "delete": "DELETE", "options": "OPTIONS", "head": "HEAD", "patch": "PATCH", "trace": "TRACE", "query": "QUERY",
}

func (b *builder) build() (err error) {
	if b.into.bases, err = Bases(b.root["servers"], b.options.Location); err != nil {
		return err
	}
	if b.options.BasePath != "" {
		b.into.bases = []string{strings.TrimRight(b.options.BasePath, "/")}
	}
	paths, _ := b.root["paths"].(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if strings.HasPrefix(path, "x-") {
			continue
		}
		if err := b.path(path, paths[path]); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) path(path string, v any) error {
	place := pointerTo("/paths", path)
	item, at, err := follow(b.root, v, place)
	if err != nil {
		return err
	}
	common, err := b.parameters(item["parameters"], at+"/parameters")
	if err != nil {
		return err
	}
	all := map[string]*Operation{}
	add := func(method string, v any, place string) error {
		if b.into.operations++; b.into.operations > mostOperations {
			return fmt.Errorf("there are more than %d operations", mostOperations)
		}
		object, is := v.(map[string]any)
		if !is {
			return fmt.Errorf("%s: there is no object", place)
		}
		o, err := b.operation(object, place, common)
		if err == nil && o.Name == "" {
			o.Name = method + " " + path
		}
		all[method] = o
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(item)) {
		if method, is := methods[name]; is {
			if err := add(method, item[name], pointerTo(at, name)); err != nil {
				return err
			}
		}
	}
	others, _ := item["additionalOperations"].(map[string]any)
	for _, method := range slices.Sorted(maps.Keys(others)) {
		if err := add(method, others[method], pointerTo(at, "additionalOperations", method)); err != nil {
			return err
		}
	}
	if err := b.into.paths.add(path, all); err != nil {
		return fmt.Errorf("%s: %w", place, err)
	}
	return nil
}

func (b *builder) operation(o map[string]any, place string, common []*Parameter) (*Operation, error) {
	own, err := b.parameters(o["parameters"], place+"/parameters")
	if err != nil {
		return nil, err
	}
	out := &Operation{params: own, responses: map[string]*Response{}}
	out.Name, _ = o["operationId"].(string)
	for _, p := range common {
		if !slices.ContainsFunc(own, func(q *Parameter) bool { return p.Name == q.Name && p.In == q.In }) {
			out.params = append(out.params, p)
		}
	}
	if v := o["requestBody"]; v != nil {
		object, at, err := follow(b.root, v, place+"/requestBody")
		if err != nil {
			return nil, err
		}
		out.body = &Body{Required: object["required"] == true}
		if out.body.Content, err = b.content(b.requests, object["content"], at+"/content"); err != nil {
			return nil, err
		}
	}
	answers, _ := o["responses"].(map[string]any)
	for status, v := range answers {
		if strings.HasPrefix(status, "x-") {
			continue
		}
		if out.responses[strings.ToUpper(status)], err = b.response(v, pointerTo(place, "responses", status)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (b *builder) response(v any, place string) (*Response, error) {
	object, at, err := follow(b.root, v, place)
	if err != nil {
		return nil, err
	}
	out := &Response{}
	if out.Content, err = b.content(b.responses, object["content"], at+"/content"); err != nil {
		return nil, err
	}
	named, _ := object["headers"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if strings.EqualFold(name, "Content-Type") {
			continue // OpenAPI, Response Object: it is ignored
		}
		header, at, err := follow(b.root, named[name], pointerTo(at, "headers", name))
		if err != nil {
			return nil, err
		}
		p, err := b.parameter(b.responses, header, at, name, "header")
		if err != nil {
			return nil, err
		}
		out.headers = append(out.headers, p)
	}
	return out, nil
}

func (b *builder) content(in *schema.Document, v any, place string) (Content, error) {
	object, _ := v.(map[string]any)
	var all Content
	for _, name := range slices.Sorted(maps.Keys(object)) {
		kind, _, err := mime.ParseMediaType(name)
		if err != nil || !strings.Contains(kind, "/") {
			return nil, fmt.Errorf("%s: it is no media type", pointerTo(place, name))
		}
		of, at, err := follow(b.root, object[name], pointerTo(place, name))
		if err != nil {
			return nil, err
		}
		m := &Media{kind: kind}
		if of["schema"] != nil {
			if m.schema, err = compiled(in, at+"/schema"); err != nil {
				return nil, err
			}
			if kind == formType {
				m.shape = b.shapeOf(of["schema"])
				m.fields = formFields(m.shape, of["encoding"])
			}
		}
		all = append(all, m)
	}
	// What is concrete comes before ranges, and those before what may be anything.
	slices.SortStableFunc(all, func(a, b *Media) int { return strings.Count(a.kind, "*") - strings.Count(b.kind, "*") })
	return all, nil
}

// compiled compiles the schema at a place.
func compiled(in *schema.Document, place string) (*schema.Schema, error) {
	s, err := in.At((&url.URL{Fragment: place}).EscapedFragment())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", place, err)
	}
	return s, nil
}
