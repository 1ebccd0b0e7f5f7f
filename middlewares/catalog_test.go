package middlewares_test

import (
	"reflect"
	"testing"

	"fairway/config/dynamic"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

// twins are deprecated names of a middleware that the catalog has under its own
// name as well.
var twins = map[string]string{"IPWhiteList": "IPAllowList"}

// TestCatalog holds every middleware of the catalog to the same promises. A new
// field there is a new row here.
func TestCatalog(t *testing.T) {
	for f := range reflect.TypeFor[dynamic.Middleware]().Fields() {
		t.Run(f.Name, func(t *testing.T) {
			if f.Type.Kind() != reflect.Pointer {
				t.Fatalf("the field is %s, want a pointer", f.Type)
			}
			cfg, ok := reflect.TypeAssert[middlewares.Config](reflect.New(f.Type.Elem()))
			if !ok {
				t.Fatalf("%s is no middlewares.Config", f.Type)
			}
			name := f.Name
			if own, ok := twins[name]; ok {
				name = own
			}
			middlewarestest.Conform(t, name, cfg)
		})
	}
}
