package schema

import (
	"strings"
	"testing"
)

// Numbers that would be written out to a megabyte cost nothing, in schemas and in what is compared with them.
func TestNumbers_ThatAreUnwieldyAreRefused(t *testing.T) {
	for _, text := range []string{`{"multipleOf": 1e2000000}`, `{"properties": {"a": {"minimum": 1e-999999}}}`, `{"enum": [` + strings.Repeat("9", 500) + `]}`, `{"const": 1e99999999999999999999}`} {
		if _, err := New(text); err == nil || !strings.Contains(err.Error(), "a number is too long, or too far from 1") {
			t.Errorf("%.40s: got %v", text, err)
		}
	}
	s, err := New(`{"items": {"type": "integer", "minimum": 0, "multipleOf": 0.5}}`)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"[1, 1e999999]": "/1: the number is too long, or too far from 1", "[" + strings.Repeat("1", 1000) + "]": "/0: the number is too long", `[{"a/b": 1e-2000000}]`: "/0/a~1b: the number is too long",
		"[1e300, 12345678901234567890]": "",
	} {
		found := s.Check([]byte(text))
		if want == "" && len(found) > 0 || want != "" && (len(found) != 1 || !strings.HasPrefix(found[0].String(), want)) {
			t.Errorf("%.40s: got %v", text, found)
		}
	}
}
