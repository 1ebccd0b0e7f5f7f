package check

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"fairway/config/dynamic"
	"fairway/internal/decode"
	"fairway/internal/moving"
)

// Finding is what becomes of one option of a file that was written for Traefik.
type Finding struct {
	Line   int    // 0: not known
	What   string // the label, flag, variable or option, as written
	Status string // same, better, lost or wrong
	Note   string
}

// What becomes of options.
const (
	Same   = "same"
	Better = "better"
	Lost   = "lost"   // there is no counterpart
	Wrong  = "wrong"  // it would be a mistake in any case
	Unread = "unread" // it was not looked at
)

// Traefik tells what becomes of each option in a file for Traefik: a compose file with its labels and the options that it
// starts Traefik with, an install configuration, or a file of routes.
func Traefik(path string) ([]Finding, error) {
	found, err := Configuration(path)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := &judging{problems: found, told: make([]bool, len(found))}
	if isCompose(path) {
		err = m.compose(text)
	} else {
		err = m.document(text, filepath.Ext(path), isInstall(path))
	}
	if err != nil {
		return nil, err
	}
	m.rest()
	slices.SortStableFunc(m.list, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	return m.list, nil
}

// judging puts what is written and what was found about it together.
type judging struct {
	problems []dynamic.Problem
	told     []bool // by problem
	list     []Finding
}

// add judges one option; status and note are what becomes of it if nothing is wrong with it.
func (m *judging) add(line int, what, key string, status moving.Status, note string) {
	f := Finding{Line: line, What: what, Status: string(status), Note: link.ReplaceAllString(strings.ReplaceAll(note, "`", ""), "$1")}
	switch {
	case status == moving.NotSupported && note == "": // nothing of Traefik's
		f.Status, f.Note = Wrong, "there is no such option"
	case status == moving.NotSupported:
		f.Status = Lost
	}
	for i, p := range m.problems {
		if p.Key == "" || !strings.EqualFold(p.Key, key) && !mentions(p, key) {
			continue
		}
		m.told[i] = true
		if p.Severity != dynamic.Notice && f.Status != Lost {
			f.Status, f.Note = Wrong, p.Reason
			if p.Nearest != "" {
				f.Note += fmt.Sprintf(" (did you mean %q?)", p.Nearest)
			}
		}
	}
	for i, p := range m.problems {
		if f.Status == Lost && p.Key == "" && strings.Contains(strings.ToLower(p.Reason), "option "+strings.ToLower(key)) {
			m.told[i] = true // the warning about it
		}
	}
	m.list = append(m.list, f)
}

// mentions tells whether a problem with a flag or variable is about it.
func mentions(p dynamic.Problem, key string) bool {
	_, written, found := strings.Cut(p.Key, " ")
	return found && strings.EqualFold(strings.TrimLeft(written, "-"), key)
}

// rest adds what was found and is about no single option.
func (m *judging) rest() {
	for i, p := range m.problems {
		if m.told[i] || p.Severity == dynamic.Notice {
			continue
		}
		line := p.Line
		p.Source, p.Line = "", 0
		m.list = append(m.list, Finding{Line: line, What: strings.TrimSpace(p.Kind + " " + p.Name), Status: Wrong, Note: shortened(p)})
	}
}

func shortened(p dynamic.Problem) string {
	p.Kind, p.Name = "", ""
	return p.String()
}

// compose judges the labels of all services, and the flags and variables of Traefik itself.
func (m *judging) compose(text []byte) error {
	var file struct {
		Services yaml.Node
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return err
	}
	for i := 0; i+1 < len(file.Services.Content); i += 2 {
		service := resolved(file.Services.Content[i+1])
		if image := child(service, "image"); image != nil && isProxy(image.Value) {
			m.flags(child(service, "entrypoint"))
			m.flags(child(service, "command"))
			for _, unread := range []string{"env_file", "volumes", "configs"} {
				if n := child(service, unread); n != nil {
					m.list = append(m.list, Finding{Line: n.Line, What: unread, Status: Unread, Note: "what is in files there is not looked at: look at them one by one"})
				}
			}
			m.environment(child(service, "environment"))
		}
		all := child(service, "labels")
		if swarm := child(child(service, "deploy"), "labels"); swarm != nil { // then Swarm reads these, and no others
			all = swarm
		}
		each(all, m.label)
	}
	return nil
}

// resolved is what an alias stands for.
func resolved(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// child is a member of a mapping, or of those that are merged into it.
func child(n *yaml.Node, name string) *yaml.Node {
	if n = resolved(n); n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return resolved(n.Content[i+1])
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag == "!!merge" {
			if found := child(n.Content[i+1], name); found != nil {
				return found
			}
		}
	}
	return nil
}

// each calls with every name of a mapping, or of a list of name=value.
func each(n *yaml.Node, with func(line int, name string)) {
	switch n = resolved(n); {
	case n == nil:
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Tag == "!!merge" {
				each(n.Content[i+1], with)
				continue
			}
			with(n.Content[i].Line, n.Content[i].Value)
		}
	case n.Kind == yaml.SequenceNode:
		for _, entry := range n.Content {
			if entry = resolved(entry); entry.Kind == yaml.MappingNode { // of merges
				each(entry, with)
				continue
			}
			name, _, _ := strings.Cut(entry.Value, "=")
			with(entry.Line, name)
		}
	}
}

