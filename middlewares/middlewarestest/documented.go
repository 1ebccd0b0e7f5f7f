package middlewarestest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// documented checks the manual: the package and every option of typ, and of the
// types of this module that typ holds, have a comment; options are spelled in JSON
// as in Go, but for the case.
func documented(t *testing.T, module string, typ reflect.Type, seen map[reflect.Type]bool) {
	t.Helper()
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || !strings.HasPrefix(typ.PkgPath(), "fairway/") || seen[typ] {
		return
	}
	seen[typ] = true
	packageDoc, fieldDocs := readDocs(t, filepath.Join(module, strings.TrimPrefix(typ.PkgPath(), "fairway/")), typ.Name())
	if packageDoc == "" {
		t.Errorf("package %s has no comment", typ.PkgPath())
	}
	for f := range typ.Fields() {
		if !f.IsExported() {
			continue
		}
		if fieldDocs[f.Name] == "" {
			t.Errorf("%s.%s has no comment", typ, f.Name)
		}
		option, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !strings.EqualFold(option, f.Name) || option[:1] != strings.ToLower(option[:1]) || !strings.Contains(rest, "omitempty") {
			t.Errorf("%s.%s has the tag json:%q", typ, f.Name, f.Tag.Get("json"))
		}
		if _, tagged := f.Tag.Lookup("deprecated"); tagged != strings.HasPrefix(fieldDocs[f.Name], "Deprecated:") {
			t.Errorf("%s.%s: the comment and the tag do not agree whether it is deprecated", typ, f.Name)
		}
		documented(t, module, f.Type, seen)
	}
}

// readDocs returns the comment of the package in dir and those of the fields of one
// of its struct types.
func readDocs(t *testing.T, dir, typeName string) (packageDoc string, fieldDocs map[string]string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	fieldDocs = map[string]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		packageDoc += file.Doc.Text()
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || spec.Name.Name != typeName {
				return true
			}
			if st, ok := spec.Type.(*ast.StructType); ok {
				collect(st, fieldDocs)
			}
			return false
		})
	}
	return packageDoc, fieldDocs
}

func collect(st *ast.StructType, docs map[string]string) {
	for _, field := range st.Fields.List {
		for _, name := range field.Names {
			docs[name.Name] = field.Doc.Text()
		}
	}
}
