// Package schema compares JSON with JSON Schemas (draft 2020-12, or the one that a schema names), and tells
// every violation by its place. A schema can refer to what is in its own document only: nothing is fetched.
package schema

import (
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Schema is one, compiled.
type Schema struct{ compiled *jsonschema.Schema }

// Document is JSON in which there are schemas.
type Document struct{ compiler *jsonschema.Compiler }

const name = "schema:fairway"

// New compiles a schema, which is JSON text.
func New(text string) (*Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("is no JSON: %w", err)
	}
	d, err := In(doc)
	if err != nil {
		return nil, err
	}
	return d.At("")
}

// In is a document that has been read: of maps, lists, texts, booleans and json.Number. It must not be
// changed afterwards.
func In(doc any) (*Document, error) { return in(doc, nowhere{}) }

func in(doc any, others jsonschema.URLLoader) (d *Document, err error) {
	if place, found := unwieldy(doc); found {
		return nil, fmt.Errorf("at %s: a number is too long, or too far from 1", pointer(place))
	}
	defer recovered(&err)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	for _, f := range formats() {
		c.RegisterFormat(f)
	}
	c.UseLoader(others)
	if err := c.AddResource(name, doc); err != nil {
		return nil, err
	}
	return &Document{c}, nil
}

// At compiles the schema at a place, a JSON Pointer (RFC 6901) as a fragment of a URI has it.
func (d *Document) At(pointer string) (made *Schema, err error) {
	defer recovered(&err)
	at := name
	if pointer != "" {
		at += "#" + pointer
	}
	s, err := d.compiler.Compile(at)
	if err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	if err := bounded(s); err != nil {
		return nil, err
	}
	return &Schema{s}, nil
}

// recovered makes an error of a mistake in the library: a schema is what others write.
func recovered(err *error) {
	if reason := recover(); reason != nil {
		*err = fmt.Errorf("cannot be compiled: %v", reason)
	}
}

// nowhere fetches nothing: whoever writes a schema cannot have files or addresses read.
type nowhere struct{}

// Load implements jsonschema.URLLoader.
func (nowhere) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s: only what is in the schema itself can be referred to", url)
}
