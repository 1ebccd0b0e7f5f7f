package aggregate

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"fairway/internal/claims"
	"fairway/internal/jq"
	"fairway/internal/record"
	"fairway/internal/texts"
	"fairway/internal/useragent"
)

// facts are what is known of the request, for all parts.
type facts struct {
	method  string
	path    map[string]string
	query   url.Values
	header  http.Header
	body    any // JSON; nil: not wanted, or there is none
	who     map[string]any
	claims  map[string]any
	client  string         // its class
	variant map[string]any // its values

	// Expressions may write into what they are given, though only what is there already: one at a
	// time looks at answers.
	mu    sync.Mutex
	parts map[string]any
}

func factsOf(r *http.Request, path map[string]string) *facts {
	f := &facts{method: r.Method, path: path, query: r.URL.Query(), header: r.Header, client: useragent.Class(r.Header), parts: map[string]any{}}
	if who := record.IdentityOf(r); who != nil {
		f.claims, _ = jq.Copy(who.Claims).(map[string]any)
		known := map[string]any{"groups": words(who.Groups)}
		if c := who.Consumer; c != nil {
			labels := map[string]any{}
			for name, value := range c.Labels {
				labels[name] = value
			}
			known["name"], known["plan"], known["labels"] = c.Name, c.Plan, labels
		}
		f.who = known
	}
	return f
}

func words(list []string) []any {
	all := make([]any, len(list))
	for i, text := range list {
		all[i] = text
	}
	return all
}

// put adds the answer of a part.
func (f *facts) put(part string, v any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.parts[part] = v
}

// input is what an expression sees. The lock is held, as long as it is in use.
func (f *facts) input(more map[string]any) map[string]any {
	query, header, path := map[string]any{}, map[string]any{}, map[string]any{}
	for name, all := range f.query {
		query[name] = all[0]
	}
	for name, all := range f.header {
		header[strings.ToLower(name)] = strings.Join(all, ", ")
	}
	for name, value := range f.path {
		path[name] = value
	}
	in := map[string]any{
		"request": map[string]any{"method": f.method, "path": path, "query": query, "headers": header, "body": f.body},
		"claims":  orEmpty(f.claims), "consumer": orEmpty(f.who), "parts": maps.Clone(f.parts),
		"variant": orEmpty(maps.Clone(f.variant)), "client": f.client,
	}
	maps.Copy(in, more)
	return in
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// values are what templates of one request to a part see.
type values struct {
	*facts
	item  any    // with each
	items string // with each and batch

	args   map[string]any // with graphql, of the field
	parent any            // with graphql, what it is a field of
}

// text is the value of names, as a text.
func (v *values) text(names []string) (string, bool) {
	rest := names[1:]
	switch names[0] {
	case "method":
		return v.method, true
	case "client":
		return v.client, true
	case "variant":
		return texts.Of(texts.Lookup(v.variant, rest))
	case "path":
		return v.path[rest[0]], true
	case "query":
		return v.query.Get(rest[0]), true
	case "header":
		return v.header.Get(rest[0]), true
	case "claims":
		return texts.Of(claims.Lookup(v.claims, strings.Join(rest, ".")))
	case "consumer":
		return texts.Of(texts.Lookup(v.who, rest))
	case "args":
		return texts.Of(texts.Lookup(v.args, rest))
	case "parent":
		return texts.Of(texts.Lookup(v.parent, rest))
	case "items":
		return v.items, v.items != ""
	case "item":
		v.mu.Lock()
		defer v.mu.Unlock()
		return texts.Of(texts.Lookup(v.item, rest))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return texts.Of(texts.Lookup(v.parts[rest[0]], rest[1:]))
}
