// Package sandbox runs scripts of Lua 5.1 that nobody has to trust: they reach nothing that they are not
// given, leave nothing behind, and come to an end.
//
// A script is read once (here), its tree is rewritten so that everything that takes memory passes a gate
// (gates.go), and it is run for each request, by one of several interpreters that are used again (run.go).
// What it computes and what it takes is counted (budget.go). It has the functions of Lua that reach
// nothing (base.go, tables.go, mathematics.go), those for texts written anew, as the usual ones can be
// made to take any time and memory (texts.go, pattern.go, format.go), and JSON (json.go). Whoever uses the
// package adds what scripts are about: see Library.
package sandbox

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// Limits are what one run of a script may take, all its functions together.
type Limits struct {
	// Instructions of the interpreter. Functions of the library count by what they do.
	Instructions int
	// Memory in bytes, of all texts, tables and functions that are made. What is no longer needed
	// counts as well.
	Memory int64
	// Time that the script itself computes. Waiting for others does not count: see Run.Waiting.
	Time time.Duration
}

// longest is how long a script may be, in bytes.
const longest = 256 << 10

// Library gives an interpreter what scripts are about, by Define. It is called once for each, and what
// it defines finds the request by Run.Of.
type Library func(r *Run)

// Script is a script that has been read. It is safe for concurrent use.
type Script struct {
	name    string
	proto   *lua.FunctionProto
	limits  Limits
	library Library
	idle    sync.Pool // of *Run
}

// Compile reads a script. Its name stands in front of messages about it.
func Compile(name, text string, limits Limits, library Library) (s *Script, err error) {
	defer func() { // what the library for it cannot cope with is no script
		if reason := recover(); reason != nil {
			s, err = nil, fmt.Errorf("it cannot be compiled: %v", reason)
		}
	}()
	if len(text) > longest {
		return nil, fmt.Errorf("it is longer than %d bytes", longest)
	}
	chunk, err := parse.Parse(strings.NewReader(text), name)
	if wrong, ok := errors.AsType[*parse.Error](err); ok {
		if wrong.Pos.Line == parse.EOF {
			return nil, fmt.Errorf("at its end: %s", strings.TrimSpace(wrong.Message))
		}
		return nil, fmt.Errorf("line %d, near %q: %s", wrong.Pos.Line, wrong.Token, strings.TrimSpace(wrong.Message))
	}
	if err != nil {
		return nil, err
	}
	if chunk, err = gated(chunk); err != nil {
		return nil, err
	}
	proto, err := lua.Compile(chunk, name)
	if wrong, ok := errors.AsType[*lua.CompileError](err); ok {
		return nil, fmt.Errorf("line %d: %s", wrong.Line, wrong.Message)
	}
	if err != nil {
		return nil, err
	}
	return &Script{name: name, proto: proto, limits: limits, library: library}, nil
}
