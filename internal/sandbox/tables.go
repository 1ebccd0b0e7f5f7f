package sandbox

import (
	"sort"

	lua "github.com/yuin/gopher-lua"
)

// step is how many elements are moved, or bytes looked at, for what an instruction costs.
const step = 32

func (r *Run) openTables() {
	r.L.Push(r.L.NewFunction(lua.OpenTable))
	r.L.Call(0, 1)
	usual := r.L.CheckTable(-1)
	r.L.Pop(1)
	t := r.Namespace(Functions{"insert": r.insert, "remove": r.remove, "concat": r.concat, "sort": r.sort})
	members := t.Metatable.(*lua.LTable).RawGetString("__index").(*lua.LTable)
	members.RawSetString("maxn", usual.RawGetString("maxn"))
	r.Define("table", t)
}

// sort sorts a table, and counts each comparison: with texts by how long they are. What a function for
// it does counts by itself.
func (r *Run) sort(l *lua.LState) int {
	t := l.CheckTable(1)
	before := func(a, b lua.LValue) bool { return r.less(l, a, b) }
	if l.GetTop() > 1 {
		f := l.CheckFunction(2)
		before = func(a, b lua.LValue) bool {
			r.Work(1)
			l.Push(f)
			l.Push(a)
			l.Push(b)
			l.Call(2, 1)
			defer l.Pop(1)
			return lua.LVAsBool(l.Get(-1))
		}
	}
	n := t.Len()
	r.Take(n * entryCost)
	r.Work(n / step)
	values := make([]lua.LValue, n)
	for i := range values {
		values[i] = t.RawGetInt(i + 1)
	}
	sort.Slice(values, func(i, j int) bool { return before(values[i], values[j]) })
	for i, v := range values {
		t.RawSetInt(i+1, v)
	}
	return 0
}

// less is what < does, counted.
func (r *Run) less(l *lua.LState, a, b lua.LValue) bool {
	one, isText := a.(lua.LString)
	other, both := b.(lua.LString)
	if isText && both {
		r.Work(1 + min(len(one), len(other))/step)
		return one < other
	}
	r.Work(1)
	return l.LessThan(a, b)
}

func (r *Run) insert(l *lua.LState) int {
	t := l.CheckTable(1)
	end := t.Len()
	switch l.GetTop() {
	case 2:
		r.put(t, lua.LNumber(end+1), l.Get(2))
	case 3:
		at := l.CheckInt(2)
		if at < 1 || at > end+1 {
			l.ArgError(2, "is not within the table")
		}
		r.Take(entryCost)
		r.Work((end - at + 1) / step)
		t.Insert(at, l.Get(3))
	default:
		r.Fail("wrong number of arguments to 'insert'")
	}
	return 0
}

func (r *Run) remove(l *lua.LState) int {
	t := l.CheckTable(1)
	end := t.Len()
	at := l.OptInt(2, end)
	if at < 1 || at > end {
		l.Push(lua.LNil)
		return 1
	}
	r.Work((end - at) / step)
	l.Push(t.Remove(at))
	return 1
}

func (r *Run) concat(l *lua.LState) int {
	t := l.CheckTable(1)
	between := l.OptString(2, "")
	from, to := l.OptInt(3, 1), l.OptInt(4, t.Len())
	var parts []string
	size := 0
	for i := from; i <= to; i++ {
		v := t.RawGetInt(i)
		if !lua.LVCanConvToString(v) {
			r.Fail("invalid value (%s) at index %d in table for 'concat'", v.Type(), i)
		}
		part := lua.LVAsString(v)
		if i > from {
			parts = append(parts, between)
			size += len(between)
		}
		parts = append(parts, part)
		size += len(part)
	}
	r.Work(len(parts) / step)
	r.Take(size)
	l.Push(lua.LString(joined(parts, size)))
	return 1
}
