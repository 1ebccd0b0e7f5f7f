package decode

import (
	"slices"
	"strings"

	"github.com/traefik/paerser/parser"
)

// place tells where the option at path was written, as far as it is known: a
// source, or a line of the document.
func (t Tree) place(node *parser.Node, path string) (source string, line int) {
	if source := t.sources[node]; source != "" {
		return source, 0
	}
	if line := t.lines[node]; line > 0 || t.text == "" {
		return "", line
	}
	return "", lineOf(t.text, path)
}

// Places remembers where everything is written, for mistakes that are found after
// the tree is decoded. An option that nobody wrote is at the line of the nearest
// one around it.
func (t Tree) Places() func(path string) (source string, line int) {
	type place struct {
		source string
		line   int
	}
	known := map[string]place{}
	var visit func(node *parser.Node, path string)
	visit = func(node *parser.Node, path string) {
		source, line := t.place(node, path)
		known[strings.ToLower(path)] = place{source, line}
		for _, child := range node.Children {
			visit(child, join(path, child.Name))
		}
	}
	if t.Root != nil {
		for _, child := range t.Root.Children {
			visit(child, child.Name)
		}
	}
	return func(path string) (string, int) {
		path = strings.ToLower(path)
		if p, ok := known[path]; ok {
			return p.source, p.line
		}
		for path != "" {
			path = path[:max(strings.LastIndexByte(path, '.'), 0)]
			if p, ok := known[path]; ok {
				return "", p.line
			}
		}
		return "", 0
	}
}

// Line returns the line where the object at path stands, or 0 when that is not
// known. It is asked before the tree is decoded.
func (t Tree) Line(path ...string) int {
	node := t.Root
	for _, name := range path {
		if node == nil {
			return 0
		}
		i := slices.IndexFunc(node.Children, func(n *parser.Node) bool { return strings.EqualFold(n.Name, name) })
		if i < 0 {
			return 0
		}
		node = node.Children[i]
	}
	if line := t.lines[node]; line > 0 || t.text == "" || len(path) == 0 {
		return line
	}
	return lineOf(t.text, path[len(path)-1])
}

// Names returns the names directly below path.
func (t Tree) Names(path ...string) []string {
	node := t.Root
	for _, name := range path {
		if node == nil {
			return nil
		}
		i := slices.IndexFunc(node.Children, func(n *parser.Node) bool { return strings.EqualFold(n.Name, name) })
		if i < 0 {
			return nil
		}
		node = node.Children[i]
	}
	if node == nil {
		return nil
	}
	names := make([]string, len(node.Children))
	for i, child := range node.Children {
		names[i] = child.Name
	}
	return names
}
