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
	tree    Tree
	later   func(string) bool
	faults  []Fault
}

func (p *pruner) fault(node *parser.Node, path string, kind FaultKind, reason, nearest string) bool {
	f := Fault{Path: path, Kind: kind, Reason: reason, Nearest: nearest}
	f.Source, f.Line = p.tree.place(node, path)
	p.faults = append(p.faults, f)
	return false
}

// children keeps those children of node that fit the type t (a struct, or a
// pointer to one).
func (p *pruner) children(t reflect.Type, node *parser.Node, path string) {
	t = pointed(t)
	seen := map[string]*parser.Node{} // by the name of the field
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
		if p.tree.nulls[child] {
			return true // an option without a value is not set
		}
		if first := seen[field.Name]; first != nil { // spelled in another case
			_, line := p.tree.place(child, childPath)
			_, before := p.tree.place(first, childPath)
			p.faults = append(p.faults, twice(childPath, line, before))
			return true
		}
		seen[field.Name] = child
		if !p.fits(field, child, childPath) {
			return true
		}
		if instead, deprecated := field.Tag.Lookup("deprecated"); deprecated {
			p.fault(child, childPath, Deprecated, "is deprecated: "+instead, "")
		}
		return false
	})
}

var notHere = map[string]string{
	parser.TagLabel: "cannot be set by a label, only in a file",
	parser.TagFile:  "can be set by a label only, not in a file",
}

// unknown reports a child that t has no field for. What is an option of Traefik's
// is one fault however much is set below it; it names the deepest option that all
// of it has in common.
func (p *pruner) unknown(t reflect.Type, child *parser.Node, path string) {
	childPath := join(path, child.Name)
	p.branches(child, childPath, func(node *parser.Node, branch string, known bool) {
		if known {
			for len(node.Children) == 1 && index(node.Children[0].Name) < 0 {
				node = node.Children[0]
				branch = join(branch, node.Name)
			}
			p.fault(node, branch, NotYet, "is an option of Traefik's that fairway does not have yet", "")
			return
		}
		reason, near := p.suggest(t, child.Name, path, strings.TrimPrefix(branch, childPath))
		p.fault(node, branch, Unknown, reason, near)
	})
}

// branches calls visit for the options at and below node: known ones as a whole,
// others leaf by leaf.
func (p *pruner) branches(node *parser.Node, path string, visit func(node *parser.Node, path string, known bool)) {
	known := p.later != nil && p.later(strings.ToLower(path))
	if known || len(node.Children) == 0 {
		visit(node, path, known)
		return
	}
	for _, child := range node.Children {
		p.branches(child, join(path, child.Name), visit)
	}
}

// suggest says what is wrong with an unknown name below path, and what was
// probably meant; rest is what follows the name.
func (p *pruner) suggest(t reflect.Type, name, path, rest string) (reason, near string) {
	if index(name) >= 0 {
		return "takes no number here: there is one only", path + rest
	}
	reason = fmt.Sprintf("there is no option %q here", name)
	names := p.names(t)
	near = nearest.Name(name, names)
	if near == "" && path == "" {
		near = p.deeper(t, name)
	}
	if near == "" {
		return reason, ""
	}
	if f, ok := p.field(t, near); ok && p.dialect.sliceAsStruct && f.Tag.Get(parser.TagLabelSliceAsStruct) != "" {
		if number, after, cut := strings.Cut(rest, "]"); cut && strings.HasPrefix(number, "[") {
			rest = after // labels know one element, without a number
		}
	}
	return reason, join(path, near) + rest
}

// deeper finds a name one level further down: "docker" is providers.docker.
func (p *pruner) deeper(t reflect.Type, name string) string {
	for f := range t.Fields() {
		if below := pointed(f.Type); f.IsExported() && below.Kind() == reflect.Struct && f.Tag.Get(p.dialect.tag) != "-" {
			for _, candidate := range p.names(below) {
				if strings.EqualFold(candidate, name) {
					return p.name(f) + "." + candidate
				}
			}
		}
	}
	return ""
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
	hollow := !slices.ContainsFunc(node.Children, func(n *parser.Node) bool { return !p.tree.nulls[n] })
	p.children(t, node, path)
	switch {
	case len(node.Children) > 0:
		return true
	case had > 0 && !hollow: // all faulty, and reported
		return false
	case p.dialect.tag == parser.TagFile && !p.isSwitch(tag, node.Value):
		return p.fault(node, path, BadValue, shown(node.Value)+" is not an object: it needs an option below it, one of "+strings.Join(p.names(t), ", "), "")
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

// isSwitch tells whether the value of a section in a file is none, or one that
// switches the section on or off.
func (p *pruner) isSwitch(tag, value string) bool {
	if value == "" {
		return true
	}
	_, err := strconv.ParseBool(value)
	return err == nil && tag == parser.TagLabelAllowEmpty
}

func (p *pruner) fitsMap(t reflect.Type, node *parser.Node, path string) bool {
	if len(node.Children) == 0 {
		if p.dialect.tag == parser.TagFile && node.Value == "" {
			return false // an empty map in a file is no mistake, and no information
		}
		return p.fault(node, path, BadValue, "needs a name below it", "")
	}
	elem := pointed(t.Elem())
	node.Children = slices.DeleteFunc(node.Children, func(child *parser.Node) bool {
		childPath := join(path, child.Name)
		isObject := elem.Kind() == reflect.Struct
		switch {
		case p.tree.nulls[child]:
			return !isObject || !p.fault(child, childPath, BadValue, "has no options", "")
		case elem.Kind() == reflect.String: // free names, dots included
			return false
		case isObject && p.dialect.tag == parser.TagFile && child.Value != "" && len(child.Children) == 0:
			return !p.fault(child, childPath, BadValue, shown(child.Value)+" is not an object: it needs an option below it, one of "+strings.Join(p.names(elem), ", "), "")
		}
		return !p.fits(reflect.StructField{Type: t.Elem(), Tag: elementTag}, child, childPath)
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
		if f.IsExported() && f.Tag.Get(p.dialect.tag) != "-" {
			names = append(names, p.name(f))
		}
	}
	return names
}

// name is the key of a field as an operator writes it.
func (p *pruner) name(f reflect.StructField) string {
	name := p.fieldKey(f)
	if name != f.Name {
		return name
	}
	if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag != "" && tag != "-" {
		return tag
	}
	return strings.ToLower(name[:1]) + name[1:]
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
