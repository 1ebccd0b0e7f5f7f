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
func parseConstraint(s string) (constraint, error) { return ofLabels.parse(s) }

// ParseTags reads an expression of Tag(`tag`) and TagRegex(`pattern`), as parseConstraint does
// one of labels.
func ParseTags(s string) (func(tags []string) bool, error) {
	c, err := ofTags.parse(s)
	if err != nil {
		return nil, err
	}
	return func(tags []string) bool {
		all := make(map[string]string, len(tags))
		for _, tag := range tags {
			all[tag] = ""
		}
		return c(all)
	}, nil
}

// vocabulary is what the calls of an expression may be.
type vocabulary struct {
	args     int
	expected string
	exact    string // compares the last argument
	pattern  string // matches it as a regular expression
	compare  func(args []string, matches func(string) bool) constraint
}

var ofLabels = &vocabulary{2, "Label(`key`, `value`) or LabelRegex(`key`, `pattern`)", "Label", "LabelRegex", func(args []string, matches func(string) bool) constraint {
	return func(l map[string]string) bool { got, ok := l[args[0]]; return ok && matches(got) }
}}

var ofTags = &vocabulary{1, "Tag(`tag`) or TagRegex(`pattern`)", "Tag", "TagRegex", func(_ []string, matches func(string) bool) constraint {
	return func(tags map[string]string) bool {
		for tag := range tags {
			if matches(tag) {
				return true
			}
		}
		return false
	}
}}

func (v *vocabulary) parse(s string) (constraint, error) {
	if s == "" {
		return func(map[string]string) bool { return true }, nil
	}
	expr, err := parser.ParseExpr(s)
	if list, ok := errors.AsType[scanner.ErrorList](err); ok && len(list) > 0 {
		return nil, fmt.Errorf("constraints %q: offset %d: %s", s, list[0].Pos.Offset, list[0].Msg)
	} else if err != nil {
		return nil, fmt.Errorf("constraints %q: %w", s, err)
	}
	c, err := v.of(expr)
	if err != nil {
		return nil, fmt.Errorf("constraints %q: %w", s, err)
	}
	return c, nil
}

func (v *vocabulary) of(expr ast.Expr) (constraint, error) {
	switch e := expr.(type) {
	case *ast.ParenExpr:
		return v.of(e.X)
	case *ast.UnaryExpr:
		x, err := v.of(e.X)
		if err != nil || e.Op != token.NOT {
			return nil, orUnexpected(err, e)
		}
		return func(l map[string]string) bool { return !x(l) }, nil
	case *ast.BinaryExpr:
		return v.binary(e)
	case *ast.CallExpr:
		return v.call(e)
	}
	return nil, orUnexpected(nil, expr)
}

func (v *vocabulary) binary(e *ast.BinaryExpr) (constraint, error) {
	x, err := v.of(e.X)
	if err != nil {
		return nil, err
	}
	y, err := v.of(e.Y)
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

func (v *vocabulary) call(e *ast.CallExpr) (constraint, error) {
	name, ok := e.Fun.(*ast.Ident)
	if !ok || len(e.Args) != v.args {
		return nil, fmt.Errorf("offset %d: expected %s", e.Pos()-1, v.expected)
	}
	args := make([]string, v.args)
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
	last := args[v.args-1]
	switch name.Name {
	case v.exact:
		return v.compare(args, func(s string) bool { return s == last }), nil
	case v.pattern, v.pattern + "p":
		re, err := regexp.Compile(last)
		if err != nil {
			return nil, fmt.Errorf("offset %d: %w", e.Pos()-1, err)
		}
		return v.compare(args, re.MatchString), nil
	}
	return nil, fmt.Errorf("offset %d: there is no function %s: use %s or %s", e.Pos()-1, name.Name, v.exact, v.pattern)
}

func orUnexpected(err error, e ast.Expr) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("offset %d: unexpected expression", e.Pos()-1)
}
