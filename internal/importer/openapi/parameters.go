package openapi

import (
	"regexp"
	"strings"

	"fairway/internal/importer"
)

// valueOf is where a parameter of an integration is from: of REST APIs, or of HTTP APIs.
var valueOf = regexp.MustCompile(`^(?:method\.request|\$request)\.(path|querystring|header)\.([\w.-]+)$`)

// targetOf is where it goes to.
var targetOf = regexp.MustCompile(`^(?:integration\.request|(append|overwrite|remove):)\.?(path|querystring|header)(?:\.([\w.-]+))?$`)

// parameters changes requests as requestParameters say. What is renamed in the path is returned: the name in the
// address, and that in the path of the request.
func (a *api) parameters(o *operation, i object, place string) (names map[string]string) {
	names = map[string]string{}
	said, _ := i["requestParameters"].(object)
	changes := map[string]object{"headers": {}, "query": {}}
	for _, to := range importer.Members(said) {
		value := text(said[to])
		m := targetOf.FindStringSubmatch(to)
		from := valueOf.FindStringSubmatch(value)
		if m != nil && m[2] == "path" && from != nil && from[1] == "path" && m[3] != "" {
			names[m[3]] = from[2]
			continue
		}
		if m == nil || m[3] == "" || m[2] == "path" || !change(changes[map[string]string{"header": "headers", "querystring": "query"}[m[2]]], m[1], m[3], value, from) {
			a.Lose(place+"/requestParameters/"+to, "%q cannot be said", value)
		}
	}
	request := object{}
	for kind, of := range changes {
		if len(of) > 0 {
			request[kind] = of
		}
	}
	if method := strings.ToUpper(text(i["httpMethod"])); method != "" && method != "ANY" && method != o.method {
		request["method"] = method
	}
	if len(request) > 0 {
		o.chain = append(o.chain, a.shared("middlewares", a.name+"-request-"+o.path, object{"transform": object{"request": request}}))
	}
	return names
}

// change adds one to those of headers or of the query.
func change(of object, how, name, value string, from []string) bool {
	out := ""
	switch {
	case how == "remove":
		list, _ := of["remove"].([]string)
		of["remove"] = append(list, name)
		return true
	case from != nil && from[1] == "header":
		out = "{header." + from[2] + "}"
	case from != nil && from[1] == "querystring":
		out = "{query." + from[2] + "}"
	case from != nil || strings.HasPrefix(value, "context.") || strings.HasPrefix(value, "stageVariables.") || strings.HasPrefix(value, "method.") || strings.ContainsAny(value, "${}"):
		return false
	default:
		out = strings.Trim(value, "'")
	}
	kind := "set"
	if how == "append" {
		kind = "add"
	}
	texts, is := of[kind].(object)
	if !is {
		texts = object{}
		of[kind] = texts
	}
	texts[name] = out
	return true
}
