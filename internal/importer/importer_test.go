package importer

import (
	"strings"
	"testing"
)

func TestYAML_WhatComesFromOutsideStaysWhatItIs(t *testing.T) {
	o := &Output{}
	o.Lose("services[a]\nhttp: {}", "\u2028%s\r\nevil: true", "{{ env `HOME` }}")
	o.Put("middlewares", "a", Object{"headers": Object{"customResponseHeaders": Object{"X": "{{ env `HOME` }}"}}})
	text, err := o.YAML("x.yml\nevil: true")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "evil") || strings.HasPrefix(line, "http: {}") {
			t.Errorf("a line is added: %s", line)
		}
	}
	if strings.Contains(strings.ReplaceAll(string(text), `{{"{{"}}`, ""), "{{") {
		t.Errorf("a template is left: %s", text)
	}
}

func TestPut_NamesAreNotGivenTwice(t *testing.T) {
	o := &Output{}
	for _, want := range []string{"a-b", "a-b-2", "a-b-3"} {
		if got := o.Put("services", "A b!", Object{}); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestName(t *testing.T) {
	for text, want := range map[string]string{"": "imported", "--": "imported", "Pet Shop / v1": "pet-shop-v1", "ä": "imported", strings.Repeat("a", 100): strings.Repeat("a", 60)} {
		if got := Name(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestReport_SaysEachThingOnce(t *testing.T) {
	o := &Output{}
	o.Differ("a", "b")
	o.Differ("a", "b")
	if len(o.Report()) != 1 || o.Lost() {
		t.Errorf("got %v", o.Report())
	}
	if o.Lose("a", "b"); !o.Lost() || o.Report()[1].String() != "lost     a: b" {
		t.Errorf("got %v", o.Report())
	}
}
