package authorizer

import (
	"fmt"
	"net/http"
	"strings"

	"fairway/internal/headername"
)

// source is a place in a request where is said who sends it.
type source struct {
	kind, name string // header, query or cookie
}

// kinds are the ways to write the kind of a source.
var kinds = []struct{ prefix, kind string }{
	{"header:", "header"},
	{"query:", "query"},
	{"cookie:", "cookie"},
	{"$request.header.", "header"},
	{"$request.querystring.", "query"},
	{"method.request.header.", "header"},
	{"method.request.querystring.", "query"},
}

func newSources(list []string, ask string) ([]source, error) {
	if ask == "token" && len(list) == 0 {
		list = []string{"header:Authorization"}
	}
	all := make([]source, len(list))
	for i, text := range list {
		for _, k := range kinds {
			if name, ok := strings.CutPrefix(text, k.prefix); ok && name != "" {
				all[i] = source{k.kind, name}
			}
		}
		switch s := all[i]; {
		case s.kind == "", s.kind == "header" && !headername.Valid(s.name):
			return nil, fmt.Errorf("%q is none of header:NAME, query:NAME and cookie:NAME", text)
		case s.kind == "header":
			all[i].name = http.CanonicalHeaderKey(s.name)
		}
	}
	if ask == "token" && (len(all) != 1 || all[0].kind != "header") {
		return nil, fmt.Errorf("with the type token it is one header")
	}
	return all, nil
}

// longestIdentity bounds what is sent to tell who somebody is.
const longestIdentity = 16 << 10

// values are those of all sources; missing names one that is not there.
func values(sources []source, r *http.Request) (all []string, missing string) {
	for _, s := range sources {
		var text string
		switch s.kind {
		case "header":
			text = strings.Join(r.Header[s.name], ",")
		case "query":
			text = strings.Join(r.URL.Query()[s.name], ",")
		default:
			if c, err := r.Cookie(s.name); err == nil {
				text = c.Value
			}
		}
		if text == "" {
			return nil, "there is no " + s.kind + " " + s.name
		}
		if len(text) > longestIdentity {
			return nil, "the " + s.kind + " " + s.name + " is too long"
		}
		all = append(all, text)
	}
	return all, ""
}
