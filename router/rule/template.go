package rule

import (
	"regexp"
	"strings"
)

// Templates of the v2 syntax: plain text with {name} or {name:regexp} in it,
// for example `/files/{year:[0-9]{4}}/{file}`. The names mean nothing to
// routing; what matters is the expression, or the default one of the place.

// template is the regular expression a template stands for, not yet anchored,
// and the plain text before its first brace.
type template struct {
	expr   string
	prefix string
	plain  bool // no braces: prefix is all of it
}

func parseTemplate(arg argument, text, fallback string) (template, *Error) {
	var t template
	var expr strings.Builder
	rest := text
	for {
		open := strings.IndexAny(rest, "{}")
		if open < 0 {
			break
		}
		end := closingBrace(rest, open)
		if end < 0 {
			return t, errorAt(arg.offset, "the braces of %s are not balanced", quote(arg.text))
		}
		if expr.Len() == 0 {
			t.prefix = rest[:open]
		}
		expr.WriteString(regexp.QuoteMeta(rest[:open]))
		name, pattern, found := strings.Cut(rest[open+1:end], ":")
		if !found {
			pattern = fallback
		}
		if name == "" || pattern == "" {
			return t, errorAt(arg.offset, "%s has a name or an expression missing: {name:expression}", quote(arg.text))
		}
		// Checked alone first: "a)|(b" would be valid inside the group.
		if _, err := compile(argument{pattern, arg.offset}, pattern); err != nil {
			return t, err
		}
		expr.WriteString("(?:" + pattern + ")")
		rest = rest[end+1:]
	}
	if expr.Len() == 0 {
		t.prefix, t.plain = rest, true
	}
	t.expr = expr.String() + regexp.QuoteMeta(rest)
	return t, nil
}

// closingBrace finds the partner of the brace at i, or -1 when there is none.
func closingBrace(s string, i int) int {
	if s[i] != '{' {
		return -1
	}
	level := 0
	for ; i < len(s); i++ {
		switch s[i] {
		case '{':
			level++
		case '}':
			if level--; level == 0 {
				return i
			}
		}
	}
	return -1
}

func buildHostTemplate(arg argument) (node, *Error) {
	if err := checkHost("HostRegexp", arg); err != nil {
		return nil, err
	}
	t, err := parseTemplate(arg, arg.text, "[^.]+")
	if err != nil {
		return nil, err
	}
	if t.plain {
		return host(ruleHost(t.prefix)), nil
	}
	re, err := compile(arg, "(?i)^"+t.expr+"$")
	if err != nil {
		return nil, err
	}
	return hostRegexp{re}, nil
}

func buildPathTemplate(arg argument) (node, *Error) {
	t, err := parsePathTemplate("Path", arg)
	if err != nil {
		return nil, err
	}
	if t.plain {
		return path(t.prefix), nil
	}
	return t.pathRegexp(arg, "^"+t.expr+"$")
}

func buildPathPrefixTemplate(arg argument) (node, *Error) {
	t, err := parsePathTemplate("PathPrefix", arg)
	if err != nil {
		return nil, err
	}
	if t.plain {
		return pathPrefix(t.prefix), nil
	}
	return t.pathRegexp(arg, "^"+t.expr)
}

func parsePathTemplate(name string, arg argument) (template, *Error) {
	if err := checkPath(name, arg); err != nil {
		return template{}, err
	}
	return parseTemplate(arg, arg.text, "[^/]+")
}

func (t template) pathRegexp(arg argument, expr string) (node, *Error) {
	re, err := compile(arg, expr)
	if err != nil {
		return nil, err
	}
	return pathRegexp{re: re, prefix: t.prefix}, nil
}

// buildQueryTemplate reads `key=value`, whose value may be a template; an
// empty value means that the key is present, with any value.
func buildQueryTemplate(arg argument) (node, *Error) {
	key, value, found := strings.Cut(arg.text, "=")
	if !found || key == "" {
		return nil, errorAt(arg.offset, "Query takes key=value, not %s", quote(arg.text))
	}
	t, err := parseTemplate(arg, value, ".*")
	if err != nil {
		return nil, err
	}
	if value == "" {
		t.expr = ".*"
	}
	re, err := compile(arg, "^"+t.expr+"$")
	if err != nil {
		return nil, err
	}
	return queryFirst{queryRegexp{key: key, re: re}}, nil
}

// queryFirst is the query matcher of the v2 syntax: where a key is repeated,
// only its first value counts.
type queryFirst struct{ queryRegexp }

func (m queryFirst) match(q *Request) bool {
	for _, p := range q.parameters() {
		if p.key == m.key {
			return m.re.MatchString(p.value)
		}
	}
	return false
}
