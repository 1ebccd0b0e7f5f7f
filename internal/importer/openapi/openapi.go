// Package openapi makes a configuration of an OpenAPI document, with those extensions of Amazon API Gateway that have
// a counterpart.
//
// Operations that are all treated alike have one router for all of them. Else each path has routers for the methods
// that are: what stands first in the order of paths, concrete before templated, has the higher priority.
package openapi

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"fairway/internal/importer"
	"fairway/internal/jsontree"
	"fairway/internal/openapi"
)

// Options say what the document does not.
type Options struct {
	// Document is the path where the gateway finds the document, to hold requests to it.
	Document string
	// Service is the URL of the service, in place of the servers of the document.
	Service string
	// Host is the host that the routers are for. Empty: any.
	Host string
	// TLS has the routers answer what comes over TLS.
	TLS bool
}

type object = importer.Object

// api is a document on its way.
type api struct {
	*importer.Output
	options Options
	root    object
	name    string
	base    string            // path that all paths stand below
	aws     bool              // it has integrations
	made    map[string]string // names of what is used by several, by what it is
}

// Import makes the configuration.
func Import(text []byte, o Options) (*importer.Output, error) {
	if _, err := openapi.Read(text, openapi.Options{}); err != nil {
		return nil, err
	}
	root, err := jsontree.Read(text, openapi.MostBytes)
	if err != nil {
		return nil, err
	}
	bases, err := openapi.Bases(root["servers"], "")
	if err != nil {
		return nil, err
	}
	a := &api{Output: &importer.Output{}, options: o, root: root, base: bases[0], made: map[string]string{}}
	if len(bases) > 1 {
		a.Differ("/servers", "the paths of the servers differ: %s counts", bases[0]+"/")
	}
	info, _ := root["info"].(object)
	title, _ := info["title"].(string)
	a.name = importer.Name(title)
	a.whole()
	a.routes()
	return a.Output, nil
}

// operation is one, and what it is treated by.
type operation struct {
	path, method string // method is empty for all others
	place        string
	chain        []string // names of middlewares
	service      string
}

// treatment tells operations apart that are treated otherwise.
func (o *operation) treatment() string { return strings.Join(o.chain, " ") + " -> " + o.service }

var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

const anyMethod = "x-amazon-apigateway-any-method"

// routes makes the routers.
func (a *api) routes() {
	paths, _ := a.root["paths"].(object)
	for _, p := range paths {
		item, _ := p.(object)
		for _, v := range item {
			if o, is := v.(object); is && o["x-amazon-apigateway-integration"] != nil {
				a.aws = true
			}
		}
	}
	cors := a.cors()
	var all []*operation
	alike := map[string]bool{}
	for _, path := range ordered(paths) {
		item, _ := paths[path].(object)
		for _, name := range append(slices.Clone(methods), anyMethod) {
			v, is := item[name].(object)
			if !is {
				continue
			}
			o := &operation{path: path, method: strings.ToUpper(name), place: "/paths/" + strings.ReplaceAll(path, "/", "~1") + "/" + name}
			if name == anyMethod {
				o.method = ""
			}
			if !a.treat(o, v) {
				continue
			}
			o.chain = append(slices.Clone(cors), o.chain...)
			all = append(all, o)
			alike[o.treatment()] = true
		}
	}
	if len(all) > 0 && len(alike) == 1 && !a.aws {
		a.router(a.name, a.rule("PathPrefix", a.base+"/"), 0, all[0])
		return
	}
	a.eachPath(all)
	if len(cors) > 0 && len(all) > 0 {
		answer := a.Put("services", a.name+"-preflight", object{"respond": object{"status": 204}})
		a.router(a.name+"-preflight", a.rule("PathPrefix", a.base+"/")+" && Method(`OPTIONS`) && HeaderRegexp(`Access-Control-Request-Method`, `.`)", 1_000_000, &operation{chain: cors, service: answer})
	}
}

// eachPath has routers for the methods of each path that are treated alike.
func (a *api) eachPath(all []*operation) {
	rank := len(all) * 2
	for i := 0; i < len(all); {
		path := all[i].path
		var groups []string
		by := map[string][]*operation{}
		for ; i < len(all) && all[i].path == path; i++ {
			key := all[i].treatment()
			if all[i].method == "" {
				key = "any"
			}
			if by[key] == nil {
				groups = append(groups, key)
			}
			by[key] = append(by[key], all[i])
		}
		for _, key := range groups {
			rank--
			rule, ok := a.pathRule(path)
			if !ok {
				a.Lose(by[key][0].place, "the path cannot stand in a rule")
				continue
			}
			if names := methodsOf(by[key]); names != "" {
				rule += " && " + names
			}
			a.router(a.name+" "+strings.ToLower(by[key][0].method)+" "+path, rule, 1000+rank, by[key][0])
		}
	}
}

func methodsOf(group []*operation) string {
	var all []string
	for _, o := range group {
		if o.method == "" {
			return ""
		}
		all = append(all, "Method(`"+o.method+"`)")
		if o.method == "GET" && !slices.ContainsFunc(group, func(o *operation) bool { return o.method == "HEAD" }) {
			all = append(all, "Method(`HEAD`)")
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	return "(" + strings.Join(all, " || ") + ")"
}

func (a *api) router(name, rule string, priority int, o *operation) {
	r := object{"rule": rule, "service": o.service}
	if len(o.chain) > 0 {
		r["middlewares"] = o.chain
	}
	if priority > 0 {
		r["priority"] = priority
	}
	if a.options.TLS {
		r["tls"] = object{}
	}
	a.Put("routers", name, r)
}

// rule is one for the host, and a matcher.
func (a *api) rule(matcher, text string) string {
	literal, _ := importer.Literal(text)
	rule := matcher + "(" + literal + ")"
	if a.options.Host != "" {
		rule = "Host(`" + a.options.Host + "`) && " + rule
	}
	return rule
}

// shared makes a middleware or service once for all who want the same.
func (a *api) shared(kind, name string, what object) string {
	key := kind + fmt.Sprint(what) // maps are printed in the order of their names
	if a.made[key] == "" {
		a.made[key] = a.Put(kind, name, what)
	}
	return a.made[key]
}

// ordered are the paths, what is concrete before what has names, at the first segment where they differ.
func ordered(paths object) []string {
	rank := func(segment string) int {
		switch {
		case strings.Contains(segment, "+}"):
			return 2
		case strings.Contains(segment, "{"):
			return 1
		}
		return 0
	}
	return slices.SortedFunc(maps.Keys(paths), func(x, y string) int {
		xs, ys := strings.Split(x, "/"), strings.Split(y, "/")
		for i := range min(len(xs), len(ys)) {
			if d := rank(xs[i]) - rank(ys[i]); d != 0 {
				return d
			}
		}
		if d := len(ys) - len(xs); d != 0 {
			return d
		}
		return strings.Compare(x, y)
	})
}
