package sandbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// Run is an interpreter at work for one request. Between requests it is idle, and knows nothing of the
// last one: what a script calls global is in a table of the request.
type Run struct {
	// L is the interpreter.
	L *lua.LState
	// Of is what the functions of the library are about: the request.
	Of any

	script  *Script
	budget  budget
	library *lua.LTable // that scripts cannot reach as a table
	global  *lua.LTable // of the request
	proxy   *lua.LTable // the metatable of global
	arrays  *lua.LTable // the metatable of arrays of JSON
	gates   []lua.LValue
	broken  bool
}

// Sizes of an interpreter. The stack of calls bounds how far Go's stack grows, too.
const (
	deepestCalls   = 160
	firstRegisters = 512
	mostRegisters  = 32 << 10
)

// Begin gets an interpreter, and runs the script as far as it defines its functions. Whoever begins
// ends, also after an error.
func (s *Script) Begin(ctx context.Context, of any) (*Run, error) {
	r, ok := s.idle.Get().(*Run)
	if !ok {
		r = s.fresh()
	}
	r.Of = of
	r.budget.reset(ctx, s.limits)
	r.global = r.L.CreateTable(0, 8) // without room for the many names that a table gets otherwise
	r.global.Metatable = r.proxy
	main := r.L.NewFunctionFromProto(s.proto)
	main.Env = r.global
	return r, r.call(main, r.gates...)
}

// fresh makes an interpreter.
func (s *Script) fresh() *Run {
	r := &Run{script: s, L: lua.NewState(lua.Options{
		SkipOpenLibs: true, CallStackSize: deepestCalls, RegistrySize: firstRegisters, RegistryMaxSize: mostRegisters, RegistryGrowStep: firstRegisters,
	})}
	r.L.SetContext(&r.budget)
	r.library = r.L.NewTable()
	r.proxy = r.L.NewTable()
	r.proxy.RawSetString("__index", r.library)
	r.proxy.RawSetString("__metatable", lua.LFalse)
	r.budget.reset(context.Background(), Limits{Instructions: 1 << 20, Memory: 1 << 20, Time: time.Minute})
	r.budget.until = time.Now().Add(time.Minute)
	r.openBase()
	r.openTables()
	r.openTexts()
	r.openMathematics()
	r.openJSON()
	r.gates = []lua.LValue{r.L.NewFunction(r.gateJoin), r.L.NewFunction(r.gateTable), r.L.NewFunction(r.gateFunction), r.L.NewFunction(r.gateSet)}
	if s.library != nil {
		s.library(r)
	}
	return r
}

// End gives the interpreter back. One that has failed is given up: nobody knows what it has in it.
func (r *Run) End() {
	r.Of, r.global = nil, nil
	r.budget.Context = context.Background()
	if !r.broken {
		r.script.idle.Put(r)
	}
}

// Has tells whether the script has a function of a name.
func (r *Run) Has(name string) bool {
	_, ok := r.global.RawGetString(name).(*lua.LFunction)
	return ok
}

// Global is what the library has defined by a name.
func (r *Run) Global(name string) lua.LValue { return r.library.RawGetString(name) }

// Call calls a function of the script, if there is one. Whoever has got an error does not call again.
func (r *Run) Call(name string, args ...lua.LValue) error {
	f, ok := r.global.RawGetString(name).(*lua.LFunction)
	if !ok {
		return nil
	}
	if r.Stopped() {
		r.budget.why, r.budget.done = nil, nil
	}
	return r.call(f, args...)
}

// Stop ends the function that is being called, without an error. It does not return.
func (r *Run) Stop() {
	r.budget.end(errStopped)
	r.L.RaiseError("%s", errStopped.Error())
}

// Stopped tells whether the last function has been.
func (r *Run) Stopped() bool { return errors.Is(r.budget.why, errStopped) }

// Waiting does not count the time that wait takes.
func (r *Run) Waiting(wait func()) {
	from := time.Now()
	wait()
	r.budget.until = r.budget.until.Add(time.Since(from))
}

// Take counts memory that is about to be taken. It does not return if that is too much.
func (r *Run) Take(bytes int) {
	if !r.budget.take(int64(bytes)) {
		r.L.RaiseError("%s", r.budget.why.Error())
	}
}

// Work counts what a function does, in instructions. It does not return if that is too much.
func (r *Run) Work(n int) {
	if !r.budget.work(n) {
		r.L.RaiseError("%s", r.budget.why.Error())
	}
}

// Text makes a value of a text that is new.
func (r *Run) Text(s string) lua.LValue {
	r.Take(len(s))
	return lua.LString(s)
}

// Fail has the script fail where it is. It does not return.
func (r *Run) Fail(format string, args ...any) { r.L.RaiseError(format, args...) }

func (r *Run) call(f *lua.LFunction, args ...lua.LValue) error {
	r.budget.until = time.Now().Add(r.budget.spare)
	err := r.L.CallByParam(lua.P{Fn: f, Protect: true}, args...)
	r.budget.spare = max(0, time.Until(r.budget.until))
	if err == nil || r.Stopped() {
		return nil
	}
	r.broken = true
	return r.explain(err)
}

// Error is why a script has failed: where, and what.
type Error struct{ Text string }

func (e *Error) Error() string { return e.Text }

// longestMessage bounds what is told of an error: scripts can have in it what clients send.
const longestMessage = 300

// explain tells what a script has failed with. A budget that is used up says more than what the script
// has made of it, and the place is in what the interpreter says.
func (r *Run) explain(err error) error {
	text := err.Error()
	if told, ok := errors.AsType[*lua.ApiError](err); ok {
		switch object := told.Object.(type) {
		case lua.LString:
			text = string(object)
		case nil:
			text, _, _ = strings.Cut(text, "\n")
		default:
			text = fmt.Sprintf("%s: an error that is a %s", r.script.name, object.Type())
		}
	}
	if why := r.budget.why; why != nil && !strings.Contains(text, why.Error()) {
		text = r.script.name + ": " + why.Error()
	}
	if len(text) > longestMessage {
		text = strings.ToValidUTF8(text[:longestMessage], "") + "…"
	}
	return &Error{text}
}
