package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"fairway/internal/jq"
)

// deepestJSON is how far JSON may be nested.
const deepestJSON = 128

// openJSON has json.decode and json.encode. An array of JSON is a table with a mark, so that an empty
// one stays an array; json.array sets it. json.null is what JSON has for nothing: nil cannot be kept in
// a table.
func (r *Run) openJSON() {
	r.arrays = r.L.NewTable()
	r.arrays.RawSetString("__metatable", lua.LFalse)
	null := r.L.NewUserData()
	n := r.Namespace(Functions{
		"decode": func(l *lua.LState) int {
			l.Push(r.decode(l.CheckString(1), null))
			return 1
		},
		"encode": func(l *lua.LState) int {
			e := &encoder{run: r, null: null}
			e.write(l.CheckAny(1), 0)
			l.Push(lua.LString(e.out.String()))
			return 1
		},
		"array": func(l *lua.LState) int {
			l.CheckTable(1).Metatable = r.arrays
			l.SetTop(1)
			return 1
		},
	})
	n.Metatable.(*lua.LTable).RawGetString("__index").(*lua.LTable).RawSetString("null", null)
	r.Define("json", n)
}

func (r *Run) decode(text string, null lua.LValue) lua.LValue {
	r.Work(len(text) / step)
	r.Take(4 * len(text))
	if err := jq.Shallow([]byte(text), deepestJSON); err != nil {
		r.Fail("json.decode: %s", err.Error())
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		r.Fail("json.decode: it is no JSON")
	}
	return r.value(v, null)
}

// Value makes a value of one that was decoded from JSON; nothing is nil.
func (r *Run) Value(v any) lua.LValue { return r.value(v, lua.LNil) }

func (r *Run) value(v any, null lua.LValue) lua.LValue {
	switch v := v.(type) {
	case nil:
		return null
	case bool:
		return lua.LBool(v)
	case string:
		return lua.LString(v)
	case float64:
		return lua.LNumber(v)
	case json.Number:
		n, _ := v.Float64()
		return lua.LNumber(n)
	case []string:
		t := r.array(len(v))
		for i, one := range v {
			t.RawSetInt(i+1, lua.LString(one))
		}
		return t
	case []any:
		t := r.array(len(v))
		for i, one := range v {
			t.RawSetInt(i+1, r.value(one, null))
		}
		return t
	case map[string]any:
		r.Take(tableCost + entryCost*len(v))
		t := r.L.CreateTable(0, len(v))
		for name, one := range v {
			t.RawSetString(name, r.value(one, null))
		}
		return t
	}
	return lua.LString(fmt.Sprint(v))
}

func (r *Run) array(n int) *lua.LTable {
	r.Take(tableCost/4 + entryCost/4*n)
	t := r.L.CreateTable(n, 0)
	t.Metatable = r.arrays
	return t
}

// encoder writes JSON.
type encoder struct {
	run  *Run
	null lua.LValue
	out  bytes.Buffer
}

func (e *encoder) write(v lua.LValue, depth int) {
	if depth > deepestJSON {
		e.run.Fail("json.encode: it is nested deeper than %d", deepestJSON)
	}
	e.run.Work(1)
	switch v := v.(type) {
	case *lua.LNilType:
		e.add("null")
	case lua.LBool:
		e.add(v.String())
	case lua.LNumber:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			e.run.Fail("json.encode: %s is no number of JSON", v.String())
		}
		text, _ := json.Marshal(float64(v))
		e.add(string(text))
	case lua.LString:
		e.text(string(v))
	case *lua.LTable:
		e.table(v, depth)
	default:
		if v != e.null {
			e.run.Fail("json.encode: a %s cannot be written", v.Type())
		}
		e.add("null")
	}
}

func (e *encoder) add(s string) {
	e.run.Take(2 * len(s))
	e.out.WriteString(s)
}

func (e *encoder) text(s string) {
	e.run.Work(len(s) / step)
	e.run.Take(6 * len(s)) // while it is written
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	w.SetEscapeHTML(false)
	if err := w.Encode(s); err != nil {
		e.run.Fail("json.encode: %s", err.Error())
	}
	e.out.WriteString(strings.TrimSuffix(b.String(), "\n"))
}

// table writes an array or an object: whatever has the mark, or elements and nothing else, is an array.
func (e *encoder) table(t *lua.LTable, depth int) {
	end := t.Len()
	var names []string
	others := false
	for key, _ := t.Next(lua.LNil); key != lua.LNil; key, _ = t.Next(key) {
		e.run.Work(1)
		switch key := key.(type) {
		case lua.LString:
			names = append(names, string(key))
		case lua.LNumber:
			others = others || float64(key) > float64(end) || key < 1
		default:
			others = true
		}
	}
	switch {
	case len(names) == 0 && !others && (end > 0 || t.Metatable == e.run.arrays):
		e.list(t, end, depth)
		return
	case others || end > 0:
		e.run.Fail("json.encode: a table has names as well as numbers")
	}
	slices.Sort(names)
	e.add("{")
	for i, name := range names {
		if i > 0 {
			e.add(",")
		}
		e.text(name)
		e.add(":")
		e.write(t.RawGetString(name), depth+1)
	}
	e.add("}")
}

func (e *encoder) list(t *lua.LTable, end, depth int) {
	e.add("[")
	for i := 1; i <= end; i++ {
		if i > 1 {
			e.add(",")
		}
		e.write(t.RawGetInt(i), depth+1)
	}
	e.add("]")
}
