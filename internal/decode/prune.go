package decode

import (
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/traefik/paerser/parser"

	"fairway/internal/nearest"
)

// pruner walks a tree beside the type it will fill and takes out what does not
// fit. A node is kept when it, or at least one of its children, can be used.
type pruner struct {
	dialect Dialect
	lines   map[*parser.Node]int
	later   func(string) bool
	faults  []Fault
}

func (p *pruner) fault(node *parser.Node, path string, kind FaultKind, reason, nearest string) bool {
	p.faults = append(p.faults, Fault{Path: path, Line: p.lines[node], Kind: kind, Reason: reason, Nearest: nearest})
	return false
}

// children keeps those children of node that fit the type t (a struct, or a
// pointer to one).
func (p *pruner) children(t reflect.Type, node *parser.Node, path string) {
	t = pointed(t)
	node.Children = slices.DeleteFunc(node.Children, func(child *parser.Node) bool {
		childPath := join(path, child.Name)
		if t.Kind() != reflect.Struct {
			p.fault(child, childPath, Unknown, "takes no options below it", "")
			return true
		}
		field, ok := p.field(t, child.Name)
		if !ok {
			p.unknown(t, child, path)
			return true
		}
		return !p.fits(field, child, childPath)
	})
}

var notHere = map[string]string{
	parser.TagLabel: "cannot be set by a label, only in a file",
	parser.TagFile:  "can be set by a label only, not in a file",
}

// unknown reports a child that t has no field for.
func (p *pruner) unknown(t reflect.Type, child *parser.Node, path string) {
	childPath := join(path, child.Name)
	for _, leaf := range leaves(child, childPath) {
		if p.later != nil && p.later(strings.ToLower(leaf.path)) {
			p.fault(leaf.node, leaf.path, NotYet, "is an option of Traefik's that fairway does not have yet", "")
			continue
		}
		near := nearest.Name(child.Name, p.names(t))
		if near != "" {
			near = join(path, near) + strings.TrimPrefix(leaf.path, childPath)
		}
		p.fault(leaf.node, leaf.path, Unknown, fmt.Sprintf("there is no option %q here", child.Name), near)
	}
}

// fits reports whether node can fill field, after taking out what cannot.
func (p *pruner) fits(field reflect.StructField, node *parser.Node, path string) bool {
	t := pointed(field.Type)
	tag := field.Tag.Get(p.dialect.tag)
	if tag == "-" {
		return p.fault(node, path, NotHere, notHere[p.dialect.tag], "")
	}
	switch {
	case t.Kind() == reflect.Struct:
		return p.fitsStruct(t, tag, node, path)
	case t.Kind() == reflect.Map:
		return p.fitsMap(t, node, path)
	case t.Kind() == reflect.Slice:
		return p.fitsSlice(field, t, node, path)
	case len(node.Children) > 0:
		return p.fault(node, path, BadValue, "takes one value, not options below it", "")
	default:
		return p.fitsValue(t, node, path)
	}
}

func (p *pruner) fitsStruct(t reflect.Type, tag string, node *parser.Node, path string) bool {
	had := len(node.Children)
	p.children(t, node, path)
	switch {
	case len(node.Children) > 0:
		return true
	case had > 0: // all faulty, and reported
		return false
	case tag != parser.TagLabelAllowEmpty:
		return p.fault(node, path, BadValue, "needs an option below it: one of "+strings.Join(p.names(t), ", "), "")
	case node.Value == "" || p.dialect.tag == parser.TagFile:
		return true
	}
	if _, err := strconv.ParseBool(node.Value); err != nil {
		return p.fault(node, path, BadValue, fmt.Sprintf("%q is neither true nor false", node.Value), "")
	}
	return true
}

func (p *pruner) fitsMap(t reflect.Type, node *parser.Node, path string) bool {
	if len(node.Children) == 0 {
		if p.dialect.tag == parser.TagFile && node.Value == "" {
			return false // an empty map in a file is no mistake, and no information
		}
		return p.fault(node, path, BadValue, "needs a name below it", "")
	}
	elem := pointed(t.Elem())
	if elem.Kind() == reflect.String { // free names, dots included
		return true
	}
	node.Children = slices.DeleteFunc(node.Children, func(child *parser.Node) bool {
		field := reflect.StructField{Type: t.Elem(), Tag: elementTag}
		return !p.fits(field, child, join(path, child.Name))
	})
	return len(node.Children) > 0
}

// elementTag lets an element of a map be empty: whether that makes sense is for
// the one who builds it.
const elementTag = reflect.StructTag(`label:"" file:"allowEmpty"`)

