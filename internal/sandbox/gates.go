package sandbox

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

// The interpreter does not say when it takes memory. So the tree of a script is rewritten before it is
// compiled: what joins texts, makes a table or a function, or writes into a table, becomes a call of a
// function of ours, which counts. These are locals at the top of the script, whose names no script can
// write:
//
//	a .. b .. c      ->  join(a, b, c)
//	{x, [k] = y}     ->  table({x}, k, y)
//	function() end   ->  function(size, function() end)
//	t[k] = v         ->  set(t, k, v)
//
// An assignment to several places finds all tables and keys first, as Lua does: they are put into
// locals, the values too, and are then set one after the other.
const (
	nameJoin     = " join"
	nameTable    = " table"
	nameFunction = " function"
	nameSet      = " set"
)

// deepest is how far a script may be nested: reading it takes a stack.
const deepest = 1000

// gated rewrites a script.
func gated(chunk []ast.Stmt) ([]ast.Stmt, error) {
	g := &gates{}
	chunk = g.block(chunk)
	if g.tooDeep {
		return nil, fmt.Errorf("it is nested deeper than %d", deepest)
	}
	names := &ast.LocalAssignStmt{Names: []string{nameJoin, nameTable, nameFunction, nameSet}, Exprs: []ast.Expr{at(&ast.Comma3Expr{}, 1)}}
	return append([]ast.Stmt{at(names, 1)}, chunk...), nil
}

// gates is the way through a tree.
type gates struct {
	depth   int
	tooDeep bool
	names   int // identifiers so far
}

func (g *gates) block(list []ast.Stmt) (out []ast.Stmt) {
	for _, s := range list {
		out = append(out, g.statement(s)...)
	}
	return out
}

// inside goes one level down; false: that is too deep.
func (g *gates) inside() bool {
	g.depth++
	g.tooDeep = g.tooDeep || g.depth > deepest
	return !g.tooDeep
}

// statement rewrites a statement, in its place or by others.
func (g *gates) statement(s ast.Stmt) []ast.Stmt {
	defer func() { g.depth-- }()
	if !g.inside() {
		return nil
	}
	switch s := s.(type) {
	case *ast.AssignStmt:
		return g.assign(s)
	case *ast.LocalAssignStmt:
		if f, ok := isFunction(s); ok {
			return []ast.Stmt{g.counted(f), s}
		}
		g.list(s.Exprs)
	case *ast.FuncCallStmt:
		s.Expr = g.expression(s.Expr)
	case *ast.FuncDefStmt:
		return []ast.Stmt{g.counted(s.Func), s}
	case *ast.ReturnStmt:
		g.list(s.Exprs)
	default:
		g.blocks(s)
	}
	return []ast.Stmt{s}
}

// isFunction tells of a function that is local: it can call itself, and so has to stay what it is.
func isFunction(s *ast.LocalAssignStmt) (*ast.FunctionExpr, bool) {
	if len(s.Names) != 1 || len(s.Exprs) != 1 {
		return nil, false
	}
	f, ok := s.Exprs[0].(*ast.FunctionExpr)
	return f, ok
}

// blocks rewrites statements that have others in them.
func (g *gates) blocks(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.DoBlockStmt:
		s.Stmts = g.block(s.Stmts)
	case *ast.WhileStmt:
		s.Condition = g.expression(s.Condition)
		s.Stmts = g.block(s.Stmts)
	case *ast.RepeatStmt:
		s.Condition = g.expression(s.Condition)
		s.Stmts = g.block(s.Stmts)
	case *ast.IfStmt:
		s.Condition = g.expression(s.Condition)
		s.Then = g.block(s.Then)
		s.Else = g.block(s.Else)
	case *ast.NumberForStmt:
		s.Init, s.Limit = g.expression(s.Init), g.expression(s.Limit)
		if s.Step != nil {
			s.Step = g.expression(s.Step)
		}
		s.Stmts = g.block(s.Stmts)
	case *ast.GenericForStmt:
		g.list(s.Exprs)
		s.Stmts = g.block(s.Stmts)
	}
}

func (g *gates) list(all []ast.Expr) {
	for i, e := range all {
		all[i] = g.expression(e)
	}
}

func (g *gates) expression(e ast.Expr) ast.Expr {
	defer func() { g.depth-- }()
	if !g.inside() {
		return e
	}
	switch e := e.(type) {
	case *ast.IdentExpr:
		g.names++
	case *ast.AttrGetExpr:
		e.Object, e.Key = g.expression(e.Object), g.expression(e.Key)
	case *ast.TableExpr:
		return g.table(e)
	case *ast.FuncCallExpr:
		if e.Func != nil {
			e.Func = g.expression(e.Func)
		}
		if e.Receiver != nil {
			e.Receiver = g.expression(e.Receiver)
		}
		g.list(e.Args)
	case *ast.StringConcatOpExpr:
		return g.join(e)
	case *ast.FunctionExpr:
		size := g.function(e)
		return call(nameFunction, e.Line(), size, e)
	default:
		g.operation(e)
	}
	return e
}

