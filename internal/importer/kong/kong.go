// Package kong makes a configuration of Kong's declarative one (kong.yml, _format_version 1.1 to 3.0).
//
// A path of a route becomes a router, so that the priorities by which Kong chooses among paths stay. Plugins become
// middlewares in the order in which Kong runs them; of one that is configured several times, the most specific counts.
// What keeps requests away there, and has no counterpart here, keeps all of them away.
package kong

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"fairway/internal/importer"
	"fairway/internal/jsontree"
)

// MostBytes is how long a configuration may be.
const MostBytes = 32 << 20

type object = importer.Object

// entity is one of the configuration, with its place there.
type entity struct {
	object
	place string
}

// gateway is a configuration on its way.
type gateway struct {
	*importer.Output
	root      object
	old       bool // before 3.0, where paths are expressions if they look like it
	hash      func(password string) (string, error)
	upstreams map[string]entity
	services  []*service
	plugins   []entity // that are global, or refer to what they are for
	booking   bool     // consumers have limits of their own
	tokens    []object // issuers of tokens, by the credentials of consumers
	made      map[string]string
}

// Import makes the configuration. hash makes hashes of passwords.
func Import(text []byte, hash func(password string) (string, error)) (*importer.Output, error) {
	root, err := jsontree.Read(text, MostBytes)
	if err != nil {
		return nil, err
	}
	version := word(root["_format_version"])
	switch version {
	case "1.1", "2.1", "3.0":
	default:
		return nil, fmt.Errorf("_format_version: %q is none of 1.1, 2.1 and 3.0", version)
	}
	if err := wellFormed(root); err != nil {
		return nil, err
	}
	g := &gateway{Output: &importer.Output{}, root: root, old: version != "3.0", hash: hash, upstreams: map[string]entity{}, made: map[string]string{}}
	g.others()
	for _, u := range list(root, "upstreams", "") {
		g.upstreams[word(u.object["name"])] = u
	}
	g.plugins = list(root, "plugins", "")
	g.consumers()
	g.collect()
	for _, s := range g.services {
		for _, r := range s.routes {
			g.route(s, r)
		}
	}
	return g.Output, nil
}

// unknown are entities that have no counterpart.
var unknown = map[string]string{ //nolint:gosec // G101: these are names of entities
	"certificates": "see tls.certificates", "ca_certificates": "see rootCAs of serversTransports, and the options of TLS", "snis": "see tls.certificates",
	"keys": "see the middleware jwt", "key_sets": "see the middleware jwt", "vaults": "secrets of vaults are not read", "filter_chains": "filters of WebAssembly",
	"consumer_groups": "see groups of consumers, and plans", "oauth2_credentials": "fairway is no authorization server",
}

// others reports what is not looked at.
func (g *gateway) others() {
	known := map[string]bool{
		"services": true, "routes": true, "upstreams": true, "targets": true, "plugins": true, "consumers": true, "keyauth_credentials": true,
		"basicauth_credentials": true, "jwt_secrets": true, "acls": true, "hmacauth_credentials": true, "_info": true, "_comment": true, "_ignore": true, "_workspace": true,
	}
	for _, name := range importer.Members(g.root) {
		switch {
		case known[name] || name == "_format_version" || name == "_transform":
		case unknown[name] != "":
			g.Lose(name, "%s", unknown[name])
		default:
			g.Lose(name, "it is not known")
		}
	}
}

// list are the entities of a kind in an object.
func list(in object, kind, above string) (all []entity) {
	items, _ := in[kind].([]any)
	for i, v := range items {
		o, is := v.(object)
		if !is {
			continue
		}
		name := strconv.Itoa(i)
		for _, key := range []string{"name", "username", "custom_id", "target", "group", "key"} {
			if text := word(o[key]); text != "" && (key != "key" || kind == "jwt_secrets") {
				name = text
				break
			}
		}
		all = append(all, entity{o, above + kind + "[" + name + "]"})
	}
	return all
}

// refersTo tells whether v is the name or the identifier of an entity.
func refersTo(v any, e object) bool {
	if o, is := v.(object); is {
		return v != nil && (refersTo(o["name"], e) || refersTo(o["id"], e) || refersTo(o["username"], e))
	}
	text := word(v)
	return text != "" && (text == word(e["name"]) || text == word(e["id"]) || text == word(e["username"]))
}

// collect puts services and their routes together, which may stand in each other or beside each other.
func (g *gateway) collect() {
	none := &service{entity: entity{object{}, "routes"}}
	all := list(g.root, "services", "")
	for _, e := range all {
		s := &service{entity: e}
		s.routes = list(e.object, "routes", e.place+".")
		g.services = append(g.services, s)
	}
	for _, r := range list(g.root, "routes", "") {
		of := none
		for _, s := range g.services {
			if refersTo(r.object["service"], s.object) {
				of = s
			}
		}
		if of == none && r.object["service"] != nil {
			g.Lose(r.place, "there is no service %v", r.object["service"])
			continue
		}
		of.routes = append(of.routes, r)
	}
	if len(none.routes) > 0 {
		g.services = append(g.services, none)
	}
}

// shared makes an object once for all who want the same.
func (g *gateway) shared(kind, name string, what object) string {
	key := kind + fmt.Sprint(what) // maps are printed in the order of their names
	if g.made[key] == "" {
		g.made[key] = g.Put(kind, name, what)
	}
	return g.made[key]
}

// word is a text, or a number as a text.
func word(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// whole is a whole number, or what there is instead.
func whole(v any, otherwise int) int {
	if n, is := integer(v); is {
		return n
	}
	return otherwise
}

// integer is a whole number, however it is written: 8080.0 and 6e4 are some to Kong.
func integer(v any) (int, bool) {
	f, err := strconv.ParseFloat(word(v), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<30 {
		return 0, false
	}
	return int(f), true
}

// yes is a boolean, or what there is instead.
func yes(v any, otherwise bool) bool {
	if b, is := boolean(v); is {
		return b
	}
	return otherwise
}

// boolean is one as Kong reads it, whose YAML is that of version 1.1.
func boolean(v any) (b, is bool) {
	switch v {
	case true, "yes", "Yes", "YES", "on", "On", "ON":
		return true, true
	case false, "no", "No", "NO", "off", "Off", "OFF":
		return false, true
	}
	return false, false
}

// orElse is the text, or what there is instead.
func orElse(v any, otherwise string) string {
	if text := word(v); text != "" {
		return text
	}
	return otherwise
}

// words are those of a list, or what there is instead.
func words(v any, otherwise ...string) []string {
	if all := importer.Texts(v); len(all) > 0 {
		return all
	}
	return otherwise
}

func isReference(text string) bool { return strings.HasPrefix(text, "{vault://") }