func (m *judging) label(line int, name string) {
	root, rest, _ := strings.Cut(known(name), ".")
	if !strings.EqualFold(root, "traefik") && !strings.EqualFold(root, "fairway") {
		return
	}
	status, note := moving.Same, moving.BetterAt(rest)
	if note != "" {
		status = moving.Better
	}
	if instead := moving.InsteadOf(rest); instead != "" {
		status, note = moving.NotSupported, instead
	}
	m.add(line, name, known(name), status, note)
}

func (m *judging) flags(n *yaml.Node) {
	if n == nil {
		return
	}
	for _, word := range words(n) {
		name, _, _ := strings.Cut(known(word), "=")
		if !strings.HasPrefix(name, "-") {
			continue
		}
		line := n.Line
		for _, entry := range n.Content {
			if entry.Value == word {
				line = entry.Line
			}
		}
		m.option(line, name, strings.TrimLeft(name, "-"))
	}
}

func (m *judging) environment(n *yaml.Node) {
	each(n, func(line int, name string) {
		if rest, is := strings.CutPrefix(strings.ToUpper(name), "TRAEFIK_"); is {
			m.option(line, name, strings.ToLower(strings.ReplaceAll(rest, "_", ".")))
		}
	})
}

func (m *judging) option(line int, what, name string) {
	if strings.EqualFold(name, "configFile") {
		m.add(line, what, name, moving.Same, "look at that file, too")
		return
	}
	status, note := moving.OfInstall(name)
	m.add(line, what, name, status, note)
}

// link is one of a page.
var link = regexp.MustCompile(`\[([^\]]+)\]\([^)]+\)`)

// element is one of a list.
var element = regexp.MustCompile(`\[\d+\]`)

// document judges every option of a file.
func (m *judging) document(text []byte, ext string, install bool) error {
	tree, err := decode.Document(text, ext)
	if err != nil {
		return err
	}
	of := moving.OfRouting
	if install {
		of = moving.OfInstall
	}
	var visit func(path []string)
	visit = func(path []string) {
		names := tree.Names(path...)
		if len(names) == 0 && len(path) > 0 {
			name := strings.ReplaceAll(strings.Join(path, "."), ".[", "[")
			status, note := of(element.ReplaceAllString(name, "[n]"))
			m.add(tree.Line(path...), name, name, status, note)
			return
		}
		for _, name := range names {
			visit(append(slices.Clone(path), name))
		}
	}
	visit(nil)
	return nil
}
