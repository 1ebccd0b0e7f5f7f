package decode

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/traefik/paerser/parser"
)

// Keys makes a tree of flat keys and values: labels, flags, environment. The
// keys come without their root ("http.routers.web.rule"). Keys that are not even
// formed like keys are returned as faults.
func Keys(values map[string]string) (Tree, []Fault) { return KeysFrom(values, nil) }

// KeysFrom is Keys for keys that were written elsewhere under another name, such
// as that of a flag; source tells which, and the faults name it.
func KeysFrom(values map[string]string, source func(key string) string) (Tree, []Fault) {
	const root = parser.DefaultRootName
	good := make(map[string]string, len(values))
	var faults []Fault
	for key, value := range values {
		if reason := malformed(key); reason != "" {
			f := Fault{Path: key, Kind: BadValue, Reason: reason}
			if source != nil {
				f.Source = source(key)
			}
			faults = append(faults, f)
			continue
		}
		good[root+"."+key] = value
	}
	slices.SortFunc(faults, func(a, b Fault) int { return strings.Compare(a.Path, b.Path) })
	node, err := parser.DecodeToNode(good, root)
	if err != nil {
		return Tree{Dialect: Flat}, append(faults, Fault{Kind: BadValue, Reason: err.Error()})
	}
	t := Tree{Root: node, Dialect: Flat}
	if source != nil && node != nil {
		t.sources = map[*parser.Node]string{}
		for _, child := range node.Children {
			t.from(child, child.Name, source)
		}
	}
	return t, faults
}

// from notes the sources of node and of those below it. One that has none of its
// own has that of the first below it.
func (t Tree) from(node *parser.Node, path string, source func(key string) string) {
	for _, child := range node.Children {
		t.from(child, join(path, child.Name), source)
	}
	t.sources[node] = source(path)
	if t.sources[node] == "" && len(node.Children) > 0 {
		t.sources[node] = t.sources[node.Children[0]]
	}
}

// malformed says why a key cannot be taken apart, or "". paerser would refuse
// the whole map for such a key, and panics at a "]" without its "[".
func malformed(key string) string {
	for segment := range strings.SplitSeq(key, ".") {
		open, closing := strings.IndexByte(segment, '['), strings.HasSuffix(segment, "]")
		switch {
		case segment == "":
			return "has an empty part: two dots in a row, or a dot at an end"
		case open == 0:
			return "has an index without a name in front of it"
		case closing && open < 0, closing && index(segment[open:]) < 0:
			return fmt.Sprintf("has a bad index in %q: write name[0]", segment)
		}
	}
	return ""
}

// Merge lays over on top of t: where both have a value, that of over stays, and
// faults name its place. Both must be of the same dialect or have no lists in
// common.
func (t Tree) Merge(over Tree) Tree {
	if t.Root == nil {
		return over
	}
	m := merging{Tree: t, over: over}
	if m.sources == nil {
		m.sources = map[*parser.Node]string{}
	}
	maps.Copy(m.sources, over.sources)
	if m.lines == nil {
		m.lines = map[*parser.Node]int{}
	}
	maps.Copy(m.lines, over.lines)
	if over.Root != nil {
		m.nodes(t.Root, over.Root)
	}
	m.faults = append(slices.Clip(t.faults), over.faults...)
	return m.Tree
}

type merging struct {
	Tree
	over Tree
}

func (m merging) nodes(under, over *parser.Node) {
	leaf := len(under.Children) == 0
	if over.Value != "" || len(over.Children) == 0 {
		under.Value = over.Value
		m.moved(under, over)
	}
	if len(over.Children) > 0 && index(over.Children[0].Name) >= 0 {
		under.Children = over.Children // a list is replaced, never mixed
		m.moved(under, over)
		return
	}
	if leaf && len(over.Children) > 0 {
		m.moved(under, over)
	}
	for _, child := range over.Children {
		i := slices.IndexFunc(under.Children, func(n *parser.Node) bool { return strings.EqualFold(n.Name, child.Name) })
		if i < 0 {
			under.Children = append(under.Children, child)
			continue
		}
		m.nodes(under.Children[i], child)
	}
}

// moved gives under the place of over, and makes it count as given.
func (m merging) moved(under, over *parser.Node) {
	delete(m.nulls, under)
	delete(m.lines, under)
	delete(m.sources, under)
	if line := m.over.lines[over]; line > 0 {
		m.lines[under] = line
	}
	if source := m.over.sources[over]; source != "" {
		m.sources[under] = source
	}
}
