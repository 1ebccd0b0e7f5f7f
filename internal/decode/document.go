package decode

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/traefik/paerser/parser"
	"gopkg.in/yaml.v3"
)

// A SyntaxError is a document that cannot be read at all.
type SyntaxError struct {
	Line int // from 1; 0 when unknown
	Msg  string
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Msg
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Msg)
}

// Document makes a tree of a YAML, TOML or JSON document; ext is the ending of
// its file name with the dot. An empty document is an empty tree.
func Document(content []byte, ext string) (Tree, error) {
	switch strings.ToLower(ext) {
	case ".yaml", ".yml", ".json":
		return yamlTree(content)
	case ".toml":
		return tomlTree(string(content))
	default:
		return Tree{}, fmt.Errorf("files ending in %q are not read: use .yml, .yaml, .toml or .json", ext)
	}
}

// yamlTree also reads JSON, which YAML includes.
func yamlTree(content []byte) (Tree, error) {
	t := Tree{
		Root: &parser.Node{Name: parser.DefaultRootName}, Dialect: File,
		lines: map[*parser.Node]int{}, nulls: map[*parser.Node]bool{},
	}
	documents := yaml.NewDecoder(bytes.NewReader(content))
	first, err := nextDocument(documents)
	if err != nil || first == nil {
		return t, err
	}
	y := yamlReader{tree: &t, budget: maxNodes, reported: map[*yaml.Node]bool{}}
	if err := y.read(t.Root, first.Content[0], "", 0); err != nil {
		return Tree{}, err
	}
	second, err := nextDocument(documents)
	if err != nil {
		return Tree{}, err
	}
	if second != nil {
		t.faults = append(t.faults, Fault{Line: second.Line, Kind: BadValue, Reason: "a second document begins here, which is not read: put it into a file of its own"})
	}
	return t, nil
}

// nextDocument returns the next document that is not empty; nil when there is none.
func nextDocument(documents *yaml.Decoder) (*yaml.Node, error) {
	for {
		var doc yaml.Node
		err := documents.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, yamlError(err)
		}
		if len(doc.Content) == 0 || isNull(doc.Content[0]) {
			continue
		}
		if top := doc.Content[0]; top.Kind != yaml.MappingNode {
			return nil, &SyntaxError{Line: top.Line, Msg: "the document is not a mapping of options"}
		}
		return &doc, nil
	}
}

func isNull(y *yaml.Node) bool { return y.Kind == yaml.ScalarNode && y.Tag == "!!null" }

var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

func yamlError(err error) error {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(msg); m != nil {
		line, _ := strconv.Atoi(m[1])
		return &SyntaxError{Line: line, Msg: m[2]}
	}
	return &SyntaxError{Msg: msg}
}

// maxNodes and maxDepth bound what aliases and nesting can make of a document.
const (
	maxNodes = 2_000_000
	maxDepth = 100
)

type yamlReader struct {
	tree     *Tree
	budget   int
	reported map[*yaml.Node]bool // keys that are there twice, for aliases of them
}

// read makes y the content of node, which is the option at path.
func (r *yamlReader) read(node *parser.Node, y *yaml.Node, path string, depth int) error {
	if r.budget--; r.budget < 0 || depth > maxDepth {
		return &SyntaxError{Line: y.Line, Msg: "the document is too large or too deeply nested"}
	}
	r.tree.lines[node] = y.Line
	switch y.Kind {
	case yaml.AliasNode:
		return r.read(node, y.Alias, path, depth+1)
	case yaml.MappingNode:
		return r.mapping(node, y, path, depth)
	case yaml.SequenceNode:
		return r.sequence(node, y, path, depth)
	case yaml.ScalarNode:
		node.Value = scalar(y)
	}
	return nil
}

