package sandbox

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// openTexts has the functions of string, which are methods of texts as well.
func (r *Run) openTexts() {
	r.L.Push(r.L.NewFunction(lua.OpenString))
	r.L.Call(0, 1)
	usual := r.L.CheckTable(-1)
	r.L.Pop(1)
	members := r.L.NewTable()
	for _, name := range []string{"len", "sub", "byte", "char"} { // take no time to speak of, and what they make is short
		members.RawSetString(name, usual.RawGetString(name))
	}
	for name, f := range map[string]lua.LGFunction{
		"lower": r.changed(strings.ToLower), "upper": r.changed(strings.ToUpper), "reverse": r.changed(reversed), "rep": r.repeat,
		"format": r.format, "find": r.find, "match": r.match, "gmatch": r.gmatch, "gsub": r.gsub,
	} {
		members.RawSetString(name, r.L.NewFunction(f))
	}
	meta := r.L.NewTable()
	meta.RawSetString("__index", members)
	meta.RawSetString("__metatable", lua.LFalse)
	r.L.SetMetatable(lua.LString(""), meta)
	r.Define("string", r.sealed(members))
}

// changed is a function that makes another text of one.
func (r *Run) changed(change func(string) string) lua.LGFunction {
	return func(l *lua.LState) int {
		s := l.CheckString(1)
		r.Work(len(s) / step)
		r.Take(2 * len(s))
		l.Push(lua.LString(change(s)))
		return 1
	}
}

func reversed(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

func (r *Run) repeat(l *lua.LState) int {
	s, n := l.CheckString(1), l.CheckInt(2)
	if n <= 0 || s == "" {
		l.Push(lua.LString(""))
		return 1
	}
	if int64(n) > r.budget.limits.Memory {
		n = int(r.budget.limits.Memory) + 1 // more than there is, and no more than can be multiplied
	}
	r.Take(len(s) * n)
	l.Push(lua.LString(strings.Repeat(s, n)))
	return 1
}

// begin is where in a text to begin, from the third argument: 0 is its first byte.
func begin(l *lua.LState, s string) (from int, within bool) {
	from = l.OptInt(3, 1)
	if from < 0 {
		from += len(s) + 1
	}
	from = max(from, 1) - 1
	return from, from <= len(s)
}

func (r *Run) find(l *lua.LState) int {
	s, p := l.CheckString(1), l.CheckString(2)
	from, within := begin(l, s)
	switch {
	case !within:
		l.Push(lua.LNil)
		return 1
	case l.ToBool(4) || !strings.ContainsAny(p, "^$*+?.([%-"):
		r.Work(len(s) / step)
		at := strings.Index(s[from:], p)
		if at < 0 {
			l.Push(lua.LNil)
			return 1
		}
		l.Push(lua.LNumber(from + at + 1))
		l.Push(lua.LNumber(from + at + len(p)))
		return 2
	}
	m := &matcher{run: r, text: s, pattern: p}
	start, end, ok := m.first(from)
	if !ok {
		l.Push(lua.LNil)
		return 1
	}
	l.Push(lua.LNumber(start + 1))
	l.Push(lua.LNumber(end))
	return 2 + m.pushCaptures(start, end, false)
}

func (r *Run) match(l *lua.LState) int {
	s, p := l.CheckString(1), l.CheckString(2)
	from, within := begin(l, s)
	m := &matcher{run: r, text: s, pattern: p}
	if within {
		if start, end, ok := m.first(from); ok {
			return m.pushCaptures(start, end, true)
		}
	}
	l.Push(lua.LNil)
	return 1
}

func (r *Run) gmatch(l *lua.LState) int {
	s, p := l.CheckString(1), l.CheckString(2)
	r.Take(functionCost)
	at := 0
	l.Push(l.NewFunction(func(l *lua.LState) int {
		for at <= len(s) {
			m := &matcher{run: r, text: s, pattern: p}
			start := at
			if end, ok := m.at(start, 0); ok {
				if at = end; end == start {
					at++
				}
				return m.pushCaptures(start, end, true)
			}
			at++
		}
		l.Push(lua.LNil)
		return 1
	}))
	return 1
}

func (r *Run) gsub(l *lua.LState) int {
	s, p, with := l.CheckString(1), l.CheckString(2), l.CheckAny(3)
	switch with.Type() {
	case lua.LTString, lua.LTNumber, lua.LTTable, lua.LTFunction:
	default:
		l.ArgError(3, "string, function or table expected")
	}
	most := l.OptInt(4, len(s)+1)
	anchored := strings.HasPrefix(p, "^")
	var out []byte
	at, n := 0, 0
	for n < most {
		m := &matcher{run: r, text: s, pattern: strings.TrimPrefix(p, "^")}
		end, ok := m.at(at, 0)
		before := len(out)
		if ok {
			n++
			out = append(out, m.replacement(at, end, with)...)
		}
		switch {
		case ok && end > at:
			at = end
		case at < len(s):
			out = append(out, s[at])
			at++
		default:
			at = len(s) + 1
		}
		r.Take(2 * (len(out) - before))
		if at > len(s) || anchored {
			break
		}
	}
	if at < len(s) {
		r.Take(len(s) - at)
		out = append(out, s[at:]...)
	}
	l.Push(lua.LString(out))
	l.Push(lua.LNumber(n))
	return 2
}
