package predicate

import (
	"slices"
	"strconv"
	"strings"

	"fairway/internal/nearest"
)

// value is a part of an expression: exactly one of its functions is there.
type value[T any] struct {
	text   string // as it is written
	offset int
	fixed  bool // a literal
	number func(T) float64
	string func(T) string
	truth  func(T) bool
}

// kind is the type of a value in words.
func (v value[T]) kind() string {
	switch {
	case v.number != nil:
		return "a number"
	case v.string != nil:
		return "a text"
	}
	return "true or false"
}

type parser[T any] struct {
	lexer     lexer
	tok       token
	end       int // of the token before
	functions []Function[T]
	depth     int
}

func (p *parser[T]) advance() *Error {
	p.end = p.tok.offset + len(p.tok.text)
	tok, err := p.lexer.next()
	p.tok = tok
	return err
}

func (p *parser[T]) whole() (func(T) bool, *Error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind == tokenEnd {
		return nil, errorAt(0, "the expression is empty")
	}
	v, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokenEnd {
		return nil, p.unexpected()
	}
	return p.truth(v)
}

// truth is what v says, if it is true or false.
func (p *parser[T]) truth(v value[T]) (func(T) bool, *Error) {
	if v.truth == nil {
		return nil, errorAt(v.offset, "%s is %s, and has to be compared with another", v.text, v.kind())
	}
	return v.truth, nil
}

func (p *parser[T]) or() (value[T], *Error) {
	return p.chain("||", p.and, func(a, b func(T) bool) func(T) bool {
		return func(t T) bool { return a(t) || b(t) }
	})
}

func (p *parser[T]) and() (value[T], *Error) {
	return p.chain("&&", p.compare, func(a, b func(T) bool) func(T) bool {
		return func(t T) bool { return a(t) && b(t) }
	})
}

// chain reads operands with one operator between them.
func (p *parser[T]) chain(sign string, operand func() (value[T], *Error), join func(a, b func(T) bool) func(T) bool) (value[T], *Error) {
	left, err := operand()
	if err != nil {
		return left, err
	}
	for joined := 0; p.tok.is(sign); joined++ {
		if joined == maxDepth { // each is a level when it is evaluated
			return left, errorAt(p.tok.offset, "more than %d parts are joined by %s", maxDepth, sign)
		}
		a, err := p.truth(left)
		if err != nil {
			return left, err
		}
		if err := p.advance(); err != nil {
			return left, err
		}
		right, err := operand()
		if err != nil {
			return left, err
		}
		b, err := p.truth(right)
		if err != nil {
			return left, err
		}
		left = value[T]{text: p.since(left.offset), offset: left.offset, truth: join(a, b)}
	}
	return left, nil
}

// since is what has been read from a place on.
func (p *parser[T]) since(offset int) string { return p.lexer.text[offset:p.end] }

func (p *parser[T]) compare() (value[T], *Error) {
	left, err := p.unary()
	if err != nil || !isComparison(p.tok) {
		return left, err
	}
	sign := p.tok
	if err := p.advance(); err != nil {
		return left, err
	}
	right, err := p.unary()
	if err != nil {
		return left, err
	}
	if isComparison(p.tok) {
		return left, errorAt(p.tok.offset, "%s is compared already; join comparisons by && or ||", right.text)
	}
	truth, err := comparison(left, right, sign)
	return value[T]{text: p.since(left.offset), offset: left.offset, truth: truth}, err
}

func (p *parser[T]) unary() (value[T], *Error) {
	if p.depth++; p.depth > maxDepth {
		return value[T]{}, errorAt(p.tok.offset, "the expression nests deeper than %d levels", maxDepth)
	}
	defer func() { p.depth-- }()
	tok := p.tok
	switch {
	case tok.is("!"):
		return p.not()
	case tok.is("("):
		return p.group()
	case tok.kind == tokenName:
		return p.call()
	case tok.kind == tokenNumber:
		n, err := p.number()
		return value[T]{text: tok.text, offset: tok.offset, fixed: true, number: func(T) float64 { return n }}, err
	case tok.kind == tokenText:
		s, err := strconv.Unquote(tok.text)
		if err != nil {
			return value[T]{}, errorAt(tok.offset, "the text %s cannot be read", tok.text)
		}
		return value[T]{text: tok.text, offset: tok.offset, fixed: true, string: func(T) string { return s }}, p.advance()
	case tok.kind == tokenEnd:
		return value[T]{}, errorAt(tok.offset, "the expression ends where a function should follow")
	}
	return value[T]{}, errorAt(tok.offset, "%s stands where a function should", tok.text)
}

