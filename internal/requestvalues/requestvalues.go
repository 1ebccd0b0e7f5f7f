// Package requestvalues has what texts and expressions see of a request: {query.page}, {header.X-Version},
// {claims.sub}, {consumer.name}, {method}, {host}, {path} and its segments, and {client}, the class of the User-Agent.
package requestvalues

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"fairway/internal/claims"
	"fairway/internal/identity"
	"fairway/internal/record"
	"fairway/internal/texts"
	"fairway/internal/useragent"
)

// Sources are the values that there are.
func Sources() texts.Sources {
	return texts.Sources{"query": false, "header": false, "claims": false, "consumer": false, "method": true, "host": true, "path": true, "client": true}
}

// Values are those of a request, as it came.
type Values struct {
	Method, Host, Path string
	Query              url.Values
	Header             http.Header
	Who                *identity.Identity // nil: nobody knows
}

// Of returns the values of r. What is changed of its headers later does not change them.
func Of(r *http.Request) *Values {
	return &Values{Method: r.Method, Host: r.Host, Path: r.URL.Path, Query: r.URL.Query(), Header: r.Header.Clone(), Who: record.IdentityOf(r)}
}

// Text finds the value of names.
func (v *Values) Text(names []string) (string, bool) {
	rest := names[1:]
	switch names[0] {
	case "method":
		return v.Method, true
	case "host":
		return v.Host, true
	case "path":
		return v.path(rest)
	case "query":
		return v.Query.Get(rest[0]), true
	case "header":
		return strings.Join(v.Header.Values(rest[0]), ", "), true
	case "client":
		return useragent.Class(v.Header), true
	case "claims":
		if v.Who == nil {
			return "", false
		}
		return texts.Of(claims.Lookup(v.Who.Claims, strings.Join(rest, ".")))
	}
	return texts.Of(texts.Lookup(v.Consumer(), rest))
}

// path is all of it, or one of its segments by number.
func (v *Values) path(rest []string) (string, bool) {
	if len(rest) == 0 {
		return v.Path, true
	}
	segments := strings.Split(strings.TrimPrefix(v.Path, "/"), "/")
	if i, err := strconv.Atoi(rest[0]); err == nil && i >= 0 && i < len(segments) {
		return segments[i], true
	}
	return "", false
}

// Consumer is who asks, as an object of JSON.
func (v *Values) Consumer() map[string]any {
	if v.Who == nil || v.Who.Consumer == nil {
		return map[string]any{}
	}
	labels := map[string]any{}
	for name, value := range v.Who.Consumer.Labels {
		labels[name] = value
	}
	return map[string]any{"name": v.Who.Consumer.Name, "plan": v.Who.Consumer.Plan, "labels": labels}
}

// Vary is what caches have to know of a text: the headers of requests that it depends on.
func Vary(t texts.Template) (names []string) {
	t.Each(func(value []string) {
		switch value[0] {
		case "header":
			names = append(names, http.CanonicalHeaderKey(value[1]))
		case "client":
			names = append(names, useragent.Headers()...)
		case "claims", "consumer":
			names = append(names, "Authorization", "Cookie")
		}
	})
	return names
}
