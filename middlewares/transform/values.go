package transform

import (
	"net/http"
	"net/url"
	"strings"

	"fairway/internal/claims"
	"fairway/internal/identity"
	"fairway/internal/jq"
	"fairway/internal/record"
	"fairway/internal/texts"
)

// values are what texts and expressions see of a request, as it came.
type values struct {
	method, host, path string
	query              url.Values
	header             http.Header
	who                *identity.Identity
}

func valuesOf(r *http.Request) *values {
	return &values{method: r.Method, host: r.Host, path: r.URL.Path, query: r.URL.Query(), header: r.Header.Clone(), who: record.IdentityOf(r)}
}

// text finds the value of names.
func (v *values) text(names []string) (string, bool) {
	rest := names[1:]
	switch names[0] {
	case "method":
		return v.method, true
	case "host":
		return v.host, true
	case "path":
		return v.path, true
	case "query":
		return v.query.Get(rest[0]), true
	case "header":
		return strings.Join(v.header.Values(rest[0]), ", "), true
	case "claims":
		if v.who == nil {
			return "", false
		}
		return texts.Of(claims.Lookup(v.who.Claims, strings.Join(rest, ".")))
	}
	return texts.Of(texts.Lookup(v.consumer(), rest))
}

func (v *values) consumer() any {
	if v.who == nil || v.who.Consumer == nil {
		return map[string]any{}
	}
	labels := map[string]any{}
	for name, value := range v.who.Consumer.Labels {
		labels[name] = value
	}
	return map[string]any{"name": v.who.Consumer.Name, "plan": v.who.Consumer.Plan, "labels": labels}
}

// variableNames are those that expressions know, in the order of variables.
var variableNames = []string{"$request", "$claims", "$consumer", "$status", "$headers"}

// variables are their values; status and header are those of a response.
func (v *values) variables(status int, header http.Header) []any {
	query := map[string]any{}
	for name, all := range v.query {
		query[name] = all[0]
	}
	var said any = map[string]any{}
	if v.who != nil && v.who.Claims != nil {
		said = jq.Copy(v.who.Claims)
	}
	return []any{
		map[string]any{"method": v.method, "host": v.host, "path": v.path, "query": query, "headers": byName(v.header)},
		said, v.consumer(), status, byName(header),
	}
}

func byName(h http.Header) map[string]any {
	out := map[string]any{}
	for name, all := range h {
		out[strings.ToLower(name)] = strings.Join(all, ", ")
	}
	return out
}