func (p *parser[T]) not() (value[T], *Error) {
	offset := p.tok.offset
	if err := p.advance(); err != nil {
		return value[T]{}, err
	}
	v, err := p.unary()
	if err != nil {
		return v, err
	}
	if v.truth == nil {
		return v, errorAt(offset, "! stands before %s, which is %s; write ! before a comparison in parentheses", v.text, v.kind())
	}
	truth := v.truth
	return value[T]{text: p.since(offset), offset: offset, truth: func(t T) bool { return !truth(t) }}, nil
}

func (p *parser[T]) group() (value[T], *Error) {
	open := p.tok.offset
	if err := p.advance(); err != nil {
		return value[T]{}, err
	}
	v, err := p.or()
	switch {
	case err != nil:
		return v, err
	case p.tok.kind == tokenEnd:
		return v, errorAt(open, "the parenthesis is never closed")
	case !p.tok.is(")"):
		return v, p.unexpected()
	}
	if err := p.advance(); err != nil {
		return v, err
	}
	v.text, v.offset = p.since(open), open
	return v, nil
}

// number reads a number and the token behind it.
func (p *parser[T]) number() (float64, *Error) {
	tok := p.tok
	n, err := strconv.ParseFloat(tok.text, 64)
	if err != nil {
		return 0, errorAt(tok.offset, "%s is no number", tok.text)
	}
	return n, p.advance()
}

// unexpected explains a token behind a complete expression.
func (p *parser[T]) unexpected() *Error {
	text := p.tok.text
	switch {
	case p.tok.is(")"):
		return errorAt(p.tok.offset, "the closing parenthesis has no opening one")
	case p.tok.kind == tokenName && strings.EqualFold(text, "and"):
		return errorAt(p.tok.offset, "write && instead of %s", text)
	case p.tok.kind == tokenName && strings.EqualFold(text, "or"):
		return errorAt(p.tok.offset, "write || instead of %s", text)
	}
	return errorAt(p.tok.offset, "an operator should stand before %s", text)
}

// call reads a function and its arguments, and makes it.
func (p *parser[T]) call() (value[T], *Error) {
	name := p.tok
	if err := p.advance(); err != nil {
		return value[T]{}, err
	}
	at := slices.IndexFunc(p.functions, func(f Function[T]) bool { return f.Name == name.text })
	if at < 0 {
		return value[T]{}, p.unknown(name)
	}
	f := p.functions[at]
	if !p.tok.is("(") {
		return value[T]{}, errorAt(name.offset, "%s is a function; write %s", f.Name, f.usage())
	}
	args, err := p.arguments(f)
	if err != nil {
		return value[T]{}, err
	}
	v := value[T]{text: p.since(name.offset), offset: name.offset}
	var wrong error
	switch {
	case len(args) != len(f.Takes):
		return v, errorAt(name.offset, "%s takes %d arguments, not %d; write %s", f.Name, len(f.Takes), len(args), f.usage())
	case f.Number != nil:
		v.number, wrong = f.Number(args)
	case f.Text != nil:
		v.string, wrong = f.Text(args)
	default:
		v.truth, wrong = f.Truth(args)
	}
	if wrong != nil {
		return v, errorAt(name.offset, "%s: %v", v.text, wrong)
	}
	return v, nil
}

// arguments reads what stands in the parentheses of a function.
func (p *parser[T]) arguments(f Function[T]) (args []float64, err *Error) {
	open := p.tok.offset
	for comma := false; ; comma = true {
		if err := p.advance(); err != nil {
			return nil, err
		}
		if p.tok.is(")") && !comma {
			return nil, p.advance()
		}
		if p.tok.kind == tokenEnd {
			return nil, errorAt(open, "the parenthesis of %s is never closed", f.Name)
		}
		if p.tok.kind != tokenNumber {
			return nil, errorAt(p.tok.offset, "%s stands where a number should; write %s", p.tok.text, f.usage())
		}
		n, err := p.number()
		if err != nil {
			return nil, err
		}
		args = append(args, n)
		switch {
		case p.tok.is(","):
		case p.tok.is(")"):
			return args, p.advance()
		case p.tok.kind == tokenEnd:
			return nil, errorAt(open, "the parenthesis of %s is never closed", f.Name)
		default:
			return nil, errorAt(p.tok.offset, "a comma or ) should stand before %s", p.tok.text)
		}
	}
}

func (f Function[T]) usage() string { return f.Name + "(" + strings.Join(f.Takes, ", ") + ")" }

func (p *parser[T]) unknown(name token) *Error {
	var names []string
	for _, f := range p.functions {
		names = append(names, f.Name)
	}
	if near := nearest.Name(name.text, names); near != "" {
		return errorAt(name.offset, "unknown function %s; did you mean %s?", name.text, near)
	}
	return errorAt(name.offset, "unknown function %s; known are %s", name.text, strings.Join(names, ", "))
}
