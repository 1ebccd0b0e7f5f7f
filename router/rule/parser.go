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
	quoting bool // matchers keep their text
	end     int  // of the matcher that was read last
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
	return &Rule{text: s, syntax: syntax, root: root, hosts: slices.Clip(p.hosts)}, nil
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
