package texts

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"
)

var sources = Sources{"query": false, "item": true}

func TestRender(t *testing.T) {
	values := map[string]string{"query.a": "x/y", "item": "7"}
	lookup := func(names []string) (string, bool) { v, ok := values[strings.Join(names, ".")]; return v, ok }
	for text, want := range map[string]string{
		"": "", "plain": "plain", "/{query.a}/{item}": "/x%2Fy/7", "{query.b|z}": "z", "a{query.b}": "", "{ item }": "7",
	} {
		template, err := sources.New(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got, err := template.Render(lookup, Segment, false); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, want)
		}
	}
	template, _ := sources.New("a{query.b}")
	if _, err := template.Render(lookup, AsItIs, true); err == nil || err.Error() != "there is no query.b" {
		t.Errorf("got %v", err)
	}
}

func TestNew_TellsWhereAMistakeIs(t *testing.T) {
	for text, want := range map[string]string{
		"ab{query.a": "at offset 2: the brace is not closed", "{cookie.a}": `at offset 0: {cookie.a}: there is no "cookie", only item, query`,
		"{query}": "of query a name is wanted", "{query.}": "a name is empty",
	} {
		if _, err := sources.New(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestOf_WhatCanBeAText(t *testing.T) {
	long, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	for _, tt := range []struct {
		value any
		want  string
		ok    bool
	}{{"a", "a", true}, {true, "true", true}, {7, "7", true}, {1.5, "1.5", true}, {long, long.String(), true}, {json.Number("1e3"), "1e3", true}, {[]any{1, "b"}, "1,b", true}, {[]any{nil}, "", false}, {nil, "", false}, {map[string]any{}, "", false}} {
		if got, ok := Of(tt.value); got != tt.want || ok != tt.ok {
			t.Errorf("%v: got %q, %v", tt.value, got, ok)
		}
	}
	if got := Lookup(map[string]any{"a": []any{1, map[string]any{"b": "c"}}}, []string{"a", "1", "b"}); got != "c" {
		t.Errorf("got %v", got)
	}
	if OneLine("a\r\nb\x00") != "a  b " || Segment("..") != "%2E%2E" {
		t.Error("a value leaves its place")
	}
}
