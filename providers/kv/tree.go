package kv

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"fairway/config/dynamic"
	"fairway/internal/decode"
)

// pairs are keys and values below the roots, by key without its root: "http/routers/shop/rule".
type pairs map[string]value

type value struct{ text, root string }

// node is a part of the tree that keys make.
type node struct {
	value    *string
	children map[string]*node
}

func (n *node) put(path []string, value string) {
	if len(path) == 0 {
		n.value = &value
		return
	}
	if n.children == nil {
		n.children = map[string]*node{}
	}
	child := n.children[path[0]]
	if child == nil {
		child = &node{}
		n.children[path[0]] = child
	}
	child.put(path[1:], value)
}

// plain is the node as JSON has it. Children that are numbered are a list, in the order of
// their numbers. A key that has a value and keys below it, as tls and tls/options, is what is
// below.
func (n *node) plain() any {
	if len(n.children) == 0 {
		if n.value == nil {
			return nil
		}
		return *n.value
	}
	numbers := make([]int, 0, len(n.children))
	for name := range n.children {
		number, err := strconv.Atoi(name)
		if err != nil || number < 0 || strconv.Itoa(number) != name {
			numbers = nil
			break
		}
		numbers = append(numbers, number)
	}
	if numbers != nil {
		slices.Sort(numbers)
		list := make([]any, len(numbers))
		for i, number := range numbers {
			list[i] = n.children[strconv.Itoa(number)].plain()
		}
		return list
	}
	object := make(map[string]any, len(n.children))
	for name, child := range n.children {
		object[name] = child.plain()
	}
	return object
}

// mostKeys bounds what is read of a store.
const mostKeys = 500_000

// whole is the key that a path with dots names, with its root.
func (p pairs) whole(path string) string {
	key := strings.ReplaceAll(path, ".", "/")
	for k, v := range p {
		if k == key || strings.HasPrefix(k, key+"/") {
			return v.root + "/" + key
		}
	}
	return key
}

// configuration is what keys come to.
func configuration(all pairs) (*dynamic.Configuration, error) {
	top := &node{}
	for key, v := range all {
		top.put(strings.Split(key, "/"), v.text)
	}
	text, err := json.Marshal(top.plain())
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		text = nil
	}
	tree, err := decode.Document(text, ".json")
	if err != nil {
		return nil, err
	}
	cfg := &dynamic.Configuration{}
	faults := tree.Into(cfg, dynamic.TraefikOption)
	if cfg.HTTP == nil {
		cfg.HTTP = &dynamic.HTTP{}
	}
	for _, f := range faults {
		f.Line = 0
		p := cfg.Blame(f)
		p.Key = all.whole(p.Key)
		if root, _, found := strings.Cut(p.Key, "/"); found && p.Nearest != "" {
			p.Nearest = root + "/" + strings.ReplaceAll(p.Nearest, ".", "/")
		}
		cfg.Problems = append(cfg.Problems, p)
	}
	slices.SortFunc(cfg.Problems, func(a, b dynamic.Problem) int { return strings.Compare(a.Key+a.Reason, b.Key+b.Reason) })
	return cfg, nil
}
