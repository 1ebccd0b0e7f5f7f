package rule

import (
	"slices"
	"strings"
)

// The grammar, with the precedence of Go:
//
//	rule    = and { "||" and } .
//	and     = unary { "&&" unary } .
//	unary   = "!" unary | "(" rule ")" | matcher .
//	matcher = name "(" [ literal { "," literal } [ "," ] ] ")" .

const (
	// maxSize and maxDepth bound what one rule may cost to read: the parser
	// and the matchers recurse once per level, never once per operand.
	maxSize  = 64 << 10
	maxDepth = 200
)

type parser struct {
	lexer   lexer
	tok     token
	syntax  *syntax
	depth   int
	negated bool // inside an odd number of "!"
	hosts   []string
}

func parse(s string, syntax *syntax) (*Rule, error) {
	if len(s) > maxSize {
		return nil, errorAt(maxSize, "the rule is longer than %d bytes", maxSize)
	}
	p := &parser{lexer: lexer{src: s}, syntax: syntax}
	root, err := p.rule()
	if err != nil {
		return nil, err
	}
	return &Rule{text: s, root: root, hosts: slices.Clip(p.hosts)}, nil
}

func (p *parser) rule() (node, *Error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind == tokenEnd {
		return nil, errorAt(0, "the rule is empty")
	}
	root, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokenEnd {
		return nil, p.wantOperator()
	}
	return root, nil
}

func (p *parser) advance() *Error {
	tok, err := p.lexer.next()
	p.tok = tok
	return err
}

func (p *parser) or() (node, *Error) { return p.chain(tokenOr, p.and, newOr) }

func (p *parser) and() (node, *Error) { return p.chain(tokenAnd, p.unary, newAnd) }

// chain reads operands separated by one operator. It loops, so that a long
// list of hosts nests no deeper than a short one.
func (p *parser) chain(op tokenKind, operand func() (node, *Error), join func([]node) node) (node, *Error) {
	first, err := operand()
	if err != nil {
		return nil, err
	}
	nodes := []node{first}
	for p.tok.kind == op {
		if err := p.advance(); err != nil {
			return nil, err
		}
		n, err := operand()
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return join(nodes), nil
}

func (p *parser) unary() (node, *Error) {
	if p.depth++; p.depth > maxDepth {
		return nil, errorAt(p.tok.offset, "the rule nests deeper than %d levels", maxDepth)
	}
	defer func() { p.depth-- }()
	switch p.tok.kind {
	case tokenNot:
		return p.not()
	case tokenOpen:
		return p.group()
	case tokenIdent:
		return p.matcher()
	case tokenEnd:
		return nil, errorAt(p.tok.offset, "the rule ends where a matcher should follow")
	case tokenText:
		return nil, errorAt(p.tok.offset, "a literal stands where a matcher should; write Host(`...`)")
	default:
		return nil, errorAt(p.tok.offset, "%s stands where a matcher should", p.tok.text)
	}
}

func (p *parser) not() (node, *Error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	p.negated = !p.negated
	n, err := p.unary()
	p.negated = !p.negated
	if err != nil {
		return nil, err
	}
	return newNot(n), nil
}

func (p *parser) group() (node, *Error) {
	open := p.tok.offset
	if err := p.advance(); err != nil {
		return nil, err
	}
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.tok.kind == tokenEnd {
		return nil, errorAt(open, "the parenthesis is never closed")
	}
	if p.tok.kind != tokenClose {
		return nil, p.wantOperator()
	}
	return n, p.advance()
}

func (p *parser) matcher() (node, *Error) {
	name := p.tok
	if err := p.advance(); err != nil {
		return nil, err
	}
	if strings.EqualFold(name.text, "not") {
		return nil, errorAt(name.offset, "write ! instead of %s", name.text)
	}
	m, ok := p.syntax.matcher(name.text)
	if !ok {
		return nil, errorAt(name.offset, "unknown matcher %s%s", name.text, p.syntax.hint(name.text))
	}
	if p.tok.kind != tokenOpen {
		return nil, errorAt(name.offset, "%s needs its argument in parentheses: %s(`...`)", m.name, m.name)
	}
	args, err := p.arguments(m.name)
	if err != nil {
		return nil, err
	}
	if err := m.checkArity(name.offset, args); err != nil {
		return nil, err
	}
	n, err := m.build(args)
	if err != nil {
		return nil, err
	}
	if !p.negated {
		p.hosts = appendHosts(p.hosts, n)
	}
	return n, nil
}

// arguments reads the literals between the parentheses of a matcher.
func (p *parser) arguments(name string) ([]argument, *Error) {
	open := p.tok.offset
	var args []argument
	for {
		if err := p.advance(); err != nil {
			return nil, err
		}
		if p.tok.kind == tokenClose {
			return args, p.advance()
		}
		if p.tok.kind == tokenEnd {
			return nil, errorAt(open, "the parenthesis of %s is never closed", name)
		}
		if p.tok.kind != tokenText {
			return nil, errorAt(p.tok.offset, "%s takes literals in backticks or double quotes, not %s", name, p.tok.text)
		}
		if p.tok.text == "" {
			return nil, errorAt(p.tok.offset, "%s has an empty argument", name)
		}
		args = append(args, argument{text: p.tok.text, offset: p.tok.offset})
		if err := p.advance(); err != nil {
			return nil, err
		}
		switch p.tok.kind {
		case tokenComma:
		case tokenClose:
			return args, p.advance()
		case tokenEnd:
			return nil, errorAt(open, "the parenthesis of %s is never closed", name)
		default:
			return nil, errorAt(p.tok.offset, "a comma or ) should follow the argument of %s", name)
		}
	}
}

// wantOperator explains a token that follows a complete expression.
func (p *parser) wantOperator() *Error {
	switch {
	case p.tok.kind == tokenClose:
		return errorAt(p.tok.offset, "the closing parenthesis has no opening one")
	case strings.EqualFold(p.tok.text, "and") && p.tok.kind == tokenIdent:
		return errorAt(p.tok.offset, "write && instead of %s", p.tok.text)
	case strings.EqualFold(p.tok.text, "or") && p.tok.kind == tokenIdent:
		return errorAt(p.tok.offset, "write || instead of %s", p.tok.text)
	default:
		return errorAt(p.tok.offset, "&& or || should stand before %q", p.tok.text)
	}
}

// appendHosts adds the literal hosts of one matcher, each once.
func appendHosts(hosts []string, n node) []string {
	switch n := n.(type) {
	case host:
		if !slices.Contains(hosts, string(n)) {
			hosts = append(hosts, string(n))
		}
	case hostWildcard:
		if name := "*" + string(n); !slices.Contains(hosts, name) {
			hosts = append(hosts, name)
		}
	case or:
		for _, m := range n {
			hosts = appendHosts(hosts, m)
		}
	}
	return hosts
}
