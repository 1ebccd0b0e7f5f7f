package schema

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestViolations_AreInTheOrderOfTheirPlaces(t *testing.T) {
	r, err := New(`{"additionalProperties": {"type": "string", "minLength": 3, "pattern": "^a"}, "patternProperties": {"^z": {"additionalProperties": false}}}`)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"b": "b", "c": "c", "d": "d", "e": 1, "z": {"q": 1, "p": 1}}`)
	first := r.Check(body)
	if len(first) != 8 || first[7].Detail != "additional properties 'p', 'q' not allowed" {
		t.Errorf("got %+v", first)
	}
	for range 20 {
		if diff := cmp.Diff(first, r.Check(body)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func FuzzSchema(f *testing.F) {
	for _, seed := range []string{`{"properties": {"a/b": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "integer", "format": "int32"}}}`, `{}`, `true`, `{"$ref": "#"}`, `{"$ref": "http://a/b"}`, `{"pattern": "("}`, `{"type": 1}`} {
		f.Add(seed, `{"name": "x"}`)
	}
	f.Fuzz(func(t *testing.T, schema, body string) {
		r, err := New(schema)
		if err != nil {
			return
		}
		for _, v := range r.Check([]byte(body)) {
			if v.Detail == "" {
				t.Errorf("%q of %q: a violation without words", body, schema)
			}
		}
	})
}
