package rule

import (
	"regexp"
	"strconv"
	"strings"
)

// Arguments that are well formed and can never match: each is an error that says
// what to write instead, for a router that nothing reaches tells nobody why.

// checkHostShape refuses what is more than a host.
func checkHostShape(arg argument) *Error {
	if err := checkTemplate("Host", arg); err != nil {
		return err
	}
	name := arg.text
	if scheme, rest, found := strings.Cut(name, "://"); found {
		name = rest
		if bare, _, _ := strings.Cut(rest, "/"); bare != "" {
			name = bare
		}
		return errorAt(arg.offset, "Host takes the host without %s://; write Host(%s)", scheme, quote(name))
	}
	if bare, rest, found := strings.Cut(name, "/"); found {
		if bare == "" {
			return errorAt(arg.offset, "%s is a path and no host; write PathPrefix(%[1]s)", quote(name))
		}
		return errorAt(arg.offset, "Host takes no path; write Host(%s) && PathPrefix(%s)", quote(bare), quote("/"+rest))
	}
	if bare, ok := withoutPort(name); ok {
		return errorAt(arg.offset, "Host takes no port: the port of a request is not compared; write Host(%s)", quote(bare))
	}
	if star := strings.LastIndexByte(name, '*'); star > 0 || star == 0 && name != "*" && name[1] != '.' {
		expr := "^" + strings.ReplaceAll(regexp.QuoteMeta(ruleHost(name)), `\*`, "[^.]+") + "$"
		return errorAt(arg.offset, "Host takes one star, and only for the whole first label; write HostRegexp(%s)", quote(expr))
	}
	return nil
}

// withoutPort takes the port off; ok is false when there is none. The colons of
// an IPv6 address without brackets are its own.
func withoutPort(name string) (bare string, ok bool) {
	colon := strings.LastIndexByte(name, ':')
	if colon <= 0 || strings.HasSuffix(name, "]") {
		return "", false
	}
	bare = name[:colon]
	if inBrackets := strings.HasPrefix(bare, "[") && strings.HasSuffix(bare, "]"); inBrackets {
		return bare[1 : len(bare)-1], true
	}
	if strings.IndexByte(bare, ':') >= 0 {
		return "", false
	}
	return bare, true
}

// checkPathShape refuses what is more than a path, and percent sequences that no
// path of a request has by the time it is compared.
func checkPathShape(name string, arg argument) *Error {
	if err := checkTemplate(name, arg); err != nil {
		return err
	}
	if bare, parameters, found := strings.Cut(arg.text, "?"); found {
		parameter, _, _ := strings.Cut(parameters, "&")
		key, value, _ := strings.Cut(parameter, "=")
		call := "Query(" + quote(key)
		if value != "" {
			call += ", " + quote(value)
		}
		return errorAt(arg.offset, "%s takes the path without the query; write %s(%s) && %s)", name, name, quote(bare), call)
	}
	for i := range len(arg.text) {
		if arg.text[i] != '%' {
			continue
		}
		if i+2 < len(arg.text) {
			if _, ok := unhex(arg.text[i+1], arg.text[i+2]); ok {
				continue
			}
		}
		return errorAt(arg.offset, "a %% in the path of %s begins a sequence like %%2F; write %%25 for the sign itself", name)
	}
	if compared := RoutingPath(arg.text); compared != arg.text {
		return errorAt(arg.offset, "%s never matches: paths are decoded before they are compared; write %s(%s)", quote(arg.text), name, quote(compared))
	}
	return nil
}

var (
	templateStart = regexp.MustCompile(`^\{[A-Za-z_][A-Za-z0-9_-]*(\}|:[^}]*\})`)
	// expressionSigns outside of braces tell that an argument was meant to be a
	// regular expression. A dot tells nothing.
	expressionSigns = `\^$|()*+?[`
)

// checkTemplate refuses {name} and {name:regexp}, which are templates in the v2
// syntax and plain text here. It leaves alone what a regular expression can mean
// by braces: a{2,3}, \p{Greek}, \x{41}, and those that are escaped or in a class.
func checkTemplate(name string, arg argument) *Error {
	at := findTemplate(arg.text, strings.HasSuffix(name, "Regexp"))
	if at < 0 {
		return nil
	}
	const look = "%s looks like the syntax of Traefik v2: set ruleSyntax=v2, or write "
	if call, ok := withoutTemplate(name, arg, at); ok {
		return errorAt(arg.offset, look+"%s", quote(arg.text), call)
	}
	return errorAt(arg.offset, look+"a regular expression without the braces", quote(arg.text))
}

// findTemplate returns where the first template begins, or -1.
func findTemplate(s string, isRegexp bool) int {
	inClass := false
	for i := 0; i < len(s); i++ {
		switch {
		case isRegexp && s[i] == '\\':
			i++
			if i+1 < len(s) && s[i+1] == '{' && strings.IndexByte("pPx", s[i]) >= 0 {
				i++
			}
		case isRegexp && s[i] == '[' && !inClass:
			inClass = true
			if strings.HasPrefix(s[i+1:], "^") {
				i++
			}
			if strings.HasPrefix(s[i+1:], "]") {
				i++ // the first one in a class stands for itself
			}
		case isRegexp && s[i] == ']':
			inClass = false
		case s[i] == '{' && !inClass && templateStart.MatchString(s[i:]):
			return i
		}
	}
	return -1
}

// withoutTemplate writes the matcher that a template stands for in v2.
func withoutTemplate(name string, arg argument, at int) (call string, ok bool) {
	onHost := strings.HasPrefix(name, "Host")
	to, fallback, last := "PathRegexp", "[^/]+", "$"
	if onHost {
		to, fallback = "HostRegexp", "[^.]+"
	}
	if name == "PathPrefix" {
		last = ""
	}
	expr := ""
	if strings.ContainsAny(arg.text[:at], expressionSigns) || strings.HasSuffix(arg.text, "$") {
		expr = arg.text
		for at >= 0 {
			end := closingBrace(expr, at)
			if end < 0 {
				return "", false
			}
			_, pattern, found := strings.Cut(expr[at+1:end], ":")
			if !found {
				pattern = fallback
			}
			expr = expr[:at] + "(?:" + pattern + ")" + expr[end+1:]
			at = findTemplate(expr, true)
		}
	} else {
		t, err := parseTemplate(arg, arg.text, fallback)
		if err != nil {
			return "", false
		}
		expr = "^" + t.expr + last
	}
	if _, err := regexp.Compile(expr); err != nil || !strconv.CanBackquote(expr) {
		return "", false
	}
	return to + "(" + quote(expr) + ")", true
}
