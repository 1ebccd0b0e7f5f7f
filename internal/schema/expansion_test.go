package schema

import (
	"fmt"
	"strings"
	"testing"
)

// doubling is a schema of levels, each of which refers to the next one in a form with two places for it.
func doubling(levels int, form, last string) string {
	var b strings.Builder
	for i := range levels {
		next := fmt.Sprintf(`{"$ref": "#/$defs/n%d"}`, i+1)
		fmt.Fprintf(&b, `"n%d": %s, `, i, strings.ReplaceAll(form, "next", next))
	}
	return fmt.Sprintf(`{"$ref": "#/$defs/n0", "$defs": {%s"n%d": %s}}`, b.String(), levels, last)
}

func TestSchemas_ThatDoubleAreRefused(t *testing.T) {
	for name, form := range map[string]string{
		"allOf":            `{"allOf": [next, next]}`,
		"anyOf":            `{"anyOf": [next, next]}`,
		"oneOf":            `{"oneOf": [next, next]}`,
		"not and $ref":     `{"not": next, "allOf": [next]}`,
		"if":               `{"if": next, "then": next, "else": next}`,
		"dependentSchemas": `{"dependentSchemas": {"a": next, "b": next}}`,
		"properties":       `{"properties": {"a": next}, "allOf": [{"properties": {"a": next}}]}`,
		"items":            `{"items": next, "contains": next}`,
		"patterns":         `{"patternProperties": {"a": next, "b": next}}`,
		"additional":       `{"allOf": [{"additionalProperties": next}, {"additionalProperties": next}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(doubling(22, form, `{"type": "object"}`)); err == nil || !strings.HasPrefix(err.Error(), "there are more than 100000 ways through its allOf") {
				t.Errorf("got error %v", err)
			}
			if _, err := New(doubling(5, form, `{"type": "object"}`)); err != nil {
				t.Errorf("five levels: %v", err)
			}
		})
	}
}

// TestSchemas_ThatDoubleInACircleAreRefused has references that come to themselves, in front of what doubles.
func TestSchemas_ThatDoubleInACircleAreRefused(t *testing.T) {
	var b strings.Builder
	first := []string{}
	for i := range 22 {
		fmt.Fprintf(&b, `"a%d": {"allOf": [{"$ref": "#/$defs/b%d"}, {"$ref": "#/$defs/b%d"}, {"$ref": "#/$defs/b%d"}]}, "b%d": {"$ref": "#/$defs/a%d"}, `, i, i, i+1, i+1, i, i)
		first = append([]string{fmt.Sprintf(`{"$ref": "#/$defs/a%d"}`, i)}, first...)
	}
	text := fmt.Sprintf(`{"allOf": [%s, {"$ref": "#/$defs/b0"}], "$defs": {%s"b22": true}}`, strings.Join(first, ", "), b.String())
	if _, err := New(text); err == nil || !strings.HasPrefix(err.Error(), "there are more than") {
		t.Errorf("got error %v", err)
	}
}

func TestSchemas_ThatAreLargeOrRecursiveAreUsed(t *testing.T) {
	var wide strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&wide, `"p%d": {"$ref": "#/$defs/n"}, `, i)
	}
	for name, text := range map[string]string{
		"itself":     `{"$ref": "#"}`,
		"a tree":     `{"$defs": {"n": {"oneOf": [{"type": "string"}, {"properties": {"l": {"$ref": "#/$defs/n"}, "r": {"$ref": "#/$defs/n"}}}]}}, "$ref": "#/$defs/n"}`,
		"wide":       `{"properties": {` + wide.String() + `"z": true}, "$defs": {"n": {"anyOf": [{"type": "string"}, {"type": "integer"}, {"items": {"$ref": "#"}}]}}}`,
		"of schemas": `{"$ref": "https://json-schema.org/draft/2020-12/schema"}`,
	} {
		if _, err := New(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
