package middlewarestest

import (
	"reflect"
	"strings"
	"testing"

	"github.com/traefik/paerser/parser"

	"fairway/middlewares"
)

const labelRoot = "fairway"

// decode reads labels of the form "fairway.http.middlewares.NAME.KIND.option=value"
// and returns the name and a Config of the type of empty. The kind is whatever the
// labels say; that the catalog knows it under this name is for Conform to check.
func decode(t testing.TB, text string, empty middlewares.Config) (name string, cfg middlewares.Config) {
	t.Helper()
	labels := map[string]string{}
	kind := ""
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		parts := strings.Split(key, ".")
		if !ok || len(parts) < 5 || !strings.HasPrefix(key, labelRoot+".http.middlewares.") {
			t.Fatalf("not a label of a middleware: %q", line)
		}
		labels[key] = value
		name, kind = parts[3], parts[4]
	}
	root := catalogOf(kind, reflect.TypeOf(empty))
	if err := parser.Decode(labels, root.Interface(), labelRoot); err != nil {
		t.Fatalf("decode labels: %v", err)
	}
	entry := root.Elem().FieldByName("HTTP").FieldByName("Middlewares").MapIndex(reflect.ValueOf(name))
	return name, entry.Elem().Field(0).Interface().(middlewares.Config)
}

// catalogOf returns a new *struct{ HTTP struct{ Middlewares map[string]*struct{ Kind
// config } } }: as much of the real catalog as one kind needs.
func catalogOf(kind string, config reflect.Type) reflect.Value {
	entry := structOf(strings.ToUpper(kind[:1])+kind[1:], config)
	byName := reflect.MapOf(reflect.TypeFor[string](), reflect.PointerTo(entry))
	return reflect.New(structOf("HTTP", structOf("Middlewares", byName)))
}

func structOf(field string, typ reflect.Type) reflect.Type {
	return reflect.StructOf([]reflect.StructField{{Name: field, Type: typ, Tag: `label:"allowEmpty"`}})
}
