package decode

import (
	"errors"
	"fmt"
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
	var doc yaml.Node
	if err := yaml.Unmarshal(content, &doc); err != nil {
		return Tree{}, yamlError(err)
	}
	t := Tree{Root: &parser.Node{Name: parser.DefaultRootName}, Dialect: File, lines: map[*parser.Node]int{}}
	if len(doc.Content) == 0 {
		return t, nil
	}
	top := doc.Content[0]
	if top.Kind == yaml.ScalarNode && top.Tag == "!!null" {
		return t, nil
	}
	if top.Kind != yaml.MappingNode {
		return Tree{}, &SyntaxError{Line: top.Line, Msg: "the document is not a mapping of options"}
	}
	y := yamlReader{lines: t.lines, budget: maxNodes}
	if err := y.read(t.Root, top, 0); err != nil {
		return Tree{}, err
	}
	return t, nil
}

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
	lines  map[*parser.Node]int
	budget int
}

// read makes y the content of node.
func (r *yamlReader) read(node *parser.Node, y *yaml.Node, depth int) error {
	if r.budget--; r.budget < 0 || depth > maxDepth {
		return &SyntaxError{Line: y.Line, Msg: "the document is too large or too deeply nested"}
	}
	r.lines[node] = y.Line
	switch y.Kind {
	case yaml.AliasNode:
		return r.read(node, y.Alias, depth+1)
	case yaml.MappingNode:
		return r.mapping(node, y, depth)
	case yaml.SequenceNode:
		return r.sequence(node, y, depth)
	case yaml.ScalarNode:
		node.Value = scalar(y)
	}
	return nil
}

func (r *yamlReader) mapping(node *parser.Node, y *yaml.Node, depth int) error {
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		if key.Tag == "!!merge" {
			if err := r.merge(node, value, depth); err != nil {
				return err
			}
			continue
		}
		if key.Value == "" {
			return &SyntaxError{Line: key.Line, Msg: "an option without a name"}
		}
		child := &parser.Node{Name: key.Value}
		if err := r.read(child, value, depth+1); err != nil {
			return err
		}
		r.lines[child] = key.Line
		if value.Kind == yaml.ScalarNode && value.Tag == "!!null" {
			continue // an option without a value is not set
		}
		at := slices.IndexFunc(node.Children, func(n *parser.Node) bool { return n.Name == child.Name })
		if at >= 0 { // only a merge can have put it there
			node.Children[at] = child
			continue
		}
		node.Children = append(node.Children, child)
	}
	return nil
}

// merge reads the value of a "<<" key: one mapping, or a list of them.
func (r *yamlReader) merge(node *parser.Node, y *yaml.Node, depth int) error {
	if y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	if y.Kind == yaml.MappingNode {
		return r.mapping(node, y, depth+1)
	}
	for _, item := range slices.Backward(y.Content) { // the first in the list wins
		if r.budget--; r.budget < 0 || depth > maxDepth {
			return &SyntaxError{Line: y.Line, Msg: "the document is too large or too deeply nested"}
		}
		if err := r.merge(node, item, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (r *yamlReader) sequence(node *parser.Node, y *yaml.Node, depth int) error {
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
		if err := r.read(child, item, depth+1); err != nil {
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
