package main

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/traefik/paerser/parser"
	"github.com/traefik/paerser/types"

	"fairway/internal/oneof"
	"fairway/internal/secret"
)

// option is one option of the configuration with everything that is known of it.
type option struct {
	Name       string // as in files: "maxAge"
	LabelName  string // as in labels: "maxage"
	Shape      shape
	Type       reflect.Type // of a value, or of the element of a list or map
	Default    reflect.Value
	Comment    string
	Field      string // name of the Go field
	AllowEmpty bool
	NoFile     bool
	NoLabel    bool
	Catalog    bool      // exactly one of the children is given
	Children   []*option // of an object, or of the elements of a list or map
}

// shape is how the values of an option are put together.
type shape int

const (
	single shape = iota
	list
	mapping
)

// Deprecated tells whether the option is kept for old configurations only.
func (o *option) Deprecated() bool { return strings.HasPrefix(o.Comment, "Deprecated:") }

// Secret tells whether the option must not be shown.
func (o *option) Secret() bool { return o.Type == reflect.TypeFor[secret.String]() }

// object tells whether the option, or its elements, have options of their own.
func (o *option) object() bool { return o.Type.Kind() == reflect.Struct }

// defaulter is a configuration type with defaults other than the zero values.
type defaulter interface{ SetDefaults() }

// fresh is a new value of t with its defaults.
func fresh(t reflect.Type) reflect.Value {
	v := reflect.New(t)
	if d, ok := reflect.TypeAssert[defaulter](v); ok {
		d.SetDefaults()
	}
	return v.Elem()
}

// options lists the options that the struct v has, in the order of its fields.
func (g *generator) options(v reflect.Value) ([]*option, error) {
	return g.walk(v, nil)
}

func (g *generator) walk(v reflect.Value, above []reflect.Type) ([]*option, error) {
	t := v.Type()
	if slices.Contains(above, t) {
		return nil, nil // an object inside itself: described once
	}
	above = append(slices.Clip(above), t)
	var all []*option
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Tag.Get(parser.TagLabel) == "-" && f.Tag.Get(parser.TagFile) == "-" {
			continue
		}
		o, err := g.option(t, f, v.Field(i), above)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

func (g *generator) option(t reflect.Type, f reflect.StructField, v reflect.Value, above []reflect.Type) (*option, error) {
	comment, err := g.comments.ofField(t, f.Name)
	if err != nil {
		return nil, err
	}
	o := &option{
		Name: fileName(f), LabelName: strings.ToLower(f.Name), Comment: comment, Field: f.Name,
		AllowEmpty: f.Tag.Get(parser.TagLabel) == parser.TagLabelAllowEmpty,
		NoFile:     f.Tag.Get(parser.TagFile) == "-", NoLabel: f.Tag.Get(parser.TagLabel) == "-",
	}
	if alias := f.Tag.Get(parser.TagLabelSliceAsStruct); alias != "" {
		o.LabelName = strings.ToLower(alias)
	}
	o.Type = f.Type
	for o.Type.Kind() == reflect.Pointer {
		o.Type = o.Type.Elem()
		if v.IsValid() && v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
	}
	switch o.Type.Kind() {
	case reflect.Slice:
		o.Shape, o.Type = list, pointed(o.Type.Elem())
	case reflect.Map:
		o.Shape, o.Type = mapping, pointed(o.Type.Elem())
	}
	if !o.object() {
		o.Default = v
		return o, nil
	}
	if o.Shape != single || !v.IsValid() {
		v = fresh(o.Type)
	}
	if o.Comment == "" { // a catalog need not repeat what its kinds say of themselves
		if o.Comment, err = g.about(o.Type); err != nil {
			return nil, err
		}
	}
	o.Catalog = isCatalog(o.Type)
	o.Children, err = g.walk(v, above)
	return o, err
}

// about is what a type says of itself: a Config by the comment of its package.
func (g *generator) about(t reflect.Type) (string, error) {
	if t.Name() != "Config" {
		return g.comments.ofType(t)
	}
	text, err := g.comments.ofPackage(t.PkgPath())
	return firstParagraph(text), err
}

// fileName is the name of a field as its writers know it. Fields that never
// appear in JSON have no tag to tell.
func fileName(f reflect.StructField) string {
	name := oneof.Key(f)
	if name != f.Name {
		return name
	}
	upper := 0
	for upper < len(name) && name[upper] >= 'A' && name[upper] <= 'Z' {
		upper++
	}
	if upper > 1 && upper < len(name) {
		upper-- // the last capital begins the next word
	}
	return strings.ToLower(name[:upper]) + name[upper:]
}

// isCatalog tells whether t says its kind by the only field that is set.
func isCatalog(t reflect.Type) bool {
	_, ok := reflect.PointerTo(t).MethodByName("Kind")
	return ok
}

func pointed(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// typeName is the type of an option in the operator's words.
func (o *option) typeName() string {
	name := valueName(o.Type)
	switch {
	case o.object() && o.Shape == list:
		return "list of objects"
	case o.object() && o.Shape == mapping:
		return "objects by name"
	case o.Shape == list:
		return "list of " + plural(name)
	case o.Shape == mapping:
		return plural(name) + " by name"
	}
	return name
}

func valueName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[types.Duration](), t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t == reflect.TypeFor[secret.String]():
		return "secret"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "text"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Struct:
		return "object"
	case reflect.Interface:
		return "anything"
	}
	return "whole number"
}

