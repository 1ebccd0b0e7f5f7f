package rule

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

type tokenKind byte

const (
	tokenEnd tokenKind = iota
	tokenIdent
	tokenText
	tokenOpen
	tokenClose
	tokenComma
	tokenAnd
	tokenOr
	tokenNot
)

// token is one word of a rule. For a literal, text is its value without the
// quotes; for everything else it is the token as written.
type token struct {
	kind   tokenKind
	offset int
	text   string
}

// lexer cuts a rule into tokens on demand.
type lexer struct {
	src string
	pos int
}

func (l *lexer) next() (token, *Error) {
	for l.pos < len(l.src) && isSpace(l.src[l.pos]) {
		l.pos++
	}
	if l.pos == len(l.src) {
		return token{kind: tokenEnd, offset: l.pos}, nil
	}
	switch c := l.src[l.pos]; {
	case c == '(':
		return l.take(tokenOpen, 1), nil
	case c == ')':
		return l.take(tokenClose, 1), nil
	case c == ',':
		return l.take(tokenComma, 1), nil
	case c == '!':
		return l.take(tokenNot, 1), nil
	case c == '&' || c == '|':
		return l.operator(c)
	case c == '`' || c == '"':
		return l.literal(c)
	case isLetter(c):
		n := 1
		for l.pos+n < len(l.src) && (isLetter(l.src[l.pos+n]) || isDigit(l.src[l.pos+n])) {
			n++
		}
		return l.take(tokenIdent, n), nil
	default:
		return token{}, l.stray()
	}
}

func (l *lexer) take(kind tokenKind, n int) token {
	t := token{kind: kind, offset: l.pos, text: l.src[l.pos : l.pos+n]}
	l.pos += n
	return t
}

func (l *lexer) operator(c byte) (token, *Error) {
	if l.pos+1 >= len(l.src) || l.src[l.pos+1] != c {
		return token{}, errorAt(l.pos, "a single %c is no operator; write %c%c", c, c, c)
	}
	if c == '&' {
		return l.take(tokenAnd, 2), nil
	}
	return l.take(tokenOr, 2), nil
}

// literal reads a literal as Go does: raw between backticks, with escapes
// between double quotes.
func (l *lexer) literal(quote byte) (token, *Error) {
	quoted, err := strconv.QuotedPrefix(l.src[l.pos:])
	if err != nil && strings.IndexByte(l.src[l.pos+1:], quote) < 0 {
		return token{}, errorAt(l.pos, "the literal has no closing %c", quote)
	}
	if err != nil {
		return token{}, errorAt(l.pos, "the literal has a line break or an escape that double quotes do not allow; use backticks")
	}
	value, err := strconv.Unquote(quoted)
	if err != nil {
		return token{}, errorAt(l.pos, "the literal %s cannot be read", quoted)
	}
	t := l.take(tokenText, len(quoted))
	t.text = value
	return t, nil
}

func (l *lexer) stray() *Error {
	r, _ := utf8.DecodeRuneInString(l.src[l.pos:])
	switch r {
	case '\'', '‘', '’':
		return errorAt(l.pos, "single quotes do not quote here; use backticks or double quotes")
	case '“', '”':
		return errorAt(l.pos, "typographic quotes do not quote here; use backticks or double quotes")
	}
	return errorAt(l.pos, "unexpected character %q", r)
}

func isSpace(c byte) bool  { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' }
