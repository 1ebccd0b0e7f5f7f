// Package decode fills config structs from trees of keys, whichever way the keys
// came in: container labels, a YAML, TOML or JSON file, the environment, flags.
//
// paerser does the filling. It gives up on the first key it does not know, for
// the whole tree; here the tree is first compared with the type, what does not
// fit is taken out and returned as a Fault with the nearest right name, and the
// rest is filled. So one mistake never costs more than itself.
package decode

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/traefik/paerser/parser"
)

// A Fault is one key that could not be used, or (Deprecated) should not be.
type Fault struct {
	Path    string // the key as the operator wrote it, without the root: "http.routers.web.entrypoint"
	Source  string // where the key was written, as in "flag --log.levle", or the file; may be empty
	Line    int    // line in the file, from 1; 0 when unknown
	Kind    FaultKind
	Reason  string // what is wrong, for the operator
	Nearest string // the right key that was probably meant, without the root; may be empty
}

// FaultKind tells faults apart where they are treated differently.
type FaultKind int

const (
	Unknown    FaultKind = iota // no option of this name
	BadValue                    // the option exists, the value does not fit
	NotYet                      // an option of Traefik's that fairway does not have yet
	NotHere                     // an option that this source (a label) may not set
	Twice                       // a key that is there already; the first one stays
	Deprecated                  // an option that is used, though there is something better
)

func (f Fault) Error() string {
	s := f.Path
	switch {
	case f.Source != "" && f.Line > 0:
		s = fmt.Sprintf("%s:%d", f.Source, f.Line)
		if f.Path != "" {
			s += ": option " + f.Path
		}
	case f.Source != "":
		s = f.Source
	}
	s += ": " + f.Reason
	if f.Nearest != "" {
		s += fmt.Sprintf(" (did you mean %q?)", f.Nearest)
	}
	return s
}

// Dialect is the difference between the sources of a tree.
type Dialect struct {
	tag           string // struct tag that names exceptions: "label" or "file"
	sliceAsStruct bool   // labels write the one server as "server.port"
	separator     string // between the elements of a plain list
}

// The two dialects: Flat for labels, flags and environment; File for documents.
var (
	Flat = Dialect{tag: parser.TagLabel, sliceAsStruct: true, separator: ","}
	File = Dialect{tag: parser.TagFile, separator: listMark}
)

// listMark separates list elements in nodes that come from files, as paerser's
// own file reader does, so that a comma inside an element survives.
const listMark = "║"

// A Tree is keys waiting to be decoded.
type Tree struct {
	Root    *parser.Node // nil when there are no keys
	Dialect Dialect
	lines   map[*parser.Node]int
	sources map[*parser.Node]string // of those that come from no document
	nulls   map[*parser.Node]bool   // keys of a document without any value
	faults  []Fault                 // found while reading
	text    string                  // of a document that records no lines
}

// Into fills element, a pointer to a struct, with what fits of the tree, and
// returns what does not. later tells whether an unknown key (lower case, without
// the root) is a known option that fairway does not have yet; it may be nil.
// The tree is used up.
func (t Tree) Into(element any, later func(path string) bool) (faults []Fault) {
	if t.Root == nil {
		return nil
	}
	// paerser panics on some trees that no rule of its own forbids. The pruning
	// below is meant to catch all of them; an operator's typo must not stop the
	// program if it does not.
	defer func() {
		if p := recover(); p != nil {
			faults = append(faults, Fault{Kind: BadValue, Reason: fmt.Sprintf("cannot be decoded: %v", p)})
		}
	}()
	p := pruner{dialect: t.Dialect, tree: t, later: later, faults: slices.Clone(t.faults)}
	p.children(reflect.TypeOf(element), t.Root, "")
	if len(t.Root.Children) == 0 {
		return p.faults
	}
	if err := t.fill(element); err != nil {
		p.faults = append(p.faults, Fault{Kind: BadValue, Reason: err.Error()})
	}
	return p.faults
}

func (t Tree) fill(element any) error {
	err := parser.AddMetadata(element, t.Root, parser.MetadataOpts{
		TagName: t.Dialect.tag, AllowSliceAsStruct: t.Dialect.sliceAsStruct,
	})
	if err != nil {
		return fmt.Errorf("match keys with options: %w", err)
	}
	err = parser.Fill(element, t.Root, parser.FillerOpts{
		AllowSliceAsStruct: t.Dialect.sliceAsStruct, RawSliceSeparator: t.Dialect.separator,
	})
	if err != nil {
		return fmt.Errorf("fill options: %w", err)
	}
	return nil
}

// Join makes one error of faults, or nil when there are none.
func Join(faults []Fault) error {
	errs := make([]error, len(faults))
	for i, f := range faults {
		errs[i] = f
	}
	return errors.Join(errs...)
}
