// Package tame has templates of Go that nobody has to trust: whoever writes one can make texts, and neither keep the program
// busy for ever nor fill its memory.
package tame

import (
	"bytes"
	"errors"
	"fmt"
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
	ranged   func(n *parse.RangeNode, depth int) error
	declared int
	err      error
}

// mostDeclared is how many variables there are, each of which may keep a text.
const mostDeclared = 32

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
	if c.declared += len(p.Decl); c.declared > mostDeclared && c.declared-len(p.Decl) <= mostDeclared {
		c.err = errors.Join(c.err, fmt.Errorf("line %d: there are more than %d variables", p.Line, mostDeclared))
	}
	if p.IsAssign {
		c.err = errors.Join(c.err, fmt.Errorf("line %d: a variable keeps the value that it was declared with", p.Line))
	}
}

// ErrTooLong is what becomes of a text that would be too long.
var ErrTooLong = errors.New("a text becomes too long")

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
