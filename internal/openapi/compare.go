package openapi

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"fairway/internal/holdback"
	"fairway/internal/schema"
)

const formType = "application/x-www-form-urlencoded"

// Parameters finds what of the path, the query, the headers and the cookies of a request is not as the operation
// says.
func (m *Match) Parameters(r *http.Request) (found []schema.Violation) {
	q := parseQuery(r.URL.RawQuery)
	for _, p := range m.params {
		found = append(found, p.check(m.given(p, r, q))...)
	}
	return found
}

// Body is what the body of a request has to be; nil: the operation says nothing of one.
func (o *Operation) Body() *Body { return o.body }

// Response is what a response of a status has to be: as the status itself says, its class, as in 2XX, or default.
// nil: there is nothing of it.
func (o *Operation) Response(status int) *Response {
	text := strconv.Itoa(status)
	for _, key := range [...]string{text, text[:1] + "XX", "DEFAULT"} {
		if r := o.responses[key]; r != nil {
			return r
		}
	}
	return nil
}

// Readable tells whether a body of any of its responses may have a schema to be compared with.
func (o *Operation) Readable() bool {
	for _, r := range o.responses {
		if slices.ContainsFunc(r.Content, func(m *Media) bool { return m.schema != nil }) {
			return true
		}
	}
	return false
}

// HasHeaders tells whether anything is said of headers.
func (r *Response) HasHeaders() bool { return len(r.headers) > 0 }

// Headers finds what of the headers of a response is not as it should be.
func (r *Response) Headers(h http.Header) (found []schema.Violation) {
	for _, p := range r.headers {
		found = append(found, p.check(header(p, h))...)
	}
	return found
}

// Of is the body of a Content-Type; nil: there is none of it.
func (c Content) Of(contentType string) *Media {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil
	}
	class, _, _ := strings.Cut(kind, "/")
	at := slices.IndexFunc(c, func(m *Media) bool { return m.kind == kind || m.kind == class+"/*" || m.kind == "*/*" })
	if at < 0 {
		return nil
	}
	return c[at]
}

// Looks tells whether a body of a Content-Type has a schema to be compared with: those of JSON, and forms.
func (m *Media) Looks(contentType string) bool {
	kind, _, _ := mime.ParseMediaType(contentType)
	return m != nil && m.schema != nil && (holdback.IsJSON(contentType) || kind == formType && m.shape != nil)
}

// Check finds what of a body is not as its schema says.
func (m *Media) Check(contentType string, text []byte) []schema.Violation {
	if holdback.IsJSON(contentType) {
		return m.schema.Check(text)
	}
	return m.schema.CheckValue(m.form(string(text)))
}

// form is the object that a form stands for (OpenAPI, section "Support for x-www-form-urlencoded Request Bodies").
func (m *Media) form(text string) any {
	q, o := parseQuery(text), map[string]any{}
	for _, pair := range q {
		if m.fields[pair.name] == nil && o[pair.name] == nil {
			o[pair.name] = unescapeQuery(pair.value)
		}
	}
	for name, p := range m.fields {
		g := q.find(p)
		if len(g.texts) == 0 && len(g.parts) == 0 {
			continue
		}
		if values, wrong := p.values(g); wrong == "" {
			o[name] = values[0]
		} else {
			o[name] = p.array(g)
		}
	}
	return o
}

// formFields are the members of a form, as parameters of a query have them.
func formFields(s *shape, encoding any) map[string]*Parameter {
	all := map[string]*Parameter{}
	said, _ := encoding.(map[string]any)
	for name, of := range s.props {
		p := &Parameter{Name: name, In: "query", style: "form", explode: true, shape: of}
		own, _ := said[name].(map[string]any)
		if style, is := own["style"].(string); is && slices.Contains(styles["query"], style) {
			p.style, p.explode = style, style == "form"
		}
		if explode, is := own["explode"].(bool); is {
			p.explode = explode
		}
		all[name] = p
	}
	return all
}
