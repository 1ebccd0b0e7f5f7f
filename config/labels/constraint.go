package labels

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"regexp"
	"strconv"
)

// constraint decides by labels whether a workload is looked at.
type constraint func(labels map[string]string) bool

// parseConstraint reads an expression of Label(`key`, `value`) and
// LabelRegex(`key`, `pattern`) with &&, ||, ! and parentheses. The empty
// expression lets everything pass. The syntax is that of Go expressions.
func parseConstraint(s string) (constraint, error) {
	if s == "" {
		return func(map[string]string) bool { return true }, nil
	}
	expr, err := parser.ParseExpr(s)
	if list, ok := errors.AsType[scanner.ErrorList](err); ok && len(list) > 0 {
		return nil, fmt.Errorf("constraints %q: offset %d: %s", s, list[0].Pos.Offset, list[0].Msg)
	} else if err != nil {
		return nil, fmt.Errorf("constraints %q: %w", s, err)
	}
	c, err := constraintOf(expr)
	if err != nil {
		return nil, fmt.Errorf("constraints %q: %w", s, err)
	}
	return c, nil
}

func constraintOf(expr ast.Expr) (constraint, error) {
	switch e := expr.(type) {
	case *ast.ParenExpr:
		return constraintOf(e.X)
	case *ast.UnaryExpr:
		x, err := constraintOf(e.X)
		if err != nil || e.Op != token.NOT {
			return nil, orUnexpected(err, e)
		}
		return func(l map[string]string) bool { return !x(l) }, nil
	case *ast.BinaryExpr:
		return binaryConstraint(e)
	case *ast.CallExpr:
		return callConstraint(e)
	}
	return nil, orUnexpected(nil, expr)
}

func binaryConstraint(e *ast.BinaryExpr) (constraint, error) {
	x, err := constraintOf(e.X)
	if err != nil {
		return nil, err
	}
	y, err := constraintOf(e.Y)
	if err != nil {
		return nil, err
	}
	switch e.Op {
	case token.LAND:
		return func(l map[string]string) bool { return x(l) && y(l) }, nil
	case token.LOR:
		return func(l map[string]string) bool { return x(l) || y(l) }, nil
	}
	return nil, orUnexpected(nil, e)
}

func callConstraint(e *ast.CallExpr) (constraint, error) {
	name, ok := e.Fun.(*ast.Ident)
	if !ok || len(e.Args) != 2 {
		return nil, fmt.Errorf("offset %d: expected Label(`key`, `value`) or LabelRegex(`key`, `pattern`)", e.Pos()-1)
	}
	var args [2]string
	for i, arg := range e.Args {
		lit, ok := arg.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return nil, orUnexpected(nil, arg)
		}
		text, err := strconv.Unquote(lit.Value)
		if err != nil {
			return nil, orUnexpected(err, arg)
		}
		args[i] = text
	}
	key, value := args[0], args[1]
	switch name.Name {
	case "Label":
		return func(l map[string]string) bool { got, ok := l[key]; return ok && got == value }, nil
	case "LabelRegex", "LabelRegexp":
		re, err := regexp.Compile(value)
		if err != nil {
			return nil, fmt.Errorf("offset %d: %w", e.Pos()-1, err)
		}
		return func(l map[string]string) bool { got, ok := l[key]; return ok && re.MatchString(got) }, nil
	}
	return nil, fmt.Errorf("offset %d: there is no function %s: use Label or LabelRegex", e.Pos()-1, name.Name)
}

func orUnexpected(err error, e ast.Expr) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("offset %d: unexpected expression", e.Pos()-1)
}
