package sandbox

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// matcher finds a pattern of Lua (manual of Lua 5.1, section 5.4.1) in a text, by trying. Some patterns
// are tried in very many ways: each step counts as an instruction, and how deep the trying goes is
// bounded as in Lua.
type matcher struct {
	run      *Run
	text     string
	pattern  string
	captures [mostCaptures]capture
	level    int
	depth    int
}

// capture is a part of the text; its length may be one of these instead.
type capture struct{ from, length int }

const (
	mostCaptures   = 32
	deepestTrying  = 200
	stillOpen      = -1
	onlyItsPlace   = -2
	stepsTogether  = 16
	matchesNothing = -1
)

// first finds the first place, not before from.
func (m *matcher) first(from int) (start, end int, ok bool) {
	p := 0
	anchored := strings.HasPrefix(m.pattern, "^")
	if anchored {
		p = 1
	}
	for start = from; start <= len(m.text); start++ {
		m.level = 0
		if end, ok = m.at(start, p); ok || anchored {
			break
		}
	}
	return start, end, ok
}

// at tells whether the pattern from p on is what the text has at s, and where that ends.
func (m *matcher) at(s, p int) (end int, ok bool) {
	end = m.try(s, p)
	return end, end != matchesNothing
}

// try goes on until something can be done in several ways, which are tried one after the other.
func (m *matcher) try(s, p int) int {
	if m.depth++; m.depth > deepestTrying {
		m.run.Fail("the pattern is too complex")
	}
	end := m.follow(s, p)
	m.depth--
	return end
}

func (m *matcher) follow(s, p int) int {
	for p < len(m.pattern) {
		m.run.Work(1)
		var how way
		if s, p, how = m.special(s, p); how == notSpecial {
			s, p, how = m.repeated(s, p)
		}
		if how == done {
			return s
		}
	}
	return s
}

// way is how it goes on behind a part of a pattern.
type way int

const (
	notSpecial way = iota
	goesOn         // at other places in text and pattern
	done           // the place in the text is the result
)

// special is about captures, the end, and what is more than one character.
func (m *matcher) special(s, p int) (int, int, way) {
	next := byte(0)
	if p+1 < len(m.pattern) {
		next = m.pattern[p+1]
	}
	switch c := m.pattern[p]; {
	case c == '(' && next == ')':
		return m.open(s, p+2, onlyItsPlace), p, done
	case c == '(':
		return m.open(s, p+1, stillOpen), p, done
	case c == ')':
		return m.close(s, p+1), p, done
	case c == '$' && p+1 == len(m.pattern):
		if s != len(m.text) {
			s = matchesNothing
		}
		return s, p, done
	case c == '%' && next == 'b':
		return goOn(m.balanced(s, p+2), p+4)
	case c == '%' && next == 'f':
		return m.border(s, p+2)
	case c == '%' && isDigit(next):
		return goOn(m.again(s, next), p+2)
	}
	return s, p, notSpecial
}

func goOn(s, p int) (int, int, way) {
	if s == matchesNothing {
		return s, p, done
	}
	return s, p, goesOn
}

// repeated is about one character, and how often it may be there.
func (m *matcher) repeated(s, p int) (int, int, way) {
	end := m.classEnd(p)
	suffix := byte(0)
	if end < len(m.pattern) {
		suffix = m.pattern[end]
	}
	switch suffix {
	case '*':
		return m.longest(s, p, end, 0), p, done
	case '+':
		return m.longest(s, p, end, 1), p, done
	case '-':
		return m.shortest(s, p, end), p, done
	case '?':
		if m.one(s, p, end) {
			if to := m.try(s+1, end+1); to != matchesNothing {
				return to, p, done
			}
		}
		return s, end + 1, goesOn
	}
	if !m.one(s, p, end) {
		return matchesNothing, p, done
	}
	return s + 1, end, goesOn
}

