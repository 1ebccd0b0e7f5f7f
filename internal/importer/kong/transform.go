package kong

import (
	"encoding/json"
	"regexp"
	"strings"
)

// lookup is a value in a template of Kong's.
var lookup = regexp.MustCompile(`\$\(([^()]*)\)`)

var (
	named   = regexp.MustCompile(`^(headers|query_params)(?:\.([\w-]+)|\[["']([\w-]+)["']\])$`)
	isBrace = regexp.MustCompile(`[{}]`)
)

// template is a text of fairway's; false: it has no counterpart.
func template(text string, response bool) (string, bool) {
	if isBrace.MatchString(text) {
		return "", false
	}
	ok := true
	out := lookup.ReplaceAllStringFunc(text, func(match string) string {
		m := named.FindStringSubmatch(strings.TrimSpace(match[2 : len(match)-1]))
		switch {
		case m == nil || response:
			ok = false
			return ""
		case m[1] == "headers":
			return "{header." + strings.ReplaceAll(m[2]+m[3], "_", "-") + "}"
		}
		return "{query." + m[2] + m[3] + "}"
	})
	return out, ok
}

// pairs are those of a list of name:value.
func (r *routed) pairs(p plugin, how, part string, each func(name, value string)) {
	of, _ := p.config[how].(object)
	for _, text := range words(of[part]) {
		name, value, is := strings.Cut(text, ":")
		if !is && how != "remove" {
			r.Lose(p.place+".config."+how+"."+part, "%q is not written as name:value", text)
			continue
		}
		each(name, strings.TrimSpace(value))
	}
}

func (r *routed) request(p plugin) {
	out := object{}
	for _, of := range []struct{ part, to, source string }{{"headers", "headers", "header"}, {"querystring", "query", "query"}} {
		if changes := r.changes(p, of.part, of.source, false); len(changes) > 0 {
			out[of.to] = changes
		}
	}
	if body := r.body(p); body != "" {
		out["body"] = body
	}
	if method := word(p.config["http_method"]); method != "" {
		out["method"] = method
	}
	replaced, _ := p.config["replace"].(object)
	if uri := word(replaced["uri"]); uri != "" {
		if text, ok := template(uri, false); ok && strings.HasPrefix(uri, "/") {
			out["path"] = text
		} else {
			r.Lose(p.place+".config.replace.uri", "%q has no counterpart", uri)
		}
	}
	if len(out) > 0 {
		r.use("request", object{"transform": object{"request": out}})
	}
}

func (r *routed) response(p plugin) {
	out := object{}
	if changes := r.changes(p, "headers", "", true); len(changes) > 0 {
		out["headers"] = changes
	}
	if body := r.body(p); body != "" {
		out["body"] = body
	}
	if len(out) > 0 {
		r.use("response", object{"transform": object{"response": out}})
	}
}

// changes are those of headers, or of the query. What is added where it is not there yet is set to itself, if it is.
func (r *routed) changes(p plugin, part, source string, response bool) object {
	out := object{}
	texts := func(kind string) object {
		if out[kind] == nil {
			out[kind] = object{}
		}
		return out[kind].(object)
	}
	var gone []string
	r.pairs(p, "remove", part, func(name, _ string) { gone = append(gone, name) })
	if len(gone) > 0 {
		out["remove"] = gone
	}
	r.pairs(p, "rename", part, func(name, to string) { texts("rename")[name] = to })
	for _, how := range []string{"replace", "add", "append"} {
		r.pairs(p, how, part, func(name, value string) {
			text, ok := template(value, response)
			switch {
			case !ok || how == "add" && (strings.Contains(text, "{") || strings.ContainsAny(text, "|}")) && source != "":
				r.Lose(p.place+".config."+how+"."+part, "%q has no counterpart", value)
			case how == "append":
				texts("add")[name] = text
			case how == "add" && source != "":
				texts("set")[name] = "{" + source + "." + name + "|" + text + "}"
			default:
				r.Differ(p.place+".config."+how+"."+part, "%s is set, whether it is there or not", name)
				texts("set")[name] = text
			}
		})
	}
	return out
}

// body is an expression of jq for the changes of a body of JSON.
func (r *routed) body(p plugin) string {
	var all []string
	quoted := func(text string) string {
		out, _ := json.Marshal(text)
		return string(out)
	}
	for _, part := range []string{"body", "json"} {
		r.pairs(p, "remove", part, func(name, _ string) { all = append(all, "del(.["+quoted(name)+"])") })
		r.pairs(p, "rename", part, func(name, to string) {
			all = append(all, "(if has("+quoted(name)+") then .["+quoted(to)+"] = .["+quoted(name)+"] | del(.["+quoted(name)+"]) else . end)")
		})
		r.pairs(p, "replace", part, func(name, value string) {
			all = append(all, "(if has("+quoted(name)+") then .["+quoted(name)+"] = "+quoted(value)+" else . end)")
		})
		r.pairs(p, "add", part, func(name, value string) {
			all = append(all, "(if has("+quoted(name)+") then . else .["+quoted(name)+"] = "+quoted(value)+" end)")
		})
		r.pairs(p, "append", part, func(name, _ string) { r.Lose(p.place+".config.append."+part, "%s: see the middleware transform", name) })
	}
	for _, how := range []string{"add", "append", "replace"} {
		of, _ := p.config[how].(object)
		if len(words(of["json_types"])) > 0 {
			r.Lose(p.place+".config."+how+".json_types", "values are texts")
		}
	}
	return strings.Join(all, " | ")
}
