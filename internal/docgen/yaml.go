package main

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"fairway/config/dynamic"
	"fairway/internal/decode"
)

// asYAML writes labels as a file says the same. The labels go through the
// program's own decoding.
func asYAML(labels string) (string, error) {
	keys := map[string]string{}
	for line := range strings.Lines(labels) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		rest, ours := strings.CutPrefix(key, "fairway.")
		if !ok || !ours {
			return "", fmt.Errorf("not a label: %q", line)
		}
		keys[rest] = value
	}
	tree, faults := decode.Keys(keys)
	var cfg dynamic.Configuration
	faults = append(faults, tree.Into(&cfg, nil)...)
	if err := decode.Join(faults); err != nil {
		return "", err
	}
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(yamlNode(reflect.ValueOf(cfg))); err != nil {
		return "", err
	}
	return b.String(), nil
}

// yamlNode is v with what is set, in the order of its fields. Secrets are written
// out: these are examples.
func yamlNode(v reflect.Value) *yaml.Node {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Struct:
		return structNode(v)
	case reflect.Map:
		n := &yaml.Node{Kind: yaml.MappingNode}
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, key := range keys {
			n.Content = append(n.Content, scalar(key.String()), yamlNode(v.MapIndex(key)))
		}
		return n
	case reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.Len() {
			n.Content = append(n.Content, yamlNode(v.Index(i)))
		}
		return n
	case reflect.String:
		return scalar(v.String())
	case reflect.Int64:
		return scalar(valueText(v))
	}
	return scalar(v.Interface())
}

func structNode(v reflect.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	standard := fresh(v.Type())
	for i := range v.NumField() {
		f, field := v.Type().Field(i), v.Field(i)
		if !f.IsExported() || f.Tag.Get("file") == "-" || reflect.DeepEqual(field.Interface(), standard.Field(i).Interface()) {
			continue
		}
		n.Content = append(n.Content, scalar(fileName(f)), yamlNode(field))
	}
	return n
}

func scalar(value any) *yaml.Node {
	n := &yaml.Node{}
	if err := n.Encode(value); err != nil {
		panic(err) // a text, number or boolean can be encoded
	}
	return n
}
