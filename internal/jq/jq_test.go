package jq

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestRun_OfWhatIsRead(t *testing.T) {
	for _, tt := range []struct{ expression, input, want, wrong string }{
		{".a", `{"a": 123456789012345678901234567890}`, "123456789012345678901234567890", ""},
		{".a + 1", `{"a": 1.5}`, "2.5", ""},
		{"$x.y", `null`, "7", ""},
		{"empty", `1`, "null", ""},
		{".[]", `[1, 2]`, "", "more than one value"},
		{".a.b", `{"a": 1}`, "", "expected an object"},
		{"env | length", `null`, "0", ""},
		{"error(\"no\")", `null`, "", "no"},
	} {
		e, err := Compile(tt.expression, "$x")
		if err != nil {
			t.Fatalf("%s: %v", tt.expression, err)
		}
		in, err := Read([]byte(tt.input), 10)
		if err != nil {
			t.Fatalf("%s: %v", tt.input, err)
		}
		out, err := e.Run(t.Context(), in, map[string]any{"y": 7})
		if tt.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), tt.wrong) {
				t.Errorf("%s: got %v, %v", tt.expression, out, err)
			}
			continue
		}
		if text, _ := json.Marshal(out); err != nil || string(text) != tt.want {
			t.Errorf("%s: got %s, %v, want %s", tt.expression, text, err, tt.want)
		}
	}
}

func TestRead_Refuses(t *testing.T) {
	for text, want := range map[string]string{"[[[": "nested deeper than 2", `"[[["`: "", "{": "it is no JSON", "1 2": "something behind", `{"a": "\"[[["}`: ""} {
		if _, err := Read([]byte(text), 2); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

func TestCompile_ReachesNothingOutside(t *testing.T) {
	for _, text := range []string{`import "a" as a; .`, "input", "$none", ".a ["} {
		if _, err := Compile(text); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

func TestParts_AreFoundHoweverTheyAreWritten(t *testing.T) {
	e, err := Compile(`.parts.user.id, .parts["a-b"], .parts."c d", .request.parts_x`)
	if err != nil {
		t.Fatal(err)
	}
	if names, all := e.Parts(); strings.Join(names, "|") != "user|a-b|c d" || all {
		t.Errorf("got %q, %v", names, all)
	}
	if e, err = Compile(`.parts | keys`); err != nil {
		t.Fatal(err)
	}
	if _, all := e.Parts(); !all {
		t.Error("it is about all of them")
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{`{"a": [1, 1.50, 12345678901234567890, null, "\u0000"]}`, "[[[[", `"\`, "1 2", "1e999", "-0"} {
		f.Add([]byte(seed))
	}
	same, err := Compile(".")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := Read(text, 32)
		if err != nil {
			return
		}
		out, err := same.Run(t.Context(), Copy(v))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		again, err := json.Marshal(out)
		if err != nil {
			t.Fatalf("%q cannot be written: %v", text, err)
		}
		if _, err := Read(again, 32); err != nil {
			t.Errorf("%q became %q: %v", text, again, err)
		}
	})
}

func TestRun_LongTextsAreNotLookedInto(t *testing.T) {
	long := strings.Repeat("a", longestText+1)
	for text, want := range map[string]error{`.a | gsub("a"; "b")`: ErrLongText, `[.a | scan("a")]`: ErrLongText, `.a | length`: nil} {
		e, err := Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Run(t.Context(), map[string]any{"a": long}); !errors.Is(err, want) {
			t.Errorf("%s: got %v", text, err)
		}
		if err := e.Each(t.Context(), map[string]any{"b": []any{long}, "a": "x"}, func(any) error { return nil }); !errors.Is(err, want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}
