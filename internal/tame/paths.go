package tame

import "text/template/parse"

// Path is a name that a template has from the top of its values: request, query, page of {{.request.query.page}}.
type Path struct {
	Names []string
	// Line in the text.
	Line int
}

// Paths are those of a template, as far as they can be told from its text.
func Paths(root parse.Node) []Path {
	p := paths{line: 1}
	p.of(root, true)
	return p.found
}

type paths struct {
	line  int // of the pipeline
	found []Path
}

// of goes through a node. At the top the dot is all values; in a with and in a range it is something else.
func (p *paths) of(n parse.Node, top bool) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, inner := range n.Nodes {
			p.of(inner, top)
		}
	case *parse.ActionNode:
		p.of(n.Pipe, top)
	case *parse.IfNode:
		p.branch(&n.BranchNode, top, top)
	case *parse.WithNode:
		p.branch(&n.BranchNode, top, false)
	case *parse.RangeNode:
		p.branch(&n.BranchNode, top, false)
	case *parse.PipeNode:
		if n == nil {
			return
		}
		p.line = n.Line
		for _, command := range n.Cmds {
			for _, arg := range command.Args {
				p.of(arg, top)
			}
		}
	case *parse.FieldNode:
		if top {
			p.found = append(p.found, Path{n.Ident, p.line})
		}
	case *parse.VariableNode:
		if n.Ident[0] == "$" && len(n.Ident) > 1 {
			p.found = append(p.found, Path{n.Ident[1:], p.line})
		}
	case *parse.ChainNode:
		p.of(n.Node, top)
	case *parse.TemplateNode:
		p.of(n.Pipe, top)
	}
}

func (p *paths) branch(n *parse.BranchNode, top, within bool) {
	p.of(n.Pipe, top)
	p.of(n.List, within)
	p.of(n.ElseList, top)
}
