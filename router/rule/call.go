package rule

import (
	"slices"
	"strings"
)

// matcher reads a matcher, its name and its arguments, and builds it.
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
	if p.quoting {
		n = quoted{n, p.lexer.src[name.offset:p.end]}
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
			p.end = p.tok.offset + 1
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
			p.end = p.tok.offset + 1
			return args, p.advance()
		case tokenEnd:
			return nil, errorAt(open, "the parenthesis of %s is never closed", name)
		default:
			return nil, errorAt(p.tok.offset, "a comma or ) should follow the argument of %s", name)
		}
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
