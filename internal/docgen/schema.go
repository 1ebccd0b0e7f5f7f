package main

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/config"
	"fairway/config/dynamic"
)

// schema is a JSON schema, as much of it as is needed.
type schema struct {
	Dialect     string             `json:"$schema,omitempty"`
	Title       string             `json:"title,omitempty"`
	Description string             `json:"description,omitempty"`
	Type        any                `json:"type,omitempty"`
	Pattern     string             `json:"pattern,omitempty"`
	Default     any                `json:"default,omitempty"`
	Deprecated  bool               `json:"deprecated,omitempty"`
	WriteOnly   bool               `json:"writeOnly,omitempty"`
	Properties  map[string]*schema `json:"properties,omitempty"`
	Items       *schema            `json:"items,omitempty"`
	Min         int                `json:"minProperties,omitempty"`
	Max         int                `json:"maxProperties,omitempty"`
	// More is false for objects that have no options but those listed, and the
	// schema of the values for those with free names.
	More any `json:"additionalProperties,omitempty"`
}

const schemaDialect = "https://json-schema.org/draft/2020-12/schema"

// described are the types of both kinds of configuration, with their defaults.
func (g *generator) described() map[string]reflect.Value {
	return map[string]reflect.Value{
		"dynamic": fresh(reflect.TypeFor[dynamic.Configuration]()),
		"install": reflect.ValueOf(config.Default()).Elem(),
	}
}

// schemas prints the JSON schemas of both kinds of files.
func (g *generator) schemas() error {
	if err := g.schema("fairway-dynamic.schema.json", "fairway routing configuration",
		fresh(reflect.TypeFor[dynamic.Configuration]())); err != nil {
		return err
	}
	return g.schema("fairway-install.schema.json", "fairway install configuration", reflect.ValueOf(config.Default()).Elem())
}

func (g *generator) schema(file, title string, v reflect.Value) error {
	options, err := g.options(v)
	if err != nil {
		return err
	}
	s := objectSchema(options)
	s.Dialect, s.Title = schemaDialect, title
	if s.Description, err = g.comments.ofType(v.Type()); err != nil {
		return err
	}
	s.Description = strings.Join(strings.Fields(s.Description), " ")
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	g.pages[file] = append(text, '\n')
	return nil
}

func objectSchema(options []*option) *schema {
	s := &schema{Type: "object", Properties: map[string]*schema{}, More: false}
	for _, o := range options {
		if !o.NoFile {
			s.Properties[o.Name] = o.schema()
		}
	}
	return s
}

func (o *option) schema() *schema {
	s := o.valueSchema()
	switch o.Shape {
	case list:
		s = &schema{Type: "array", Items: s}
	case mapping:
		s = &schema{Type: "object", More: s}
	}
	s.Description = strings.Join(strings.Fields(o.Comment), " ")
	s.Deprecated = o.Deprecated()
	s.Default = o.defaultJSON()
	return s
}

func (o *option) valueSchema() *schema {
	if o.object() {
		s := objectSchema(o.Children)
		if o.Catalog {
			s.Min, s.Max = 1, 1
			for _, child := range o.Children {
				if !child.object() {
					s.Max++ // it says more than a kind
				}
			}
		}
		if o.AllowEmpty {
			s.Type = []string{"object", "boolean", "null"}
		}
		return s
	}
	s := &schema{WriteOnly: o.Secret()}
	switch valueName(o.Type) {
	case "duration":
		s.Type, s.Pattern = []string{"string", "integer"}, `^-?([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^-?[0-9]+$`
	case "boolean":
		s.Type = "boolean"
	case "whole number":
		s.Type = "integer"
	case "number":
		s.Type = "number"
	case "text", "secret":
		s.Type = "string"
	}
	return s
}

// defaultJSON is the default that SetDefaults makes, or nil.
func (o *option) defaultJSON() any {
	v := o.Default
	if !v.IsValid() || v.IsZero() || o.Secret() || v.CanInt() && v.Int() > largest {
		return nil
	}
	switch d := v.Interface().(type) {
	case types.Duration, time.Duration:
		return valueText(v)
	case []types.Duration:
		texts := make([]string, len(d))
		for i := range d {
			texts[i] = valueText(v.Index(i))
		}
		return texts
	}
	if kind := v.Kind(); kind >= reflect.Float32 && kind <= reflect.Float64 {
		return json.Number(strconv.FormatFloat(v.Float(), 'g', -1, 64))
	}
	return v.Interface()
}
