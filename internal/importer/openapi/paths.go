package openapi

import (
	"regexp"
	"strings"

	"fairway/internal/importer"
)

var braces = regexp.MustCompile(`\{([^{}]*)\}`)

// pathRule is the rule for a path.
func (a *api) pathRule(path string) (string, bool) {
	whole := a.base + path
	if _, ok := importer.Literal(whole); !ok {
		return "", false
	}
	if !braces.MatchString(path) {
		return a.rule("Path", whole), true
	}
	expression, _ := a.expression(path)
	return a.rule("PathRegexp", expression), true
}

// expression is one for a path, with a group for each of its names.
func (a *api) expression(path string) (expression string, names []string) {
	var b strings.Builder
	b.WriteString("^" + regexp.QuoteMeta(a.base))
	rest := path
	for _, at := range braces.FindAllStringSubmatchIndex(path, -1) {
		name := path[at[2]:at[3]]
		b.WriteString(regexp.QuoteMeta(path[len(path)-len(rest) : at[0]]))
		if strings.HasSuffix(name, "+") {
			b.WriteString("(.+)")
		} else {
			b.WriteString("([^/]+)")
		}
		names = append(names, strings.TrimSuffix(name, "+"))
		rest = path[at[1]:]
	}
	b.WriteString(regexp.QuoteMeta(rest) + "$")
	return b.String(), names
}
