package xmljson

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	for document, want := range map[string]string{
		`<a>x</a>`:                                     `{"a":"x"}`,
		`<?xml version="1.0"?><!-- c --> <a/>`:         `{"a":null}`,
		`<o id="7"><i n="1">x</i><i/><s:t>2</s:t></o>`: `{"o":{"@id":"7","i":[{"@n":"1","#text":"x"},null],"s:t":"2"}}`,
		`<a>&lt;&amp;&#233;<![CDATA[<b>]]></a>`:        `{"a":"<&é<b>"}`,
		`<a><b>1</b><b>2</b><b>3</b></a>`:              `{"a":{"b":["1","2","3"]}}`,
	} {
		got, err := Read([]byte(document), 8)
		if err != nil {
			t.Errorf("%s: %v", document, err)
			continue
		}
		text, _ := json.Marshal(got)
		var a, b any
		_, _ = json.Unmarshal(text, &a), json.Unmarshal([]byte(want), &b)
		if diff := cmp.Diff(b, a); diff != "" {
			t.Errorf("%s: %s", document, diff)
		}
	}
}

func TestRead_TellsWhatIsWrongAndWhere(t *testing.T) {
	for document, want := range map[string]string{
		"":                 "there is no element",
		"<a>\n<b></a>":     "line 2, column 8: </a> closes nothing",
		"<a>":              "<a> is not closed",
		"<a/><b/>":         "there is a second root",
		"<a/>x":            "text outside of the root",
		"</a>":             "closes nothing",
		`<a b="1" b="2"/>`: "has b twice",
		`<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`: "a document type is not taken",
		"<a>&nbsp;</a>":                               "invalid character entity",
		strings.Repeat("<a>", 9):                      "nested deeper than 8",
		`<?xml version="1.0" encoding="latin1"?><a/>`: "latin1",
	} {
		if got, err := Read([]byte(document), 8); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v, want %s", document, got, err, want)
		}
	}
}

func TestWrite(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":null}`: `<a/>`,
		`{"o":{"@id":7,"#text":"<&>","i":[1,{"x":true}],"s:t":"\""}}`: `<o id="7">&lt;&amp;&gt;<i>1</i><i><x>true</x></i><s:t>&#34;</s:t></o>`,
	} {
		var v any
		_ = json.Unmarshal([]byte(text), &v)
		got, err := Write(v)
		if err != nil || !strings.HasSuffix(string(got), "?>\n"+want) {
			t.Errorf("%s: got %s, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		`[]`: "one root", `{"a":1,"b":2}`: "one root", `{"a":[1]}`: "is a list", `{"a><b":1}`: "is no name", `{"a":{"@b c":"1"}}`: "is no attribute",
		`{"a":{"@b":{}}}`: "is no attribute", `{"a":{"#text":[{}]}}`: "is no text", `{"a":{"b":[[1]]}}`: "list of lists", `{"a:b:c":1}`: "is no name", `{"1":1}`: "is no name",
	} {
		var v any
		_ = json.Unmarshal([]byte(text), &v)
		if got, err := Write(v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
		}
	}
}

// What is read can be written if its names are common ones, and then is the same when it is read again.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{`<a/>`, `<o id="7"><i n="1">x</i><i/></o>`, `<a>&lt;<![CDATA[]]></a>`, `<a`, `<a><b></a>`, "<?xml?><a>\r\n</a>", `<!DOCTYPE a><a/>`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		v, err := Read(document, 32)
		if err != nil {
			return
		}
		text, err := Write(v)
		if err != nil {
			return
		}
		again, err := Read(text, 32)
		if err != nil {
			t.Fatalf("%s cannot be read: %v", text, err)
		}
		if diff := cmp.Diff(v, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
