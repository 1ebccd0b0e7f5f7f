package predicate

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

type tokenKind byte

const (
	tokenEnd tokenKind = iota
	tokenName
	tokenNumber
	tokenText
	tokenSign // an operator, a parenthesis or a comma
)

// token is one word of an expression, as it is written.
type token struct {
	kind   tokenKind
	offset int
	text   string
}

func (t token) is(sign string) bool { return t.kind == tokenSign && t.text == sign }

// signs has the longer ones first.
var signs = []string{"&&", "||", "<=", ">=", "==", "!=", "<", ">", "!", "(", ")", ","}

// lexer cuts an expression into tokens on demand.
type lexer struct {
	text string
	pos  int
}

func (l *lexer) next() (token, *Error) {
	l.pos += len(l.text[l.pos:]) - len(strings.TrimLeft(l.text[l.pos:], " \t\r\n"))
	rest := l.text[l.pos:]
	if rest == "" {
		return token{kind: tokenEnd, offset: l.pos}, nil
	}
	switch c := rest[0]; {
	case isLetter(c):
		return l.take(tokenName, span(rest, func(c byte) bool { return isLetter(c) || isDigit(c) })), nil
	case isDigit(c) || c == '.':
		return l.take(tokenNumber, span(rest, func(c byte) bool { return isDigit(c) || c == '.' })), nil
	case c == '"' || c == '`':
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return token{}, errorAt(l.pos, "the text has no closing %c, or an escape that is none", c)
		}
		return l.take(tokenText, len(quoted)), nil
	}
	for _, sign := range signs {
		if strings.HasPrefix(rest, sign) {
			return l.take(tokenSign, len(sign)), nil
		}
	}
	return token{}, l.stray()
}

func (l *lexer) take(kind tokenKind, n int) token {
	t := token{kind: kind, offset: l.pos, text: l.text[l.pos : l.pos+n]}
	l.pos += n
	return t
}

// stray explains a character that begins nothing.
func (l *lexer) stray() *Error {
	r, _ := utf8.DecodeRuneInString(l.text[l.pos:])
	switch r {
	case '&', '|', '=':
		return errorAt(l.pos, "a single %c is no operator; write %c%c", r, r, r)
	case '\'', '‘', '’', '“', '”':
		return errorAt(l.pos, "texts stand in double quotes or backticks")
	case '-':
		return errorAt(l.pos, "no number is below 0 here")
	}
	return errorAt(l.pos, "unexpected character %q", r)
}

func span(s string, in func(byte) bool) int {
	n := 0
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' }
