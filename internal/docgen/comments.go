package main

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
)

// modulePath is the import path of the module, with its slash.
const modulePath = "fairway/"

// comments are the doc comments of the module's packages, read when asked for.
type comments struct {
	root     string
	packages map[string]*packageComments
}

type packageComments struct {
	text   string
	types  map[string]string
	fields map[string]string // by "Type.Field"
}

func newComments(root string) *comments {
	return &comments{root: root, packages: map[string]*packageComments{}}
}

// ofPackage returns the comment of a package, without the words "Package x".
func (c *comments) ofPackage(path string) (string, error) {
	p, err := c.load(path)
	if err != nil {
		return "", err
	}
	_, text, _ := strings.Cut(strings.TrimPrefix(p.text, "Package "), " ")
	return capital(strings.TrimPrefix(text, "is ")), nil
}

// ofType returns the comment of a type, which speaks of one value of it: "A router
// chooses ...".
func (c *comments) ofType(t reflect.Type) (string, error) {
	p, err := c.load(t.PkgPath())
	if err != nil {
		return "", err
	}
	rest, ok := strings.CutPrefix(p.types[t.Name()], t.Name()+" ")
	if !ok {
		return p.types[t.Name()], nil
	}
	name := t.Name()
	if strings.ToUpper(name) != name && !strings.HasSuffix(name, "s") {
		name = "A " + strings.ToLower(name)
	}
	return name + " " + rest, nil
}

// ofField returns the comment of a field of a struct type.
func (c *comments) ofField(t reflect.Type, field string) (string, error) {
	p, err := c.load(t.PkgPath())
	if err != nil {
		return "", err
	}
	return p.fields[t.Name()+"."+field], nil
}

func (c *comments) load(path string) (*packageComments, error) {
	if p, ok := c.packages[path]; ok {
		return p, nil
	}
	rel, inside := strings.CutPrefix(path, modulePath)
	if !inside {
		return nil, fmt.Errorf("package %q is not of this module: its comments cannot be read", path)
	}
	p, err := read(filepath.Join(c.root, filepath.FromSlash(rel)), path)
	if err != nil {
		return nil, fmt.Errorf("read comments of %s: %w", path, err)
	}
	c.packages[path] = p
	return p, nil
}

func read(dir, path string) (*packageComments, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	pkg, err := doc.NewFromFiles(fset, files, path, doc.AllDecls|doc.PreserveAST)
	if err != nil {
		return nil, err
	}
	p := &packageComments{text: pkg.Doc, types: map[string]string{}, fields: map[string]string{}}
	for _, t := range pkg.Types {
		p.types[t.Name] = t.Doc
		for _, spec := range t.Decl.Specs {
			if s, ok := spec.(*ast.TypeSpec); ok && s.Name.Name == t.Name {
				p.readFields(s)
			}
		}
	}
	return p, nil
}

// readFields takes the comment above a field, else the one behind it.
func (p *packageComments) readFields(spec *ast.TypeSpec) {
	st, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, field := range st.Fields.List {
		text := field.Doc.Text()
		if text == "" {
			text = field.Comment.Text()
		}
		for _, name := range field.Names {
			p.fields[spec.Name.Name+"."+name.Name] = text
		}
	}
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
