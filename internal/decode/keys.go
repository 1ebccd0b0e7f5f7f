package decode

import (
	"fmt"
	"slices"
	"strings"

	"github.com/traefik/paerser/parser"
)

// Keys makes a tree of flat keys and values: labels, flags, environment. The
// keys come without their root ("http.routers.web.rule"). Keys that are not even
// formed like keys are returned as faults.
func Keys(values map[string]string) (Tree, []Fault) {
	const root = parser.DefaultRootName
	good := make(map[string]string, len(values))
	var faults []Fault
	for key, value := range values {
		if reason := malformed(key); reason != "" {
			faults = append(faults, Fault{Path: key, Kind: BadValue, Reason: reason})
			continue
		}
		good[root+"."+key] = value
	}
	slices.SortFunc(faults, func(a, b Fault) int { return strings.Compare(a.Path, b.Path) })
	node, err := parser.DecodeToNode(good, root)
	if err != nil {
		return Tree{Dialect: Flat}, append(faults, Fault{Kind: BadValue, Reason: err.Error()})
	}
	return Tree{Root: node, Dialect: Flat}, faults
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

// Merge lays over on top of t: where both have a value, that of over stays. Both
// must be of the same dialect or have no lists in common.
func (t Tree) Merge(over Tree) Tree {
	if t.Root == nil {
		return over
	}
	if over.Root != nil {
		mergeNodes(t.Root, over.Root)
	}
	for node, line := range over.lines {
		if t.lines == nil {
			t.lines = map[*parser.Node]int{}
		}
		t.lines[node] = line
	}
	return t
}

func mergeNodes(under, over *parser.Node) {
	if over.Value != "" || len(over.Children) == 0 {
		under.Value = over.Value
	}
	if len(over.Children) > 0 && index(over.Children[0].Name) >= 0 {
		under.Children = over.Children // a list is replaced, never mixed
		return
	}
	for _, child := range over.Children {
		i := slices.IndexFunc(under.Children, func(n *parser.Node) bool { return strings.EqualFold(n.Name, child.Name) })
		if i < 0 {
			under.Children = append(under.Children, child)
			continue
		}
		mergeNodes(under.Children[i], child)
	}
}