// operation rewrites what an operator is applied to.
func (g *gates) operation(e ast.Expr) {
	switch e := e.(type) {
	case *ast.LogicalOpExpr:
		e.Lhs, e.Rhs = g.expression(e.Lhs), g.expression(e.Rhs)
	case *ast.RelationalOpExpr:
		e.Lhs, e.Rhs = g.expression(e.Lhs), g.expression(e.Rhs)
	case *ast.ArithmeticOpExpr:
		e.Lhs, e.Rhs = g.expression(e.Lhs), g.expression(e.Rhs)
	case *ast.UnaryMinusOpExpr:
		e.Expr = g.expression(e.Expr)
	case *ast.UnaryNotOpExpr:
		e.Expr = g.expression(e.Expr)
	case *ast.UnaryLenOpExpr:
		e.Expr = g.expression(e.Expr)
	}
}

// table makes a call of a table. Fields whose keys are not names are set by the call: a number far away
// takes much memory.
func (g *gates) table(e *ast.TableExpr) ast.Expr {
	var others []ast.Expr
	fields := e.Fields[:0]
	for _, f := range e.Fields {
		if f.Key != nil {
			f.Key = g.expression(f.Key)
		}
		f.Value = g.expression(f.Value)
		if _, named := f.Key.(*ast.StringExpr); f.Key == nil || named {
			fields = append(fields, f)
			continue
		}
		onlyOne(f.Value)
		others = append(others, f.Key, f.Value)
	}
	e.Fields = fields
	made := call(nameTable, e.Line(), e)
	for part := range slices.Chunk(others, 50) { // as many as there are registers for
		made = call(nameTable, e.Line(), append([]ast.Expr{made}, part...)...)
	}
	return made
}

// onlyOne has an expression have one value.
func onlyOne(e ast.Expr) {
	switch e := e.(type) {
	case *ast.FuncCallExpr:
		e.AdjustRet = true
	case *ast.Comma3Expr:
		e.AdjustRet = true
	}
}

// join makes one call of all texts that are joined, which the tree has to the right.
func (g *gates) join(e *ast.StringConcatOpExpr) ast.Expr {
	var parts []ast.Expr
	var rest ast.Expr = e
	for {
		more, ok := rest.(*ast.StringConcatOpExpr)
		if !ok {
			break
		}
		parts = append(parts, g.expression(more.Lhs))
		rest = more.Rhs
	}
	last := g.expression(rest)
	onlyOne(last)
	return call(nameJoin, e.Line(), append(parts, last)...)
}

// function rewrites the body of a function, and tells how large the function is at most: it has
// something for each name that it knows of those around it.
func (g *gates) function(f *ast.FunctionExpr) ast.Expr {
	before := g.names
	f.Stmts = g.block(f.Stmts)
	size := functionCost + upvalueCost*min(g.names-before+4, mostUpvalues)
	return at(&ast.NumberExpr{Value: strconv.Itoa(size)}, f.Line())
}

// counted rewrites a function, and counts it in a statement of its own.
func (g *gates) counted(f *ast.FunctionExpr) ast.Stmt {
	return at(&ast.FuncCallStmt{Expr: call(nameFunction, f.Line(), g.function(f))}, f.Line())
}

func (g *gates) assign(s *ast.AssignStmt) []ast.Stmt {
	places := 0
	for i, to := range s.Lhs {
		if _, ok := to.(*ast.AttrGetExpr); ok {
			places++
		}
		s.Lhs[i] = g.expression(to)
	}
	g.list(s.Rhs)
	line := s.Line()
	switch {
	case places == 0:
		return []ast.Stmt{s}
	case len(s.Lhs) == 1:
		place := s.Lhs[0].(*ast.AttrGetExpr)
		return []ast.Stmt{set(line, append([]ast.Expr{place.Object, place.Key}, s.Rhs...)...)}
	}
	return []ast.Stmt{several(s)}
}

// several makes a block of an assignment to several places.
func several(s *ast.AssignStmt) ast.Stmt {
	line := s.Line()
	found := &ast.LocalAssignStmt{}
	values := &ast.LocalAssignStmt{Exprs: s.Rhs}
	var sets []ast.Stmt
	for i, to := range s.Lhs {
		value := " v" + strconv.Itoa(i)
		values.Names = append(values.Names, value)
		place, ok := to.(*ast.AttrGetExpr)
		if !ok {
			sets = append(sets, at(&ast.AssignStmt{Lhs: []ast.Expr{to}, Rhs: []ast.Expr{name(value, line)}}, line))
			continue
		}
		table, key := " t"+strconv.Itoa(i), " k"+strconv.Itoa(i)
		found.Names = append(found.Names, table, key)
		found.Exprs = append(found.Exprs, place.Object, place.Key)
		sets = append(sets, set(line, name(table, line), name(key, line), name(value, line)))
	}
	onlyOne(found.Exprs[len(found.Exprs)-1])
	block := append([]ast.Stmt{at(found, line), at(values, line)}, sets...)
	return at(&ast.DoBlockStmt{Stmts: block}, line)
}

