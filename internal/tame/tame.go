// Package tame has templates of Go that nobody has to trust: whoever writes one can make texts, and neither keep the program
// busy for ever nor fill its memory.
package tame

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"text/template"
	"text/template/parse"
)

// Most is how long a text may become that a template works with, in bytes.
const Most = 4 << 20

// Check refuses what calls itself and what is assigned to a variable, by which a text could double and double again. It calls
// ranged with every range and how many there are around it.
func Check(root parse.Node, ranged func(n *parse.RangeNode, depth int) error) error {
	c := checking{ranged: ranged}
	c.visit(root, 0)
	return c.err
}

type checking struct {
	ranged func(n *parse.RangeNode, depth int) error
	err    error
}

func (c *checking) visit(n parse.Node, depth int) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, inner := range n.Nodes {
			c.visit(inner, depth)
		}
	case *parse.ActionNode:
		c.pipe(n.Pipe)
	case *parse.IfNode:
		c.branch(&n.BranchNode, depth)
	case *parse.WithNode:
		c.branch(&n.BranchNode, depth)
	case *parse.RangeNode:
		c.branch(&n.BranchNode, depth+1)
		c.err = errors.Join(c.err, c.ranged(n, depth))
	case *parse.TemplateNode:
		c.err = errors.Join(c.err, fmt.Errorf("line %d: templates cannot call others", n.Line))
	}
}

func (c *checking) branch(n *parse.BranchNode, depth int) {
	c.pipe(n.Pipe)
	c.visit(n.List, depth)
	c.visit(n.ElseList, depth)
}

func (c *checking) pipe(p *parse.PipeNode) {
	if p == nil {
		return
	}
	if p.IsAssign {
		c.err = errors.Join(c.err, fmt.Errorf("line %d: a variable keeps the value that it was declared with", p.Line))
	}
}

// Texts are functions of text/template that make texts, which become no longer than Most.
var Texts = template.FuncMap{
	"print": func(args ...any) (string, error) {
		return bounded(size(args), func() string { return fmt.Sprint(args...) })
	},
	"println": func(args ...any) (string, error) {
		return bounded(size(args), func() string { return fmt.Sprintln(args...) })
	},
	"printf": func(format string, args ...any) (string, error) {
		if wide.MatchString(format) {
			return "", errors.New("printf: a width is longer than two digits")
		}
		return bounded(len(format)*50+(len(format)/2)*size(args), func() string { return fmt.Sprintf(format, args...) })
	},
}

// wide finds widths that make long texts of short ones, and those that come from arguments.
var wide = regexp.MustCompile(`%[^a-zA-Z%]*(\d{3}|\*)`)

// Escapes are those of text/template that escape texts.
var Escapes = template.FuncMap{
	"html": func(args ...any) (string, error) {
		return bounded(size(args)*6, func() string { return template.HTMLEscaper(args...) })
	},
	"js": func(args ...any) (string, error) {
		return bounded(size(args)*6, func() string { return template.JSEscaper(args...) })
	},
	"urlquery": func(args ...any) (string, error) {
		return bounded(size(args)*3, func() string { return template.URLQueryEscaper(args...) })
	},
}

// ErrTooLong is what becomes of a text that would be too long.
var ErrTooLong = errors.New("a text becomes too long")

// bounded makes a text, if it cannot be longer than estimated and that is not too long.
func bounded(estimated int, text func() string) (string, error) {
	if estimated > 4*Most || estimated < 0 {
		return "", ErrTooLong
	}
	made := text()
	if len(made) > Most {
		return "", ErrTooLong
	}
	return made, nil
}

// size is how long arguments are as texts, about.
func size(args []any) (n int) {
	for _, a := range args {
		switch a := a.(type) {
		case string:
			n += len(a)
		case bool, int, int64, float64:
			n += 32
		default:
			n += len(fmt.Sprint(a))
		}
	}
	return n
}

// Writer takes a text that becomes no longer than Most.
type Writer struct {
	bytes.Buffer
	Most int64
}

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	if int64(w.Len()+len(p)) > w.Most {
		return 0, ErrTooLong
	}
	return w.Buffer.Write(p)
}
