package kong

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"fairway/internal/importer"
)

// shape is what a value has to be. Kong itself refuses a file in which one is something else; to go on without it would
// make another gateway of it, as a route without the paths that it is for.
type shape struct {
	want string
	is   func(v any) bool
	each map[string]shape // of lists of entities: what is in them
}

// Shapes of values.
var (
	aText     = shape{want: "a text", is: func(v any) bool { return scalar(v) }}
	aNumber   = shape{want: "a whole number", is: func(v any) bool { _, is := integer(v); return is }}
	aTruth    = shape{want: "true or false", is: func(v any) bool { _, is := boolean(v); return is }}
	someTexts = shape{want: "a list of texts", is: func(v any) bool {
		list, is := v.([]any)
		for _, one := range list {
			is = is && scalar(one)
		}
		_, one := v.(string)
		return is || one || nothing(v)
	}}
	anObject    = shape{want: "an object", is: func(v any) bool { _, is := v.(object); return is || nothing(v) }}
	someHeaders = shape{want: "an object of lists of texts", is: func(v any) bool {
		all, is := v.(object)
		for _, one := range all {
			is = is && someTexts.is(one)
		}
		return is || nothing(v)
	}}
)

// nothing tells whether v is an empty list or object, which are the same to Kong.
func nothing(v any) bool {
	list, isList := v.([]any)
	all, isObject := v.(object)
	return isList && len(list) == 0 || isObject && len(all) == 0
}

// unrendered is what to do about a value of decK that is to be of the environment.
func unrendered(v any) string {
	if text, _ := v.(string); strings.Contains(text, "${{") {
		return "; let deck render the file first"
	}
	return ""
}

func scalar(v any) bool {
	switch v.(type) {
	case string, json.Number:
		return true
	}
	return false
}

// entities are those of a list.
func entities(each map[string]shape) shape {
	return shape{want: "a list of objects", is: func(v any) bool { _, is := v.([]any); return is || nothing(v) }, each: each}
}

// wholeShape has the shapes of what is looked at.
func wholeShape() map[string]shape {
	plugins := entities(map[string]shape{"name": aText, "enabled": aTruth, "config": anObject, "protocols": someTexts})
	routes := entities(map[string]shape{
		"name": aText, "paths": someTexts, "hosts": someTexts, "methods": someTexts, "protocols": someTexts, "snis": someTexts, "headers": someHeaders, "regex_priority": aNumber,
		"strip_path": aTruth, "preserve_host": aTruth, "enabled": aTruth, "path_handling": aText, "expression": aText, "https_redirect_status_code": aNumber, "plugins": plugins,
	})
	targets := entities(map[string]shape{"target": aText, "weight": aNumber})
	keys, basic := entities(map[string]shape{"key": aText}), entities(map[string]shape{"username": aText, "password": aText})
	tokens, groups := entities(map[string]shape{"key": aText, "algorithm": aText, "secret": aText, "rsa_public_key": aText}), entities(map[string]shape{"group": aText})
	return map[string]shape{
		"services": entities(map[string]shape{
			"name": aText, "url": aText, "protocol": aText, "host": aText, "path": aText, "port": aNumber, "retries": aNumber, "enabled": aTruth, "tls_verify": aTruth,
			"connect_timeout": aNumber, "read_timeout": aNumber, "write_timeout": aNumber, "routes": routes, "plugins": plugins,
		}),
		"routes": routes, "plugins": plugins, "targets": targets,
		"upstreams": entities(map[string]shape{"name": aText, "algorithm": aText, "hash_on": aText, "hash_on_cookie": aText, "hash_on_cookie_path": aText, "host_header": aText, "slots": aNumber, "healthchecks": anObject, "targets": targets}),
		"consumers": entities(map[string]shape{
			"username": aText, "custom_id": aText, "tags": someTexts, "plugins": plugins,
			"keyauth_credentials": keys, "basicauth_credentials": basic, "jwt_secrets": tokens, "acls": groups,
		}),
		"keyauth_credentials": keys, "basicauth_credentials": basic, "jwt_secrets": tokens, "acls": groups,
	}
}

// mostFaults is how many values of a wrong shape are told.
const mostFaults = 20

// checking looks for values that are something else than Kong takes.
type checking struct{ faults []error }

func (c *checking) object(o object, shapes map[string]shape, above string) {
	for _, name := range importer.Members(o) {
		want, known := shapes[name]
		v := o[name]
		if !known || v == nil || len(c.faults) >= mostFaults {
			continue
		}
		if !want.is(v) {
			c.faults = append(c.faults, fmt.Errorf("%s%s: is not %s%s", above, name, want.want, unrendered(v)))
			continue
		}
		if want.each != nil {
			c.list(o, name, want.each, above)
		}
	}
}

func (c *checking) list(in object, kind string, each map[string]shape, above string) {
	items, _ := in[kind].([]any)
	for i, v := range items {
		if _, is := v.(object); !is && len(c.faults) < mostFaults {
			c.faults = append(c.faults, fmt.Errorf("%s%s[%d]: is not an object", above, kind, i))
		}
	}
	for _, e := range list(in, kind, above) {
		c.object(e.object, each, e.place+".")
	}
}

// wellFormed tells whether values are what Kong takes.
func wellFormed(root object) error {
	var c checking
	c.object(root, wholeShape(), "")
	return errors.Join(c.faults...)
}