func (p *pruner) fitsSlice(field reflect.StructField, t reflect.Type, node *parser.Node, path string) bool {
	elem := pointed(t.Elem())
	isStruct := elem.Kind() == reflect.Struct
	if isStruct && p.dialect.sliceAsStruct && field.Tag.Get(parser.TagLabelSliceAsStruct) != "" {
		return p.fitsStruct(elem, "", node, path)
	}
	if isStruct {
		return p.fitsStructs(elem, node, path)
	}
	if len(node.Children) > 0 && !p.joinIndexed(node, path) {
		return false
	}
	values, head := splitList(node.Value, p.dialect.separator)
	for i, v := range values {
		canonical, err := checkValue(elem, strings.TrimSpace(v))
		if err != nil {
			return p.fault(node, path, BadValue, err.Error(), "")
		}
		values[i] = canonical
	}
	if head == "" { // one value, whose commas separate in every dialect
		node.Value = strings.Join(values, ",")
		return true
	}
	node.Value = head + strings.Join(values, p.dialect.separator)
	return true
}

func (p *pruner) fitsStructs(elem reflect.Type, node *parser.Node, path string) bool {
	if len(node.Children) == 0 {
		if p.dialect.tag == parser.TagFile && node.Value == "" {
			return true
		}
		return p.fault(node, path, BadValue, "is a list of objects: write "+path+"[0].option", "")
	}
	node.Children = slices.DeleteFunc(node.Children, func(child *parser.Node) bool {
		childPath := path + child.Name
		if index(child.Name) < 0 {
			return !p.fault(child, join(path, child.Name), BadValue, "is a list of objects: write "+path+"[0]."+child.Name, "")
		}
		had := len(child.Children)
		p.children(elem, child, childPath)
		return had > 0 && len(child.Children) == 0
	})
	sort.SliceStable(node.Children, func(i, j int) bool {
		return index(node.Children[i].Name) < index(node.Children[j].Name)
	})
	return len(node.Children) > 0
}

// joinIndexed turns the indexed form of a plain list, list[0]=a and list[1]=b,
// into the one that paerser reads, list=a,b.
func (p *pruner) joinIndexed(node *parser.Node, path string) bool {
	for _, child := range node.Children {
		if index(child.Name) < 0 || len(child.Children) > 0 {
			return p.fault(child, join(path, child.Name), BadValue, "is a list of plain values: write "+path+"=a,b", "")
		}
	}
	sort.SliceStable(node.Children, func(i, j int) bool {
		return index(node.Children[i].Name) < index(node.Children[j].Name)
	})
	values := make([]string, len(node.Children))
	for i, child := range node.Children {
		values[i] = child.Value
	}
	node.Value = encodeList(values, p.dialect.separator)
	node.Children = nil
	return true
}

func (p *pruner) fitsValue(t reflect.Type, node *parser.Node, path string) bool {
	value := node.Value
	if values, head := splitList(value, p.dialect.separator); head != "" {
		if len(values) != 1 {
			return p.fault(node, path, BadValue, "takes one value, not a list", "")
		}
		value = values[0]
	}
	canonical, err := checkValue(t, value)
	if err != nil {
		return p.fault(node, path, BadValue, err.Error(), "")
	}
	node.Value = canonical
	return true
}

// field finds the field of t that name means, as paerser does.
func (p *pruner) field(t reflect.Type, name string) (reflect.StructField, bool) {
	for f := range t.Fields() {
		if f.IsExported() && strings.EqualFold(p.fieldKey(f), name) {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// fieldKey is the name that the source uses for a field.
func (p *pruner) fieldKey(f reflect.StructField) string {
	if alias := f.Tag.Get(parser.TagLabelSliceAsStruct); alias != "" && p.dialect.sliceAsStruct {
		return alias
	}
	return f.Name
}

// names lists the keys of t as an operator writes them.
func (p *pruner) names(t reflect.Type) []string {
	var names []string
	for f := range t.Fields() {
		if !f.IsExported() || f.Tag.Get(p.dialect.tag) == "-" {
			continue
		}
		name := p.fieldKey(f)
		if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); name == f.Name && tag != "" && tag != "-" {
			name = tag
		} else if name == f.Name {
			name = strings.ToLower(name[:1]) + name[1:]
		}
		names = append(names, name)
	}
	return names
}

type leaf struct {
	node *parser.Node
	path string
}

func leaves(node *parser.Node, path string) []leaf {
	if len(node.Children) == 0 {
		return []leaf{{node, path}}
	}
	var all []leaf
	for _, child := range node.Children {
		all = append(all, leaves(child, join(path, child.Name))...)
	}
	return all
}

// index is the number in "[3]", or -1.
func index(name string) int {
	if len(name) < 3 || name[0] != '[' || name[len(name)-1] != ']' {
		return -1
	}
	n, err := strconv.Atoi(name[1 : len(name)-1])
	if err != nil || n < 0 {
		return -1
	}
	return n
}

func join(path, name string) string {
	if path == "" || name == "" || name[0] == '[' {
		return path + name
	}
	return path + "." + name
}

func pointed(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}
