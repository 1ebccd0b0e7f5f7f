// Package requesthead edits the header map of a request in its place, for the time
// that the request is served further in. A copy of the map would cost more than all the
// rest of most middlewares.
package requesthead

import (
	"net/http"
	"slices"
)

// Field is what a header map said under a name.
type Field struct {
	header http.Header
	name   string
	values []string
	had    bool
}

// Set makes values, which nobody changes any more, all that h says under a name in
// canonical form.
func Set(h http.Header, name string, values []string) Field {
	f := fieldOf(h, name)
	h[name] = values
	return f
}

// SetNew is Set for a name that h says nothing under.
func SetNew(h http.Header, name string, values []string) Field {
	h[name] = values
	return Field{header: h, name: name}
}

// Add adds a value to those that h has.
func Add(h http.Header, name, value string) Field {
	f := fieldOf(h, name)
	h[name] = append(slices.Clip(f.values), value)
	return f
}

// Remove takes all that h says under a name away.
func Remove(h http.Header, name string) Field {
	f := fieldOf(h, name)
	delete(h, name)
	return f
}

func fieldOf(h http.Header, name string) Field {
	values, had := h[name]
	return Field{header: h, name: name, values: values, had: had}
}

// PutBack makes the map say what it said.
func (f Field) PutBack() {
	if f.had {
		f.header[f.name] = f.values
	} else {
		delete(f.header, f.name)
	}
}
