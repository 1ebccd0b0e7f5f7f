package aggregate

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTemplate_WritesTheAnswer(t *testing.T) {
	odd := services{"users": says(`{"id": 12345678901234567890, "name": "<b>Ann</b>"}`), "orders": shop["orders"], "broken": shop["broken"]}
	for _, tt := range []struct{ name, config, target, kind, want string }{
		{
			"JSON", `{path: '/users/{id}', template: '{"id": {{json .parts.user.id}}, "for": {{json .request.path.id}}, "skus": [{{range $i, $o := .parts.orders.items}}{{if $i}},{{end}}{{json $o.sku}}{{end}}]}', parts: {user: {service: users}, orders: {service: orders}}}`,
			"/users/7", "application/json", `{"id": 12345678901234567890, "for": "7", "skus": ["a","b","a"]}`,
		},
		{
			"HTML", `{template: '<p title="{{.parts.user.name}}">{{.parts.user.name}}</p><a href="/?q={{.request.query.q}}">x</a>', contentType: text/html; charset=utf-8, parts: {user: {service: users}}}`,
			"/?q=a%26b%22", "text/html; charset=utf-8", `<p title="&lt;b&gt;Ann&lt;/b&gt;">&lt;b&gt;Ann&lt;/b&gt;</p><a href="/?q=a%26b%22">x</a>`,
		},
		{
			"HTML with ranges in its code and tags", `{template: '<script>var a=[{{range .parts.o.items}}{{.sku}},{{end}}]</script><a {{range .parts.o.items}}data-{{.sku}}=1 {{end}}title={{range .parts.o.items}}{{.n}}{{end}}>', contentType: text/html, parts: {o: {service: orders}}}`,
			"/", "text/html", `<script>var a=["a","b","a",]</script><a data-a=1 data-b=1 data-a=1 title=123>`,
		},
		{
			"what is missing", `{template: '{{range .partial}}{{.part}} {{.status}}{{end}}', contentType: text/plain, parts: {user: {service: users}, b: {service: broken, required: false}}}`,
			"/", "text/plain", "b 503",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, rec := get(mustBuild(t, tt.config, odd), tt.target, nil)
			if h := w.Header(); w.Code != 200 || w.Body.String() != tt.want || h.Get("Content-Type") != tt.kind || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("got %d %s, %v, %s", w.Code, w.Body, h, rec.Cause)
			}
		})
	}
}

func TestTemplate_OfAVariant(t *testing.T) {
	s := mustBuild(t, `
variantBy: ['{header.X-Client}']
variants:
  card: {parts: [user], contentType: text/html, template: '<b>{{.parts.user.name}}</b>'}
  raw: {result: '.parts.user.id'}
template: '{"name": {{json .parts.user.name}}}'
parts: {user: {service: users}, orders: {service: orders}}
`, shop)
	for client, want := range map[string]string{"": `application/json {"name": "Ann"}`, "card": "text/html <b>Ann</b>", "raw": "application/json 12345678901234567890\n"} {
		w, rec := get(s, "/", func(r *http.Request) { r.Header.Set("X-Client", client) })
		if got := w.Header().Get("Content-Type") + " " + w.Body.String(); w.Code != 200 || got != want {
			t.Errorf("%q: got %d %s, %s", client, w.Code, got, rec.Cause)
		}
	}
}

// A page has a body: that is none of the request.
func TestTemplate_ReadsBodiesIfItIsAboutThem(t *testing.T) {
	for template, want := range map[string]int{"<body>{{.parts.user.name}}</body>": 200, "{{.request.body.a}}": 400, `{{with index .request "body"}}{{.a}}{{end}}`: 400} {
		s := mustBuild(t, "{contentType: text/html, parts: {user: {service: users}}, template: '"+template+"'}", shop)
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("a=b"))
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%s: got %d %s", template, w.Code, w.Body)
		}
	}
}

