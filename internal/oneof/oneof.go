// Package oneof reads catalogs: structs with one pointer field per kind, of which
// exactly one is set. A catalog is all the registration that a kind needs.
package oneof

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// ErrNone is returned for a catalog without any kind set.
var ErrNone = errors.New("no type is given")

// Of returns the only set field of a catalog (a pointer to a struct): its name as
// an operator writes it, and its value.
func Of(catalog any) (name string, value any, err error) {
	v := reflect.ValueOf(catalog).Elem()
	var names []string
	for i := range v.NumField() {
		field := v.Field(i)
		if field.Kind() != reflect.Pointer || field.IsNil() {
			continue
		}
		names = append(names, Key(v.Type().Field(i)))
		value = field.Interface()
	}
	switch len(names) {
	case 0:
		return "", nil, ErrNone
	case 1:
		return names[0], value, nil
	default:
		return "", nil, fmt.Errorf("several types are given, %s: one name has one type", strings.Join(names, " and "))
	}
}

// Key is the name of a field as an operator writes it: its JSON name, else its
// Go name.
func Key(f reflect.StructField) string {
	if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag != "" && tag != "-" {
		return tag
	}
	return f.Name
}
