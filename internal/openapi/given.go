package openapi

import (
	"net/http"
	"net/url"
	"strings"
)

// given is what a request has for a parameter: texts as they came, for separators count before anything is decoded.
type given struct {
	texts  []string          // each time that it is there
	parts  map[string]string // of an object whose members are given by names of their own
	decode func(string) string
}

// query is the query of a request, taken apart.
type query []struct{ name, value string }

func parseQuery(raw string) (all query) {
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		all = append(all, struct{ name, value string }{unescapeQuery(name), value})
	}
	return all
}

func unescapeQuery(text string) string {
	if out, err := url.QueryUnescape(text); err == nil {
		return out
	}
	return text
}

func unescapePath(text string) string {
	if out, err := url.PathUnescape(text); err == nil {
		return out
	}
	return text
}

func same(text string) string { return text }

// find takes what there is for a parameter.
func (q query) find(p *Parameter) given {
	g := given{decode: unescapeQuery, parts: map[string]string{}}
	for _, pair := range q {
		switch {
		case p.style == "deepObject":
			if member, is := strings.CutPrefix(pair.name, p.Name+"["); is && strings.HasSuffix(member, "]") {
				g.parts[strings.TrimSuffix(member, "]")] = pair.value
			}
		case pair.name == p.Name:
			g.texts = append(g.texts, pair.value)
		case p.style == "form" && p.explode && p.shape.may("object") && p.shape.prop(pair.name) != nil:
			g.parts[pair.name] = pair.value
		}
	}
	return g
}

// of takes what a request has for a parameter.
func (m *Match) given(p *Parameter, r *http.Request, q query) given {
	switch p.In {
	case "path":
		return given{texts: []string{m.values[p.Name]}, decode: unescapePath}
	case "query":
		return q.find(p)
	case "cookie":
		g := given{decode: unescapeQuery}
		for _, c := range r.CookiesNamed(p.Name) {
			g.texts = append(g.texts, c.Value)
		}
		return g
	}
	if strings.EqualFold(p.Name, "Host") {
		return given{texts: []string{r.Host}, decode: same}
	}
	return header(p, r.Header)
}

func header(p *Parameter, h http.Header) given {
	g := given{decode: same}
	if values := h.Values(p.Name); len(values) > 0 {
		g.texts = []string{strings.Join(values, ",")} // RFC 9110, section 5.3
	}
	return g
}