func TestTemplate_Mistakes(t *testing.T) {
	const parts = ", parts: {user: {service: users}, orders: {service: orders}}}"
	for config, want := range map[string]string{
		"{template: '{{.prats.user}}'":                                          `template: there is no .prats; did you mean "parts"?`,
		"{template: '{{with .parts.user}}{{.name}}{{$.parts.usr.name}}{{end}}'": `template: there is no part "usr"; did you mean "user"?`,
		"{template: '{{if (print .parts.nobody | len)}}x{{end}}'":               `template: there is no part "nobody"`,
		"{template: '{{'":                                            "template: template: template:1: ",
		"{template: '{{$x := 1}}{{$x = 2}}'":                         "template: line 1: a variable keeps",
		"{template: '{{$x := 1}}{{$x = 2}}', contentType: text/html": "template: line 1: a variable keeps",
		"{template: '{{', contentType: text/html":                    "template: template: template:1: ",
		"{template: '<a href=\"', contentType: text/html":            "template: html/template:template: ends in a non-text context",
		"{template: '" + strings.Repeat("{{range .parts.user}}", 5) + strings.Repeat("{{end}}", 5) + "', contentType: text/html": "template: line 1: ranges in ranges go 4 deep",
		"{template: a, result: '.'":                                                                    "only one of stream, result and template",
		"{template: a, stream: sse":                                                                    "only one of stream, result and template",
		"{template: a, contentType: nothing":                                                           `contentType: "nothing" is none`,
		"{contentType: text/html":                                                                      "contentType: is that of what a template writes",
		"{template: a, fields: {allow: [user]}":                                                        "fields: an answer that a template writes",
		"{variantBy: ['{client}'], variants: {mobile: {template: a, result: '.'}}":                     "variants.mobile.only one of result and template",
		"{variantBy: ['{client}'], variants: {mobile: {template: a, fields: [user]}}":                  "variants.mobile.template: what it writes has no fields",
		"{stream: sse, variantBy: ['{client}'], variants: {mobile: {template: a}}":                     "variants.mobile.template: an answer that is sent as it comes",
		"{variantBy: ['{client}'], variants: {mobile: {parts: [user], template: '{{.parts.orders}}'}}": `variants.mobile.template: there is no part "orders"`,
		"{template: '{{.parts.orders}}', variantBy: ['{client}'], variants: {mobile: {parts: [user]}}": `variants.mobile.template: there is no part "orders"`,
	} {
		if _, err := build(t, config+parts, shop); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", config, err, want)
		}
	}
}

// What a template makes of answers that it was not made for is an error with its place, and no half of an answer.
func TestTemplate_ThatCannotWrite(t *testing.T) {
	for config, want := range map[string]string{
		`{template: '{"a": {{.parts.user.name}}}', parts: {user: {service: users}}}`:                                                                                "what the template makes: it is no JSON",
		`{template: '{{.parts.user.name.first}}', contentType: text/plain, parts: {user: {service: users}}}`:                                                        "template:1:8: executing",
		`{template: '{{range .parts.o.items}}xxxxxxxxx{{end}}', contentType: text/html, maxTotalBytes: 20, parts: {o: {service: users, pick: '{items: [1,2,3]}'}}}`: "a text becomes too long",
	} {
		all := services{"users": says(`{"name":"Ann"}`), "orders": shop["orders"]}
		if w, rec := get(mustBuild(t, config, all), "/", nil); w.Code != 502 || !strings.Contains(rec.Cause, want) || strings.Contains(w.Body.String(), "Ann") {
			t.Errorf("%s: got %d %s, %s", config, w.Code, w.Body, rec.Cause)
		}
	}
}

func FuzzDocument(f *testing.F) {
	for _, seed := range []string{`{{json .parts}}`, `{{range .parts.user}}{{.}}{{else}}{{$.request}}{{end}}`, `<a href="{{.request.query}}" onclick="f({{.parts}})">`, `{{with $x := .parts}}{{$x.user}}{{end}}`, `{{define "a"}}{{end}}{{template "a"}}`, `{{.turn}}{{call .turn}}`, `<script>{{.}}</script>`} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	values := map[string]any{"parts": map[string]any{"user": map[string]any{"name": "Ann"}}, "request": map[string]any{"query": map[string]any{}}}
	f.Fuzz(func(_ *testing.T, text string, html bool) {
		kind := "text/plain"
		if html {
			kind = "text/html"
		}
		if d, err := newDocument(text, kind, limits{total: 1 << 12}); err == nil && d != nil {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			_, _ = d.Write(ctx, values)
		}
	})
}
