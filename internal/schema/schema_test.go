package schema

import (
	"fmt"
	"strings"
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

// TestViolations_AreShort has names that a client has made many, or long: what it is told is neither.
func TestViolations_AreShort(t *testing.T) {
	r, err := New(`{"propertyNames": {"maxLength": 100000}, "properties": {"a": {"additionalProperties": false}}, "additionalProperties": {"type": "string"}}`)
	if err != nil {
		t.Fatal(err)
	}
	var many strings.Builder
	for i := range 30000 {
		fmt.Fprintf(&many, `"name%05d": 1, `, i)
	}
	long := strings.Repeat("/", 200000)
	for name, test := range map[string]struct{ body, detail string }{
		"many names":          {`{"a": {` + many.String() + `"z": 1}}`, "additional properties 'name00000', 'name00001', 'name00002', 'name00003', 'name00004', 'name00005', 'name00006', 'name00007', 'name00008', 'name00009' not allowed, and 29991 more"},
		"a long name":         {`{"a": {"` + long + `": 1}}`, "additional properties '" + long[:80] + "…' not allowed"},
		"a name in its place": {`{"` + long[:99999] + `": 1}`, "got number, want string"},
	} {
		found := r.Check([]byte(test.body))
		if len(found) != 1 || found[0].Detail != test.detail || len(found[0].Pointer) > 1010 {
			t.Errorf("%s: got %.2000q, want %q", name, found, test.detail)
		}
	}
	if found := r.Check([]byte(`{"` + long + `": "x"}`)); len(found) == 0 || len(found[0].String()) > 2020 {
		t.Errorf("a name that is not allowed: got %.2000q", found)
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
