package transform

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestBody_OfOneFormatBecomesAnother(t *testing.T) {
	for _, tt := range []struct {
		name     string
		config   Response
		in, want string
		kind     string
	}{
		{"XML to JSON", Response{Body: ".order | {id: .[\"@id\"], items: [.item[].name]}", From: "xml"}, `<order id="7"><item><name>a</name></item><item><name>b</name></item></order>`, `{"id":"7","items":["a","b"]}`, "application/json"},
		{"JSON to XML", Response{Body: "{order: {\"@id\": .id, item: .items}}", To: "xml"}, `{"id": 7, "items": ["a", "<b>"]}`, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<order id=\"7\"><item>a</item><item>&lt;b&gt;</item></order>", "application/xml; charset=utf-8"},
		{"XML to a form", Response{Body: ".a", From: "xml", To: "form"}, `<a><b>1</b><c>x y</c></a>`, "b=1&c=x+y", "application/x-www-form-urlencoded"},
		{"a template", Response{Template: `{"n": {{.body.name | json}}, "s": {{.status}}, "t": {{join "," .body.tags | upper | json}}, "m": "{{.request.method}}", "d": {{.body.none | default "x" | json}}}`}, `{"name": "a\"b", "tags": ["x", "y"]}`, `{"n": "a\"b", "s": 200, "t": "X,Y", "m": "GET", "d": "x"}`, "application/json"},
		{"a template for XML", Response{Template: `<n>{{.body.name | xml}}</n>`, To: "xml"}, `{"name": "<&>"}`, `<n>&lt;&amp;&gt;</n>`, "application/xml; charset=utf-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := built(t, &Config{Response: &tt.config}, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, tt.in) })
			if w, rec := ask(h, "GET", "/", "", nil); w.Code != 200 || w.Body.String() != tt.want || w.Header().Get("Content-Type") != tt.kind {
				t.Errorf("got %d %q %q, %s", w.Code, w.Body, w.Header().Get("Content-Type"), rec.Cause)
			}
		})
	}
}

func TestBody_ThatDoesNotFit(t *testing.T) {
	for _, tt := range []struct {
		config   Response
		in, want string
	}{
		{Response{Body: ".", From: "xml"}, "<a>\n<b></a>", "transform: response: the body: line 2, column 8: </a> closes nothing"},
		{Response{Body: ".", To: "xml"}, "[]", "what comes out: it is no object with one member"},
		{Response{Template: "{"}, "1", "what the template makes: it is no JSON"},
		{Response{Template: "<a>", To: "xml"}, "1", "what the template makes: line 1, column 4: <a> is not closed"},
		{Response{Template: "{{.body.a.b}}"}, "1", "template:1:7: executing"},
		{Response{Template: `{{range .body}}xxxxxxxxxx{{end}}`, To: "text"}, "[1,2,3,4,5,6,7,8,9,10]", "a text becomes too long"},
		{Response{Template: `{{xml .body}}`, To: "text"}, "[{}]", "xml: a list or an object is no text"},
		{Response{Template: `{{join "," .body}}`, To: "text"}, "[{}]", "join: item 0 is no text"},
	} {
		h := built(t, &Config{Response: &tt.config, MaxBodyBytes: 64}, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, tt.in) })
		if w, rec := ask(h, "GET", "/", "", nil); w.Code != 502 || !strings.Contains(rec.Cause, tt.want) {
			t.Errorf("%s: got %d, %q", tt.want, w.Code, rec.Cause)
		}
	}
}

func FuzzDocument(f *testing.F) {
	for _, seed := range []string{`{{.body | json}}`, `{{range $i, $v := .body}}{{$i}}{{xml $v}}{{else}}none{{end}}`, `{{with .body.a}}{{.b}}{{end}}`, `{{define "a"}}{{end}}{{template "a"}}`, `{{$ := 1}}{{range 5}}{{end}}`, `{{printf "%999999999d" 1}}`, `{{call .turn}}`} {
		f.Add(seed, `{"a": [1, {"b": "<c>"}]}`)
	}
	f.Fuzz(func(_ *testing.T, text, body string) {
		d, err := newDocument(text, 1<<12)
		if err != nil {
			return
		}
		in, err := asJSON.read([]byte(body))
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, _ = d.make(ctx, asText, in, valuesOf(httptest.NewRequest("GET", "/", nil)).variables(0, nil))
	})
}
