package sandbox

import (
	"math"
	"math/rand/v2"

	lua "github.com/yuin/gopher-lua"
)

// openMathematics has the functions of math, but those that set the seed of the whole program.
func (r *Run) openMathematics() {
	r.L.Push(r.L.NewFunction(lua.OpenMath))
	r.L.Call(0, 1)
	members := r.L.CheckTable(-1)
	r.L.Pop(1)
	members.RawSetString("randomseed", lua.LNil)
	members.RawSetString("random", r.L.NewFunction(random))
	r.Define("math", r.sealed(members))
}

func random(l *lua.LState) int {
	from, to := 1, 0
	switch l.GetTop() {
	case 0:
		l.Push(lua.LNumber(rand.Float64())) //nolint:gosec // it is Lua's, which promises no more
		return 1
	case 1:
		to = l.CheckInt(1)
	default:
		from, to = l.CheckInt(1), l.CheckInt(2)
	}
	if from > to || from < math.MinInt32 || to > math.MaxInt32 {
		l.ArgError(1, "interval is empty")
	}
	l.Push(lua.LNumber(from + rand.IntN(to-from+1))) //nolint:gosec // it is Lua's, which promises no more
	return 1
}
