// Package rule reads and evaluates the routing rules operators write in labels
// and files, such as
//
//	Host(`shop.example`) && (PathPrefix(`/cart`) || !Method(`GET`))
//
// A rule is parsed once into a tree of matchers that share nothing and never
// change, so one Rule serves any number of requests at the same time. Parse
// reads the current syntax, ParseV2 the older one with variadic matchers and
// {name:regexp} templates.
package rule

// Rule is a parsed rule. It is immutable.
type Rule struct {
	text   string
	syntax *syntax
	root   node
	hosts  []string
}

// Parse reads a rule in the v3 syntax. The error is an *Error.
func Parse(s string) (*Rule, error) { return parse(s, v3) }

// ParseV2 reads a rule in the v2 syntax. The error is an *Error.
func ParseV2(s string) (*Rule, error) { return parse(s, v2) }

// Match reports whether the request satisfies the rule.
func (r *Rule) Match(q *Request) bool { return r.root.match(q) }

// Hosts returns the literal hosts the rule asks for, in the order written and
// without repeats: the names a certificate for this rule has to cover.
// `*.x.example` is returned as written; negated hosts, regular expressions
// and the bare `*` are left out.
func (r *Rule) Hosts() []string { return append([]string(nil), r.hosts...) }

// String returns the text the rule was parsed from.
func (r *Rule) String() string { return r.text }
