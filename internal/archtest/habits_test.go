package archtest

import (
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"
)

// The longest that files and functions may be, in lines.
const (
	longestFile     = 500
	longestTestFile = 800
	longestFunction = 80
)

func TestFiles_AreOfReadableLength(t *testing.T) {
	for _, s := range sources(t) {
		limit := longestFile
		if s.test {
			limit = longestTestFile
		}
		if s.lines > limit {
			t.Errorf("%s has %d lines, more than %d: split it by idea", s.name, s.lines, limit)
		}
	}
}

// TestFunctions_AreOfReadableLength leaves out tests, whose tables are long.
func TestFunctions_AreOfReadableLength(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || ast.IsGenerated(s.file) {
			continue
		}
		for _, decl := range s.file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if lines := s.line(fn.End()) - s.line(fn.Pos()) + 1; lines > longestFunction {
				t.Errorf("%s:%d: %s has %d lines, more than %d", s.name, s.line(fn.Pos()), fn.Name.Name, lines, longestFunction)
			}
		}
	}
}

// TestTLSFolder_HasNoGoFile keeps "tls." meaning crypto/tls everywhere.
func TestTLSFolder_HasNoGoFile(t *testing.T) {
	for _, s := range sources(t) {
		if s.dir == "tls" {
			t.Errorf("%s: the folder tls has other folders only", s.name)
		}
	}
}

func TestPackages_SayWhatTheyAreFor(t *testing.T) {
	docs := map[string]string{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		docs[s.dir] += s.file.Doc.Text()
		if text := s.file.Doc.Text(); text != "" && s.file.Name.Name != "main" && !strings.HasPrefix(text, "Package "+s.file.Name.Name+" ") {
			t.Errorf("%s: the comment of the package does not begin with its name", s.name)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(docs)) {
		if docs[dir] == "" {
			t.Errorf("the package in %s has no comment", dir)
		}
	}
}

// TestWiring_IsVisible allows no init function: what a package does, it does when
// somebody calls it.
func TestWiring_IsVisible(t *testing.T) {
	for _, s := range sources(t) {
		for _, decl := range s.file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s:%d: there is an init function", s.name, s.line(fn.Pos()))
			}
		}
	}
}

// TestPackageVariables_NeverChange finds assignments to them, in their own package
// and outside of tests.
func TestPackageVariables_NeverChange(t *testing.T) {
	all := sources(t)
	variables := map[string]map[string]bool{} // by folder
	for _, s := range all {
		if variables[s.dir] == nil {
			variables[s.dir] = map[string]bool{}
		}
		if !s.test {
			packageVariables(s.file, variables[s.dir])
		}
	}
	for _, s := range all {
		if s.test {
			continue
		}
		for _, decl := range s.file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
				for name, pos := range assigned(fn) {
					if variables[s.dir][name] {
						t.Errorf("%s:%d: the package variable %s is changed", s.name, s.line(pos), name)
					}
				}
			}
		}
	}
}

func packageVariables(file *ast.File, into map[string]bool) {
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.VAR {
			continue
		}
		for _, spec := range gen.Specs {
			for _, name := range spec.(*ast.ValueSpec).Names {
				if name.Name != "_" {
					into[name.Name] = true
				}
			}
		}
	}
}

// assigned returns the names that a function assigns to, with their elements and
// fields, and does not declare itself.
func assigned(fn *ast.FuncDecl) map[string]token.Pos {
	found, own := map[string]token.Pos{}, map[string]bool{}
	note := func(target ast.Expr) {
		if name := base(target); name != nil {
			found[name.Name] = name.Pos()
		}
	}
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, name := range n.Names {
				own[name.Name] = true
			}
		case *ast.ValueSpec:
			for _, name := range n.Names {
				own[name.Name] = true
			}
		case *ast.RangeStmt:
			for _, target := range []ast.Expr{n.Key, n.Value} {
				if name, ok := target.(*ast.Ident); ok && n.Tok == token.DEFINE {
					own[name.Name] = true
				}
			}
		case *ast.IncDecStmt:
			note(n.X)
		case *ast.AssignStmt:
			for _, target := range n.Lhs {
				if name, ok := target.(*ast.Ident); ok && n.Tok == token.DEFINE {
					own[name.Name] = true
					continue
				}
				note(target)
			}
		}
		return true
	})
	maps.DeleteFunc(found, func(name string, _ token.Pos) bool { return own[name] })
	return found
}

// base is x in x, x.y, x[i] and *x.
func base(e ast.Expr) *ast.Ident {
	switch e := e.(type) {
	case *ast.Ident:
		return e
	case *ast.SelectorExpr:
		return base(e.X)
	case *ast.IndexExpr:
		return base(e.X)
	case *ast.StarExpr:
		return base(e.X)
	}
	return nil
}
