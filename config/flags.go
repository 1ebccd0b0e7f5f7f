package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/traefik/paerser/types"
)

// readFlags takes options from the command line: --name=value, --name value, and
// --name alone for switches and sections. Names are read without regard to case;
// a list may be given in several flags. file is the value of --configFile.
//
// A flag that is not known here may be one of Traefik's that takes no value: it
// is never allowed to swallow the flag behind it.
func readFlags(args []string) (keys map[string]string, file string, err error) {
	keys = map[string]string{}
	spelling := map[string]string{}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		name, ok := strings.CutPrefix(arg, "-")
		name = strings.TrimPrefix(name, "-")
		if !ok || name == "" {
			return nil, "", fmt.Errorf("unexpected argument %q: options are written --name=value", arg)
		}
		name, value, given := strings.Cut(name, "=")
		kind := optionKind(reflect.TypeFor[Configuration](), strings.Split(name, "."))
		if strings.EqualFold(name, "configfile") {
			kind = reflect.String
		}
		switch {
		case given:
		case len(args) > 0 && !strings.HasPrefix(args[0], "-") && kind != reflect.Bool && kind != reflect.Struct:
			value, args = args[0], args[1:]
		case kind == reflect.String || kind == reflect.Int64 || kind == reflect.Int || kind == reflect.Slice:
			return nil, "", fmt.Errorf("option --%s needs a value", name)
		default:
			value = "true"
		}
		lower := strings.ToLower(name)
		if lower == "configfile" {
			file = value
			continue
		}
		first, again := spelling[lower]
		if !again {
			spelling[lower], keys[name] = name, value
		} else if kind == reflect.Slice {
			keys[first] += "," + value
		} else {
			keys[first] = value
		}
	}
	return keys, file, nil
}

// optionKind finds the kind of the option at path below t; Invalid when there is
// none. A pointer to a struct is a Struct.
func optionKind(t reflect.Type, path []string) reflect.Kind {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if len(path) == 0 {
		if t == reflect.TypeFor[types.Duration]() {
			return reflect.String
		}
		return t.Kind()
	}
	switch t.Kind() {
	case reflect.Map:
		return optionKind(t.Elem(), path[1:])
	case reflect.Struct:
		for f := range t.Fields() {
			if strings.EqualFold(f.Name, path[0]) {
				return optionKind(f.Type, path[1:])
			}
		}
	}
	return reflect.Invalid
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

const flagPrefix = "flag "

// flagSource tells the flag of a key.
func flagSource(keys map[string]string) func(key string) string {
	spelling := make(map[string]string, len(keys))
	for key := range keys {
		spelling[strings.ToLower(key)] = key
	}
	return func(key string) string {
		if name, ok := spelling[strings.ToLower(key)]; ok {
			return flagPrefix + "--" + name
		}
		return ""
	}
}