// border is where a set of characters begins.
func (m *matcher) border(s, class int) (int, int, way) {
	if class >= len(m.pattern) || m.pattern[class] != '[' {
		m.run.Fail("missing '[' after '%%f' in pattern")
	}
	p := m.classEnd(class)
	var before, here byte
	if s > 0 {
		before = m.text[s-1]
	}
	if s < len(m.text) {
		here = m.text[s]
	}
	if m.inSet(before, class, p-1) || !m.inSet(here, class, p-1) {
		return matchesNothing, p, done
	}
	return s, p, goesOn
}

func (m *matcher) open(s, p, length int) int {
	if m.level >= mostCaptures {
		m.run.Fail("too many captures")
	}
	m.captures[m.level] = capture{s, length}
	m.level++
	end := m.try(s, p)
	if end == matchesNothing {
		m.level--
	}
	return end
}

func (m *matcher) close(s, p int) int {
	i := m.level - 1
	for i >= 0 && m.captures[i].length != stillOpen {
		i--
	}
	if i < 0 {
		m.run.Fail("invalid pattern capture")
	}
	m.captures[i].length = s - m.captures[i].from
	end := m.try(s, p)
	if end == matchesNothing {
		m.captures[i].length = stillOpen
	}
	return end
}

// balanced is the end of a part that begins and ends with two characters, which are in it in pairs.
func (m *matcher) balanced(s, p int) int {
	if p+1 >= len(m.pattern) {
		m.run.Fail("unbalanced pattern")
	}
	if s >= len(m.text) || m.text[s] != m.pattern[p] {
		return matchesNothing
	}
	opens, closes, depth := m.pattern[p], m.pattern[p+1], 1
	for i := s + 1; i < len(m.text); i++ {
		if i%stepsTogether == 0 {
			m.run.Work(1)
		}
		switch m.text[i] {
		case closes:
			if depth--; depth == 0 {
				return i + 1
			}
		case opens:
			depth++
		}
	}
	return matchesNothing
}

// again is what was captured before.
func (m *matcher) again(s int, digit byte) int {
	i := int(digit) - '1'
	if i < 0 || i >= m.level || m.captures[i].length == stillOpen {
		m.run.Fail("invalid capture index")
	}
	c := m.captures[i]
	part := m.text[c.from : c.from+max(0, c.length)]
	m.run.Work(len(part) / step)
	if !strings.HasPrefix(m.text[s:], part) {
		return matchesNothing
	}
	return s + len(part)
}

// longest takes as many as there are, and gives back one after the other.
func (m *matcher) longest(s, p, end, least int) int {
	n := 0
	for m.one(s+n, p, end) {
		if n++; n%stepsTogether == 0 {
			m.run.Work(1)
		}
	}
	for ; n >= least; n-- {
		if to := m.try(s+n, end+1); to != matchesNothing {
			return to
		}
		m.run.Work(1)
	}
	return matchesNothing
}

// shortest takes as few as it can.
func (m *matcher) shortest(s, p, end int) int {
	for {
		if to := m.try(s, end+1); to != matchesNothing {
			return to
		}
		if !m.one(s, p, end) {
			return matchesNothing
		}
		s++
		m.run.Work(1)
	}
}

// classEnd is the end of what stands for one character.
func (m *matcher) classEnd(p int) int {
	c := m.pattern[p]
	p++
	switch c {
	case '%':
		if p >= len(m.pattern) {
			m.run.Fail("malformed pattern (ends with '%%')")
		}
		return p + 1
	case '[':
		if p < len(m.pattern) && m.pattern[p] == '^' {
			p++
		}
		for first := true; ; first = false { // a ] in the first place is one of the set
			if p >= len(m.pattern) {
				m.run.Fail("malformed pattern (missing ']')")
			}
			if m.pattern[p] == ']' && !first {
				return p + 1
			}
			if m.pattern[p] == '%' {
				p++
			}
			p++
		}
	}
	return p
}

// one tells whether the character at s is what the pattern from p to end stands for.
func (m *matcher) one(s, p, end int) bool {
	if s >= len(m.text) {
		return false
	}
	c := m.text[s]
	switch m.pattern[p] {
	case '.':
		return true
	case '%':
		return inClass(c, m.pattern[p+1])
	case '[':
		m.run.Work((end - p) / stepsTogether)
		return m.inSet(c, p, end-1)
	}
	return m.pattern[p] == c
}

