package jsontree

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead_TakesYAMLAsJSON(t *testing.T) {
	const text = "200: a\nn: 0x10\nf: 1.50\nb: yes\nt: true\nz: ~\nd: 2020-01-01\nbase: &b {x: 1, y: 2}\nm: {<<: *b, y: 3}\nl: [*b]\n"
	got, err := Read([]byte(text), 1000)
	if err != nil {
		t.Fatal(err)
	}
	base := map[string]any{"x": json.Number("1"), "y": json.Number("2")}
	want := map[string]any{
		"200": "a", "n": json.Number("16"), "f": json.Number("1.50"), "b": "yes", "t": true, "z": nil, "d": "2020-01-01", "base": base,
		"m": map[string]any{"x": json.Number("1"), "y": json.Number("3")}, "l": []any{base},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRead_TellsTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"a: [":                    "line 1",
		"a: 1\nb: .inf":           "line 2",
		"a: 1\n? [x]\n: 1":        "line 2",
		"a: 1\nb: {<<: 1}":        "line 2",
		"- a":                     "no object",
		"":                        "no object",
		strings.Repeat("a", 2000): "longer than 1000 bytes",
		"a: " + strings.Repeat("[", 300) + strings.Repeat("]", 300): "too deep",
	} {
		if _, err := Read([]byte(text), 1000); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: got %v, want %s", text, err, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{`{"a": [1, true, null]}`, "a: &a {b: *a}", "<<: [{a: 1}]", "a: !!binary x", "? a\n: b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Read([]byte(text), 1<<20)
		if err != nil {
			return
		}
		if _, err := json.Marshal(v); err != nil {
			t.Errorf("%q is no JSON: %v", text, err)
		}
	})
}
