package openapi

import (
	"encoding/json"
	"slices"
	"strings"
)

// kind is what an object of a document is. Where schemas are follows from it; what is only called like one, as an
// example, is left alone.
type kind int

const (
	opaque kind = iota
	document
	components
	pathItems
	pathItem
	operations
	operation
	parameters
	parameter
	bodies
	body
	responses
	response
	headers
	contents
	media
	callbacks
	schemas
	schemaObject
)

// members are the kinds of members by their names; of lists, the kind is that of all elements.
var members = map[kind]map[string]kind{
	document:   {"paths": pathItems, "components": components},
	components: {"schemas": schemas, "responses": responses, "parameters": parameters, "requestBodies": bodies, "headers": headers, "pathItems": pathItems, "mediaTypes": contents},
	pathItem: {
		"parameters": parameter, "get": operation, "put": operation, "post": operation, "delete": operation, "options": operation,
		"head": operation, "patch": operation, "trace": operation, "query": operation, "additionalOperations": operations,
	},
	operation: {"parameters": parameter, "requestBody": body, "responses": responses, "callbacks": callbacks},
	parameter: {"schema": schemaObject, "content": contents},
	body:      {"content": contents},
	response:  {"headers": headers, "content": contents},
	media:     {"schema": schemaObject},
	schemaObject: {
		"properties": schemas, "patternProperties": schemas, "$defs": schemas, "definitions": schemas, "dependentSchemas": schemas,
		"allOf": schemaObject, "anyOf": schemaObject, "oneOf": schemaObject, "prefixItems": schemaObject, "items": schemaObject, "contains": schemaObject,
		"additionalProperties": schemaObject, "propertyNames": schemaObject, "unevaluatedItems": schemaObject, "unevaluatedProperties": schemaObject,
		"not": schemaObject, "if": schemaObject, "then": schemaObject, "else": schemaObject,
	},
}

// every is the kind of all members of an object that has names of the author's own.
var every = map[kind]kind{
	pathItems: pathItem, operations: operation, parameters: parameter, bodies: body, responses: response, headers: parameter, contents: media, schemas: schemaObject,
}

// translator makes schemas of JSON Schema 2020-12 of those of a document.
type translator struct {
	root         map[string]any
	old, request bool
}

// asSchemas is the part of a document where schemas are, as requests or as responses have them.
func asSchemas(root map[string]any, old, request bool) any {
	t := translator{root, old, request}
	return t.object(map[string]any{"paths": root["paths"], "components": root["components"]}, document)
}

func (t *translator) value(v any, as kind) any {
	switch v := v.(type) {
	case map[string]any:
		return t.object(v, as)
	case []any:
		list := make([]any, len(v))
		for i, one := range v {
			list[i] = t.value(one, as)
		}
		return list
	}
	return v
}

func (t *translator) object(o map[string]any, as kind) any {
	if as == opaque {
		return o // nobody changes it
	}
	out := make(map[string]any, len(o))
	for name, v := range o {
		of := every[as]
		if known := members[as]; known != nil {
			of = known[name]
		}
		out[name] = t.value(v, of)
	}
	if as == schemaObject {
		t.schema(o, out)
	}
	return out
}

// schema changes out, the copy of o, into JSON Schema 2020-12.
func (t *translator) schema(o, out map[string]any) {
	if ref, is := o["$ref"]; is && t.old { // what stands beside it does not count (OpenAPI 3.0.4, section 4.7.23)
		clear(out)
		out["$ref"] = ref
		return
	}
	if uri, _ := out["$schema"].(string); knownDialect(uri) {
		delete(out, "$schema")
	}
	if t.old {
		fromDraft5(out)
	}
	t.required(o, out)
}

// fromDraft5 changes what OpenAPI 3.0 says otherwise. What is nullable may be null only where its type says so, and
// an enum, if there is one, has it as well (OpenAPI 3.0.3, Schema Object).
func fromDraft5(out map[string]any) {
	if typ, is := out["type"].(string); is && out["nullable"] == true {
		out["type"] = []any{typ, "null"}
	}
	for _, bound := range [...][2]string{{"exclusiveMinimum", "minimum"}, {"exclusiveMaximum", "maximum"}} {
		exclusive, is := out[bound[0]].(bool)
		if !is {
			continue
		}
		delete(out, bound[0])
		if limit, is := out[bound[1]].(json.Number); is && exclusive {
			out[bound[0]] = limit
			delete(out, bound[1])
		}
	}
}

// required takes those properties out of the list that the other direction only has to have.
func (t *translator) required(o, out map[string]any) {
	list, _ := o["required"].([]any)
	properties, _ := o["properties"].(map[string]any)
	if len(list) == 0 || len(properties) == 0 {
		return
	}
	word := "writeOnly"
	if t.request {
		word = "readOnly"
	}
	out["required"] = slices.DeleteFunc(slices.Clone(list), func(v any) bool {
		name, _ := v.(string)
		property, _, err := follow(t.root, properties[name], "")
		return err == nil && property[word] == true
	})
}

// pointerTo is the place of a member.
func pointerTo(place string, names ...string) string {
	for _, name := range names {
		place += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
	}
	return place
}
