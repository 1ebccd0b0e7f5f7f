// Package jsontree reads JSON and YAML alike, as the values of JSON: maps, lists, texts, booleans and numbers as they
// are written. Names are texts, also where YAML takes them for something else, as the status 200.
package jsontree

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"fairway/internal/schema"
)

const (
	deepest   = 128
	mostNodes = 500_000 // with what aliases stand for
)

// Read is the object that a document of no more than most bytes is. Errors tell the line.
func Read(text []byte, most int) (map[string]any, error) {
	if len(text) > most {
		return nil, fmt.Errorf("the document is longer than %d bytes", most)
	}
	var root any
	if v, found := schema.Read(text); found == nil {
		root = v
	} else {
		v, err := fromYAML(text)
		if err != nil {
			return nil, err
		}
		root = v
	}
	object, is := root.(map[string]any)
	if !is {
		return nil, errors.New("the document is no object")
	}
	return object, nil
}

func fromYAML(text []byte) (any, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("it is neither JSON nor YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	r := yamlReader{left: mostNodes}
	return r.value(&doc, 0)
}

// yamlReader makes values of JSON of YAML. It counts what it makes, for aliases can stand for a lot.
type yamlReader struct{ left int }

func (r *yamlReader) value(n *yaml.Node, depth int) (any, error) {
	if r.left--; r.left < 0 || depth > deepest {
		return nil, fmt.Errorf("line %d: the document is too large, or nested too deep", n.Line)
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return r.value(n.Content[0], depth)
	case yaml.AliasNode:
		return r.value(n.Alias, depth+1)
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			v, err := r.value(c, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.MappingNode:
		return r.object(n, depth)
	case yaml.ScalarNode:
		return scalar(n)
	}
	return nil, nil
}

func (r *yamlReader) object(n *yaml.Node, depth int) (any, error) {
	object := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		v, err := r.value(n.Content[i+1], depth+1)
		switch {
		case err != nil:
			return nil, err
		case key.Kind != yaml.ScalarNode:
			return nil, fmt.Errorf("line %d: a name has to be a text", key.Line)
		case key.Tag == "!!merge":
			if err := merge(object, v, key.Line); err != nil {
				return nil, err
			}
		default:
			object[key.Value] = v
		}
	}
	return object, nil
}

// merge adds the members that are not there.
func merge(object map[string]any, v any, line int) error {
	list, is := v.([]any)
	if !is {
		list = []any{v}
	}
	for _, one := range list {
		members, is := one.(map[string]any)
		if !is {
			return fmt.Errorf("line %d: only objects can be merged", line)
		}
		for name, member := range members {
			if _, there := object[name]; !there {
				object[name] = member
			}
		}
	}
	return nil
}

func scalar(n *yaml.Node) (any, error) {
	switch n.Tag {
	case "!!null":
		return nil, nil
	case "!!bool":
		var b bool
		err := n.Decode(&b)
		return b, err
	case "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			return json.Number(n.Value), nil
		}
		var f float64
		if err := n.Decode(&f); err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return nil, fmt.Errorf("line %d: %q is no number of JSON", n.Line, n.Value)
		}
		return json.Number(strconv.FormatFloat(f, 'g', -1, 64)), nil
	}
	return n.Value, nil
}
