// Package fieldset has the fields of an answer that a client asks for, as in ?fields=id,user.name: sparse
// fieldsets. Names are those of members with dots between them; what a name stands for comes as a whole; lists
// are gone through.
package fieldset

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"fairway/internal/nearest"
)

// Set is the members that are wanted, and what of each: nil, or an empty one, is all of it.
type Set map[string]Set

const (
	mostNames = 256
	deepest   = 16
)

// Parse reads names with commas between them. Empty ones count for nothing; nil: there are none.
func Parse(names ...string) (Set, error) {
	var s Set
	count := 0
	for _, text := range names {
		for name := range strings.SplitSeq(text, ",") {
			if name = strings.TrimSpace(name); name == "" {
				continue
			}
			if count++; count > mostNames {
				return nil, fmt.Errorf("there are more than %d names", mostNames)
			}
			steps := strings.Split(name, ".")
			if slices.Contains(steps, "") || len(steps) > deepest {
				return nil, fmt.Errorf("%q: a name is empty, or there are more than %d", shortened(name), deepest)
			}
			if s == nil {
				s = Set{}
			}
			s.add(steps)
		}
	}
	return s, nil
}

// shortened is a text of a client, for messages.
func shortened(name string) string {
	if len(name) > 64 {
		return strings.ToValidUTF8(name[:64], "") + "…"
	}
	return name
}

// add adds a name; what is wanted as a whole stays so.
func (s Set) add(steps []string) {
	inner, has := s[steps[0]]
	switch {
	case has && len(inner) == 0:
	case len(steps) == 1:
		s[steps[0]] = nil
	default:
		if inner == nil {
			inner = Set{}
			s[steps[0]] = inner
		}
		inner.add(steps[1:])
	}
}

// Within returns what of s there is in allowed; an error: s has a name that it has not. Whoever asks for more of a
// member than is allowed gets what is.
func (s Set) Within(allowed Set) (Set, error) { return s.within(allowed, nil) }

func (s Set) within(allowed Set, way []string) (Set, error) {
	switch {
	case len(allowed) == 0:
		return s, nil
	case len(s) == 0:
		return allowed, nil
	}
	out := make(Set, len(s))
	for _, name := range slices.Sorted(maps.Keys(s)) {
		inner, has := allowed[name]
		if !has {
			return nil, unknown(strings.Join(append(slices.Clone(way), name), "."), name, slices.Sorted(maps.Keys(allowed)))
		}
		var err error
		if out[name], err = s[name].within(inner, append(way, name)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func unknown(whole, name string, known []string) error {
	if meant := nearest.Name(name, known); meant != "" {
		return fmt.Errorf("there is no field %q; did you mean %q?", shortened(whole), meant)
	}
	return fmt.Errorf("there is no field %q", shortened(whole))
}

// Has tells whether something below a place is wanted.
func (s Set) Has(place []string) bool {
	for _, name := range place {
		if len(s) == 0 {
			return true
		}
		inner, has := s[name]
		if !has {
			return false
		}
		s = inner
	}
	return true
}

// Of is what is wanted of a value of JSON, which stays as it is.
func (s Set) Of(v any) any {
	if len(s) == 0 {
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(s))
		for name, inner := range s {
			if member, has := v[name]; has {
				out[name] = inner.Of(member)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = s.Of(v[i])
		}
		return out
	}
	return v
}

// String is the names, in order.
func (s Set) String() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if len(s[name]) == 0 {
			all = append(all, name)
			continue
		}
		for inner := range strings.SplitSeq(s[name].String(), ",") {
			all = append(all, name+"."+inner)
		}
	}
	return strings.Join(all, ",")
}