func plural(name string) string {
	switch name {
	case "text":
		return "texts"
	case "anything":
		return name
	}
	return name + "s"
}

var zeroTail = regexp.MustCompile(`([hm])0m0s$|([hm])0s$`)

// defaultText is the default value as an operator would write it; "" for the
// zero value, except that a boolean always has one.
func (o *option) defaultText() string {
	if !o.Default.IsValid() {
		return o.spokenDefault()
	}
	if o.Default.IsZero() || o.Default.Kind() == reflect.Slice && o.Default.Len() == 0 || o.Default.Kind() == reflect.Map && o.Default.Len() == 0 {
		if spoken := o.spokenDefault(); spoken != "" {
			return spoken
		}
		if o.Shape == single && o.Type.Kind() == reflect.Bool {
			return "false"
		}
		return ""
	}
	if o.Shape != list {
		if o.Default.CanInt() && o.Default.Int() > largest {
			return o.spokenDefault()
		}
		return valueText(o.Default)
	}
	parts := make([]string, o.Default.Len())
	for i := range parts {
		parts[i] = valueText(o.Default.Index(i))
	}
	return strings.Join(parts, ",")
}

// largest is the largest number that is worth printing; those above stand for
// something that the comment tells.
const largest = 1 << 53

func valueText(v reflect.Value) string {
	switch d := v.Interface().(type) {
	case types.Duration:
		return zeroTail.ReplaceAllString(time.Duration(d).String(), "$1$2")
	case time.Duration:
		return zeroTail.ReplaceAllString(d.String(), "$1$2")
	}
	return fmt.Sprint(v.Interface())
}

var spoken = regexp.MustCompile(`(?s)(?:^|\s)Default:?\s+"?([^"]+?)"?\.(?:\s|$)`)

// defaultCell is the default as the table shows it: a value as code, words as
// words.
func (o *option) defaultCell() string {
	def := o.defaultText()
	if strings.Contains(def, " ") && (!o.Default.IsValid() || o.Default.Kind() != reflect.String || o.Default.IsZero()) {
		return prose(def)
	}
	return code(def)
}

// spokenDefault is the default that the comment tells, for those that no value
// can show.
func (o *option) spokenDefault() string {
	m := spoken.FindStringSubmatch(o.Comment)
	if m == nil {
		return ""
	}
	text := strings.Join(strings.Fields(m[1]), " ")
	if strings.ContainsAny(text, ",;") {
		return "" // more than a value: the comment shows it whole
	}
	return text
}
