package rule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// argument is one literal of a matcher and where it stands in the rule.
type argument struct {
	text   string
	offset int
}

// matcher describes one function of the rule language.
type matcher struct {
	name     string
	min, max int // number of arguments; max 0 means any number from min on
	build    func(args []argument) (node, *Error)
}

// syntax is a set of matchers, found by each spelling of their name.
type syntax struct {
	names    []string
	matchers map[string]matcher
}

var (
	v3 = newSyntax([]matcher{
		{"Host", 1, 1, one(buildHost)},
		{"HostRegexp", 1, 1, one(buildHostRegexp)},
		{"Path", 1, 1, one(buildPath)},
		{"PathPrefix", 1, 1, one(buildPathPrefix)},
		{"PathRegexp", 1, 1, one(buildPathRegexp)},
		{"Method", 1, 1, one(buildMethod)},
		{"Header", 2, 2, buildHeader},
		{"HeaderRegexp", 2, 2, buildHeaderRegexp},
		{"Query", 1, 2, buildQuery},
		{"QueryRegexp", 1, 2, buildQueryRegexp},
		{"ClientIP", 1, 1, one(buildClientIP)},
	})
	v2 = newSyntax([]matcher{
		{"Host", 1, 0, anyOf(buildHostV2)},
		{"HostHeader", 1, 0, anyOf(buildHostV2)},
		{"HostRegexp", 1, 0, anyOf(buildHostTemplate)},
		{"Path", 1, 0, anyOf(buildPathTemplate)},
		{"PathPrefix", 1, 0, anyOf(buildPathPrefixTemplate)},
		{"Method", 1, 0, anyOf(buildMethod)},
		{"Headers", 2, 0, pairs(buildHeader)},
		{"HeadersRegexp", 2, 0, pairs(buildHeaderRegexp)},
		{"Query", 1, 0, allOf(buildQueryTemplate)},
		{"ClientIP", 1, 0, anyOf(buildClientIP)},
	})
)

// newSyntax files each matcher under the four spellings operators use:
// HostRegexp, hostregexp, HOSTREGEXP and Hostregexp.
func newSyntax(matchers []matcher) *syntax {
	s := &syntax{matchers: make(map[string]matcher, 4*len(matchers))}
	for _, m := range matchers {
		lower := strings.ToLower(m.name)
		s.names = append(s.names, m.name)
		s.matchers[m.name] = m
		s.matchers[lower] = m
		s.matchers[strings.ToUpper(m.name)] = m
		s.matchers[strings.ToUpper(lower[:1])+lower[1:]] = m
	}
	return s
}

func (s *syntax) matcher(name string) (matcher, bool) {
	m, ok := s.matchers[name]
	return m, ok
}

// hint ends the message about an unknown matcher.
func (s *syntax) hint(name string) string {
	const longest = 32 // longer words resemble no matcher and cost time to compare
	if len(name) <= longest {
		if near := nearest(name, s.names); near != "" {
			return "; did you mean " + near + "?"
		}
	}
	return "; known are " + strings.Join(s.names, ", ")
}

func (m matcher) checkArity(offset int, args []argument) *Error {
	n := len(args)
	if n >= m.min && (n <= m.max || m.max == 0) {
		return nil
	}
	takes := fmt.Sprintf("%d arguments", m.min)
	switch {
	case m.max == 0:
		takes = fmt.Sprintf("at least %d", m.min)
	case m.max != m.min:
		takes = fmt.Sprintf("%d or %d arguments", m.min, m.max)
	case m.min == 1:
		takes = "1 argument"
	}
	if m.max == 1 && n > 1 {
		return errorAt(offset, "%s takes %s; write %s", m.name, takes, m.alternatives(args))
	}
	return errorAt(offset, "%s takes %s, not %d", m.name, takes, n)
}

// alternatives writes a v2 list of arguments the v3 way.
func (m matcher) alternatives(args []argument) string {
	const shown = 4
	calls := make([]string, 0, shown+1)
	for i, arg := range args {
		if i == shown {
			calls = append(calls, "...")
			break
		}
		calls = append(calls, m.name+"("+quote(arg.text)+")")
	}
	return strings.Join(calls, " || ")
}

func quote(s string) string {
	if strconv.CanBackquote(s) {
		return "`" + s + "`"
	}
	return strconv.Quote(s)
}

// one adapts a builder of a single argument.
func one(build func(argument) (node, *Error)) func([]argument) (node, *Error) {
	return func(args []argument) (node, *Error) { return build(args[0]) }
}

// anyOf builds a variadic matcher of which one argument has to match.
func anyOf(build func(argument) (node, *Error)) func([]argument) (node, *Error) {
	return variadic(build, newOr)
}

// allOf builds a variadic matcher of which every argument has to match.
func allOf(build func(argument) (node, *Error)) func([]argument) (node, *Error) {
	return variadic(build, newAnd)
}

func variadic(build func(argument) (node, *Error), join func([]node) node) func([]argument) (node, *Error) {
	return func(args []argument) (node, *Error) {
		nodes := make([]node, len(args))
		for i, arg := range args {
			n, err := build(arg)
			if err != nil {
				return nil, err
			}
			nodes[i] = n
		}
		return join(nodes), nil
	}
}

// pairs builds a matcher of keys and values, all of which have to match.
func pairs(build func([]argument) (node, *Error)) func([]argument) (node, *Error) {
	return func(args []argument) (node, *Error) {
		if len(args)%2 != 0 {
			return nil, errorAt(args[len(args)-1].offset, "the name %s has no value beside it", quote(args[len(args)-1].text))
		}
		var nodes []node
		for pair := range slices.Chunk(args, 2) {
			n, err := build(pair)
			if err != nil {
				return nil, err
			}
			nodes = append(nodes, n)
		}
		return newAnd(nodes), nil
	}
}
