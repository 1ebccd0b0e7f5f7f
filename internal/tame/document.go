package tame

import (
	"context"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"strings"
	"sync"
	"text/template"
	"text/template/parse"
)

// Kind says what a template is for.
type Kind struct {
	// Name of it in errors.
	Name string
	// HTML: it is one of html/template, in which values are escaped as their place wants it.
	HTML bool
	// Most is how long the text may become, in bytes.
	Most int64
	// Ranged is called with every range, and how many there are around it. nil: ranges go through anything, a million
	// times together.
	Ranged func(n *parse.RangeNode, depth int) error
}

// Document is a template that writes a text: one of Go (text/template), or of HTML (html/template).
type Document struct {
	text  string
	kind  Kind
	paths []Path
	ready sync.Pool // of *instance: functions are those of one execution at a time
}

// instance is the template with the budget of its functions.
type instance struct {
	*budget
	template interface {
		Execute(w io.Writer, data any) error
	}
	root parse.Node
}

// New reads a template.
func New(text string, kind Kind) (*Document, error) {
	d := &Document{text: text, kind: kind}
	first, err := d.instance()
	if err != nil {
		return nil, err
	}
	d.paths = Paths(first.root)
	d.ready.Put(first)
	return d, d.escape()
}

// Paths are the names that it has from the top of its values, as far as that can be told from its text.
func (d *Document) Paths() []Path { return d.paths }

// instance reads the text once more.
func (d *Document) instance() (*instance, error) {
	in := &instance{budget: &budget{}}
	functions := in.functions()
	if d.kind.HTML {
		t, err := htmltemplate.New(d.kind.Name).Option("missingkey=zero").Funcs(functions).Parse(d.text)
		if err != nil {
			return nil, err
		}
		in.template, in.root = t, t.Tree.Root
	} else {
		t, err := template.New(d.kind.Name).Option("missingkey=zero").Funcs(functions).Parse(d.text)
		if err != nil {
			return nil, err
		}
		in.template, in.root = t, t.Root
	}
	return in, Check(in.root, d.ranged)
}

// deepest is how deep ranges go in HTML: html/template looks at what is in each of them twice.
const deepest = 4

func (d *Document) ranged(n *parse.RangeNode, depth int) error {
	if d.kind.Ranged != nil {
		return d.kind.Ranged(n, depth)
	}
	if d.kind.HTML && depth >= deepest {
		return fmt.Errorf("line %d: ranges in ranges go %d deep and no deeper", n.Line, deepest)
	}
	n.List.Nodes = append([]parse.Node{counting.Root.Nodes[0].Copy()}, n.List.Nodes...)
	return nil
}

// counting is what is put into every range. It writes nothing, which in HTML would be escaped.
var counting = template.Must(template.New("counting").Funcs((&budget{}).functions()).Parse("{{if turn}}{{end}}"))

// escape looks whether values can be escaped where they stand, which html/template does in the first execution only.
func (d *Document) escape() error {
	if !d.kind.HTML {
		return nil
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel() // nothing has to be written
	var bad *htmltemplate.Error
	if _, err := d.Write(gone, nil); errors.As(err, &bad) {
		return err
	}
	return nil
}

// Write writes the text about data.
func (d *Document) Write(ctx context.Context, data any) ([]byte, error) {
	in, _ := d.ready.Get().(*instance)
	if in == nil {
		var err error
		if in, err = d.instance(); err != nil {
			return nil, err // it was read before
		}
	}
	*in.budget = budget{ctx: ctx}
	out := &Writer{Most: d.kind.Most}
	err := in.template.Execute(out, data)
	*in.budget = budget{}
	d.ready.Put(in)
	if err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Mentions tells whether what stands in braces has a word, be it a name or a part of a text.
func (d *Document) Mentions(word string) bool {
	for rest := d.text; ; {
		_, after, found := strings.Cut(rest, "{{")
		if !found {
			return false
		}
		inner, behind, _ := strings.Cut(after, "}}")
		if strings.Contains(inner, word) {
			return true
		}
		rest = behind
	}
}