// mapping reads the keys of y, those that it merges before its own. Of a key that
// is there twice the first stays.
func (r *yamlReader) mapping(node *parser.Node, y *yaml.Node, path string, depth int) error {
	for i := 0; i+1 < len(y.Content); i += 2 {
		if key := y.Content[i]; key.Tag == "!!merge" {
			if err := r.merge(node, y.Content[i+1], path, depth); err != nil {
				return err
			}
		}
	}
	merged := len(node.Children)
	own := make(map[string]int, len(y.Content)/2)
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		if key.Tag == "!!merge" {
			continue
		}
		if key.Value == "" {
			return &SyntaxError{Line: key.Line, Msg: "an option without a name"}
		}
		keyPath := join(path, key.Value)
		if first, again := own[key.Value]; again {
			if !r.reported[key] {
				r.reported[key] = true
				r.tree.faults = append(r.tree.faults, twice(keyPath, key.Line, first))
			}
			continue
		}
		own[key.Value] = key.Line
		child := &parser.Node{Name: key.Value}
		if err := r.read(child, value, keyPath, depth+1); err != nil {
			return err
		}
		r.tree.lines[child] = key.Line
		at := slices.IndexFunc(node.Children[:merged], func(n *parser.Node) bool { return n.Name == child.Name })
		if isNull(value) {
			if at >= 0 {
				continue // it leaves what is merged
			}
			r.tree.nulls[child] = true
		}
		if at >= 0 {
			node.Children[at] = child
			continue
		}
		node.Children = append(node.Children, child)
	}
	return nil
}

func twice(path string, line, first int) Fault {
	f := Fault{Path: path, Line: line, Kind: Twice, Reason: "is given twice, and the first one stays"}
	if first > 0 {
		f.Reason = fmt.Sprintf("is given twice: line %d has it already, and that one stays", first)
	}
	return f
}

// merge reads the value of a "<<" key: one mapping, or a list of them.
func (r *yamlReader) merge(node *parser.Node, y *yaml.Node, path string, depth int) error {
	if y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	if y.Kind == yaml.MappingNode {
		return r.mapping(node, y, path, depth+1)
	}
	for _, item := range slices.Backward(y.Content) { // the first in the list wins
		if r.budget--; r.budget < 0 || depth > maxDepth {
			return &SyntaxError{Line: y.Line, Msg: "the document is too large or too deeply nested"}
		}
		if err := r.merge(node, item, path, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (r *yamlReader) sequence(node *parser.Node, y *yaml.Node, path string, depth int) error {
	var values []string
	for i, item := range y.Content {
		if item.Kind == yaml.AliasNode {
			item = item.Alias
		}
		if item.Kind == yaml.ScalarNode {
			values = append(values, scalar(item))
			continue
		}
		child := &parser.Node{Name: "[" + strconv.Itoa(i) + "]"}
		if err := r.read(child, item, path+child.Name, depth+1); err != nil {
			return err
		}
		node.Children = append(node.Children, child)
	}
	if len(values) > 0 && len(node.Children) > 0 {
		return &SyntaxError{Line: y.Line, Msg: "a list that mixes plain values and objects"}
	}
	node.Value = encodeList(values, listMark)
	return nil
}

func scalar(y *yaml.Node) string {
	if y.Tag == "!!null" {
		return ""
	}
	return strings.ReplaceAll(y.Value, listMark, "")
}

func tomlTree(content string) (Tree, error) {
	data := map[string]any{}
	if _, err := toml.Decode(content, &data); err != nil {
		if pe, ok := errors.AsType[toml.ParseError](err); ok {
			_, msg, _ := strings.Cut(pe.Error(), ": line ")
			_, msg, _ = strings.Cut(msg, ": ")
			return Tree{}, &SyntaxError{Line: pe.Position.Line, Msg: msg}
		}
		return Tree{}, &SyntaxError{Msg: err.Error()}
	}
	// The TOML reader gives no lines for keys. Written as YAML, the document
	// takes the same way as every other, only without them.
	text, err := yaml.Marshal(data)
	if err != nil {
		return Tree{}, fmt.Errorf("convert TOML: %w", err)
	}
	t, err := yamlTree(text)
	if err != nil {
		return Tree{}, err
	}
	t.lines, t.text = nil, content
	return t, nil
}

// lineOf guesses the line of an option in a document without recorded lines:
// the first one that sets the option's own name, or opens a table that ends so.
func lineOf(text, path string) int {
	name := path[strings.LastIndexByte(path, '.')+1:]
	if at := strings.IndexByte(name, '['); at > 0 {
		name = name[:at]
	}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		key, _, isPair := strings.Cut(line, "=")
		isTable := strings.HasPrefix(line, "[")
		key = strings.Trim(key, " \t\"'[]")
		if isPair && !isTable && strings.EqualFold(key, name) ||
			isTable && strings.EqualFold(key[strings.LastIndexByte(key, '.')+1:], name) {
			return i + 1
		}
	}
	return 0
}