func set(line int, args ...ast.Expr) ast.Stmt {
	return at(&ast.FuncCallStmt{Expr: call(nameSet, line, args...)}, line)
}

func call(f string, line int, args ...ast.Expr) ast.Expr {
	return at(&ast.FuncCallExpr{Func: name(f, line), Args: args}, line)
}

func name(n string, line int) ast.Expr { return at(&ast.IdentExpr{Value: n}, line) }

// at gives a part of a tree the line that it is about.
func at[T ast.PositionHolder](part T, line int) T {
	part.SetLine(line)
	part.SetLastLine(line)
	return part
}

// What things take, in bytes: more than what the interpreter needs for them.
const (
	tableCost    = 2 << 10
	entryCost    = 128
	functionCost = 128
	upvalueCost  = 64
	mostUpvalues = 64
)

// gateTable counts a table that was made, and sets its further fields.
func (r *Run) gateTable(l *lua.LState) int {
	t := l.CheckTable(1)
	r.Take(tableCost + entryCost*t.Len())
	for i := 2; i < l.GetTop(); i += 2 {
		r.put(t, l.Get(i), l.Get(i+1))
	}
	l.SetTop(1)
	return 1
}

// gateFunction counts a function: its size, and itself where it is not a statement.
func (r *Run) gateFunction(l *lua.LState) int {
	r.Take(l.CheckInt(1))
	return l.GetTop() - 1
}

// gateSet writes into a table, or into something of the library.
func (r *Run) gateSet(l *lua.LState) int {
	to, key, value := l.Get(1), l.Get(2), l.Get(3)
	if t, ok := to.(*lua.LTable); ok {
		if in := receiver(t, key); in != nil {
			r.put(in, key, value)
			return 0
		}
	}
	l.SetTable(to, key, value)
	return 0
}

// receiver is the table that gets a value, by __newindex; nil: it is for a function to say.
func receiver(t *lua.LTable, key lua.LValue) *lua.LTable {
	for range 100 {
		meta, ok := t.Metatable.(*lua.LTable)
		if !ok || t.RawGet(key) != lua.LNil {
			return t
		}
		switch next := meta.RawGetString("__newindex").(type) {
		case *lua.LTable:
			t = next
		case *lua.LNilType:
			return t
		default:
			return nil
		}
	}
	return nil
}

var errKey = errors.New("the key of a table is nil, or not a number")

// put writes into a table, and counts what it grows by: all that lies between its end and a number.
func (r *Run) put(t *lua.LTable, key, value lua.LValue) {
	switch k := key.(type) {
	case lua.LString:
		if value != lua.LNil && t.RawGetString(string(k)) == lua.LNil {
			r.Take(entryCost)
		}
		t.RawSetString(string(k), value)
		return
	case lua.LNumber:
		switch i := int(k); {
		case math.IsNaN(float64(k)):
			r.Fail("%s", errKey.Error())
		case lua.LNumber(i) == k && i > 0 && i < lua.MaxArrayIndex:
			if end := t.Len(); i > end {
				r.Take(entryCost * (i - end))
			}
		default:
			r.Take(entryCost)
		}
	case *lua.LNilType:
		r.Fail("%s", errKey.Error())
	default:
		r.Take(entryCost)
	}
	t.RawSet(key, value)
}

// gateJoin joins texts and numbers, from the right, as Lua does: what is neither may say how it is
// joined, by __concat.
func (r *Run) gateJoin(l *lua.LState) int {
	n := l.GetTop()
	parts := make([]string, n)
	size := 0
	for i := range n {
		v := l.Get(i + 1)
		if !lua.LVCanConvToString(v) {
			l.Push(r.joinOthers(l, n))
			return 1
		}
		parts[i] = lua.LVAsString(v)
		size += len(parts[i])
	}
	r.Take(size)
	l.Push(lua.LString(joined(parts, size)))
	return 1
}

func joined(parts []string, size int) string {
	b := make([]byte, 0, size)
	for _, p := range parts {
		b = append(b, p...)
	}
	return string(b)
}

func (r *Run) joinOthers(l *lua.LState, n int) lua.LValue {
	right := l.Get(n)
	for i := n - 1; i > 0; i-- {
		left := l.Get(i)
		if lua.LVCanConvToString(left) && lua.LVCanConvToString(right) {
			right = r.Text(lua.LVAsString(left) + lua.LVAsString(right))
			continue
		}
		f := l.GetMetaField(left, "__concat")
		if f == lua.LNil {
			f = l.GetMetaField(right, "__concat")
		}
		if f == lua.LNil {
			r.Fail("attempt to concatenate a %s and a %s", left.Type(), right.Type())
		}
		l.Push(f)
		l.Push(left)
		l.Push(right)
		l.Call(2, 1)
		right = l.Get(-1)
		l.Pop(1)
	}
	return right
}