// inSet tells whether a character is in the set from p, where the bracket opens, to end, where it
// closes.
func (m *matcher) inSet(c byte, p, end int) bool {
	in := true
	p++
	if m.pattern[p] == '^' {
		in = false
		p++
	}
	for ; p < end; p++ {
		switch {
		case m.pattern[p] == '%' && p+1 < end:
			if p++; inClass(c, m.pattern[p]) {
				return in
			}
		case p+2 < end && m.pattern[p+1] == '-':
			if m.pattern[p] <= c && c <= m.pattern[p+2] {
				return in
			}
			p += 2
		case m.pattern[p] == c:
			return in
		}
	}
	return !in
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// inClass tells whether a character is of a class; a capital letter stands for all others.
func inClass(c, class byte) bool {
	letter := 'a' <= c|0x20 && c|0x20 <= 'z'
	visible := c > ' ' && c < 0x7f
	var in bool
	switch class | 0x20 {
	case 'a':
		in = letter
	case 'c':
		in = c < ' ' || c == 0x7f
	case 'd':
		in = isDigit(c)
	case 'l':
		in = 'a' <= c && c <= 'z'
	case 'p':
		in = visible && !letter && !isDigit(c)
	case 's':
		in = c == ' ' || '\t' <= c && c <= '\r'
	case 'u':
		in = 'A' <= c && c <= 'Z'
	case 'w':
		in = letter || isDigit(c)
	case 'x':
		in = isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f'
	case 'z':
		in = c == 0
	default:
		return class == c
	}
	return in != (class <= 'Z')
}

// captured is a capture as a value; without any, the first one is all that was found.
func (m *matcher) captured(i, start, end int) lua.LValue {
	if i == 0 && m.level == 0 {
		return lua.LString(m.text[start:end])
	}
	if i >= m.level {
		m.run.Fail("invalid capture index")
	}
	switch c := m.captures[i]; c.length {
	case onlyItsPlace:
		return lua.LNumber(c.from + 1)
	case stillOpen:
		m.run.Fail("unfinished capture")
		return nil
	default:
		return lua.LString(m.text[c.from : c.from+c.length])
	}
}

// pushCaptures gives them back; whole: all that was found, if there are none.
func (m *matcher) pushCaptures(start, end int, whole bool) int {
	n := m.level
	if n == 0 && whole {
		n = 1
	}
	for i := range n {
		m.run.L.Push(m.captured(i, start, end))
	}
	return n
}

// replacement is what stands in the place of what was found.
func (m *matcher) replacement(start, end int, with lua.LValue) string {
	l := m.run.L
	var v lua.LValue
	switch with := with.(type) {
	case *lua.LTable:
		v = l.GetTable(with, m.captured(0, start, end))
	case *lua.LFunction:
		l.Push(with)
		l.Call(m.pushCaptures(start, end, true), 1)
		v = l.Get(-1)
		l.Pop(1)
	default:
		return m.expand(start, end, lua.LVAsString(with))
	}
	switch {
	case lua.LVIsFalse(v):
		return m.text[start:end]
	case !lua.LVCanConvToString(v):
		m.run.Fail("invalid replacement value (a %s)", v.Type())
	}
	return lua.LVAsString(v)
}

// expand puts captures into a text, where it has %1 or the like.
func (m *matcher) expand(start, end int, with string) string {
	if !strings.Contains(with, "%") {
		return with
	}
	var b strings.Builder
	for i := 0; i < len(with); i++ {
		if with[i] != '%' || i+1 == len(with) {
			b.WriteByte(with[i])
			continue
		}
		i++
		part := with[i : i+1]
		switch {
		case part == "0":
			part = m.text[start:end]
		case isDigit(with[i]):
			part = lua.LVAsString(m.captured(int(with[i])-'1', start, end))
		}
		m.run.Take(len(part))
		b.WriteString(part)
	}
	return b.String()
}
