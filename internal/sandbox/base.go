package sandbox

import (
	lua "github.com/yuin/gopher-lua"
)

// Functions are functions of a library, by name.
type Functions map[string]lua.LGFunction

// Define gives scripts a value by a global name.
func (r *Run) Define(name string, v lua.LValue) { r.library.RawSetString(name, v) }

// Namespace makes a value of functions, as log in log.info. Scripts can look into it, and change
// nothing: all requests have the same.
func (r *Run) Namespace(functions Functions) *lua.LUserData {
	members := r.L.NewTable()
	for name, f := range functions {
		members.RawSetString(name, r.L.NewFunction(f))
	}
	return r.sealed(members)
}

// Object makes a value whose members are looked up, and set, by functions; set may be nil.
func (r *Run) Object(get, set lua.LGFunction) *lua.LUserData {
	u := r.L.NewUserData()
	meta := r.L.NewTable()
	meta.RawSetString("__index", r.L.NewFunction(get))
	if set != nil {
		meta.RawSetString("__newindex", r.L.NewFunction(set))
	}
	meta.RawSetString("__metatable", lua.LFalse)
	u.Metatable = meta
	return u
}

func (r *Run) sealed(members *lua.LTable) *lua.LUserData {
	u := r.L.NewUserData()
	meta := r.L.NewTable()
	meta.RawSetString("__index", members)
	meta.RawSetString("__metatable", lua.LFalse)
	u.Metatable = meta
	return u
}

// harmless are the functions of Lua that reach nothing but their arguments. Those that load or compile
// something, or get at the environment of others, are not among them.
var harmless = []string{
	"assert", "error", "getmetatable", "ipairs", "next", "pairs", "rawequal", "rawget", "select", "setmetatable",
	"tonumber", "tostring", "type", "unpack", "_VERSION",
}

func (r *Run) openBase() {
	r.L.Push(r.L.NewFunction(lua.OpenBase))
	r.L.Call(0, 0)
	for _, name := range harmless {
		r.Define(name, r.L.GetGlobal(name))
	}
	r.Define("rawset", r.L.NewFunction(r.rawset))
	for _, name := range []string{"pcall", "xpcall"} {
		r.Define(name, r.L.NewFunction(r.catching(r.L.GetGlobal(name).(*lua.LFunction).GFunction)))
	}
}

// What an error costs that is caught: the interpreter writes down all calls that led to it.
const (
	errorWork = 500
	errorCost = 16 << 10
)

// catching counts what is caught.
func (r *Run) catching(usual lua.LGFunction) lua.LGFunction {
	return func(l *lua.LState) int {
		n := usual(l)
		if n == 2 && l.Get(-2) == lua.LFalse {
			r.Work(errorWork)
			r.Take(errorCost)
		}
		return n
	}
}

// rawset writes into a table, whatever its __newindex says.
func (r *Run) rawset(l *lua.LState) int {
	r.put(l.CheckTable(1), l.CheckAny(2), l.CheckAny(3))
	l.SetTop(1)
	return 1
}
