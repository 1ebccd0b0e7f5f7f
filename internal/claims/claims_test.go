package claims

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func token(t *testing.T, text string) map[string]any {
	t.Helper()
	var c map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLookup(t *testing.T) {
	c := token(t, `{"sub": "17", "realm_access": {"roles": ["a", "b"]}, "https://shop.example/roles": "r", "a.b": {"c.d": 1}, "a": {"b": {"c": {"d": 2}, "x": 3}}, "null": null}`)
	for path, want := range map[string]any{
		"sub": "17", "realm_access.roles": []any{"a", "b"}, "https://shop.example/roles": "r", "a.b.c.d": json.Number("2"), "a.b.x": json.Number("3"),
		"": nil, ".": nil, "sub.x": nil, "realm_access.": nil, "nobody": nil, "null": nil, "realm_access.roles.0": nil,
	} {
		if got := Lookup(c, path); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %v, want %v", path, got, want)
		}
	}
}

func TestTexts(t *testing.T) {
	c := token(t, `{"text": "a b", "number": 12345678901234567890, "yes": true, "list": ["a", 1, null, {"x": 1}, ["y"], false], "object": {}, "null": null}`)
	for name, want := range map[string][]string{
		"text": {"a b"}, "number": {"12345678901234567890"}, "yes": {"true"}, "list": {"a", "1", "false"}, "object": nil, "null": nil,
	} {
		if got := Texts(c[name]); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := Words(c["text"]); !reflect.DeepEqual(got, []string{"a", "b"}) {
		t.Errorf("Words: got %q", got)
	}
	if got := Words(c["list"]); !reflect.DeepEqual(got, []string{"a", "1", "false"}) {
		t.Errorf("Words: got %q", got)
	}
	if !Has(c["list"], "1") || Has(c["text"], "a") || !Has(c["text"], "a b") {
		t.Error("Has is wrong")
	}
}
