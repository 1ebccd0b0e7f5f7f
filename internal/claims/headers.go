package claims

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"fairway/internal/headername"
	"fairway/internal/requesthead"
	"fairway/internal/trailers"
)

// Headers are fields that tell services what is known of a client. What the client itself
// sends under these names never reaches them, in whatever spelling (RFC 9110, section 16.3.1,
// leaves to servers which of them they take for the same).
type Headers struct{ fields []header }

type header struct{ name, claim string }

// NewHeaders makes them of the paths of claims by the names of fields.
func NewHeaders(claims map[string]string) (*Headers, error) {
	h := &Headers{}
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		if err := headername.Settable(name); err != nil {
			return nil, err
		}
		if claims[name] == "" {
			return nil, fmt.Errorf("%s: no claim is named", name)
		}
		h.fields = append(h.fields, header{headername.Plain(name), claims[name]})
	}
	for i := 1; i < len(h.fields); i++ {
		if slices.ContainsFunc(h.fields[:i], func(f header) bool { return f.name == h.fields[i].name }) {
			return nil, fmt.Errorf("%s is set twice", h.fields[i].name)
		}
	}
	return h, nil
}

// Values are the values of the fields, in their order; nil for those whose claim is not
// there. They may be kept, and used for many requests.
func (h *Headers) Values(claims map[string]any) [][]string {
	if len(h.fields) == 0 {
		return nil
	}
	values := make([][]string, len(h.fields))
	for i, f := range h.fields {
		if text, ok := fieldValue(Lookup(claims, f.claim)); ok {
			values[i] = []string{text}
		}
	}
	return values
}

// fieldValue is a claim as the value of a field. Those of a list have commas between them,
// so that a comma within one is written as %2C. What no field can have is left out.
func fieldValue(v any) (string, bool) {
	text, ok := "", false
	switch v := v.(type) {
	case nil:
	case []any:
		texts := Texts(v)
		for i := range texts {
			texts[i] = strings.ReplaceAll(texts[i], ",", "%2C")
		}
		text, ok = strings.Join(texts, ","), len(texts) > 0
	case map[string]any:
		raw, err := json.Marshal(v)
		text, ok = string(raw), err == nil
	default:
		text, ok = Text(v)
	}
	return text, ok && headername.ValidValue(text)
}

// Put replaces the fields in the head of a request by values (Clean is about its trailers); nil takes all of them away. It
// appends to undo what puts the head back.
func (h *Headers) Put(head http.Header, values [][]string, undo []requesthead.Field) []requesthead.Field {
	if len(h.fields) == 0 {
		return undo
	}
	for name := range head {
		if h.takes(name) {
			undo = append(undo, requesthead.Remove(head, name))
		}
	}
	for i, f := range h.fields {
		if values != nil && values[i] != nil {
			undo = append(undo, requesthead.SetNew(head, f.name, values[i])) // what there was is gone
		}
	}
	return undo
}

// Clean returns the request to go on with, in whose trailers the fields do not come either.
func (h *Headers) Clean(r *http.Request) *http.Request {
	if len(h.fields) == 0 || !trailers.MayHave(r) { // asked here as well: h.takes has to be allocated
		return r
	}
	return trailers.Without(r, h.takes)
}

// takes tells whether a server may take a name for one of the fields.
func (h *Headers) takes(name string) bool {
	for i := range h.fields {
		if f := &h.fields[i]; len(f.name) == len(name) && (f.name == name || headername.Plain(name) == f.name) {
			return true
		}
	}
	return false
}
