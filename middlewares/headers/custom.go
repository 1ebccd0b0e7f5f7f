package headers

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"fairway/internal/requesthead"
	"fairway/internal/responsehead"
)

const forwardedFor = "X-Forwarded-For"

// edit sets one header, or removes it when there are no values. They are shared by all
// messages.
type edit struct {
	name   string
	values []string
}

// newEdit removes the header when the value is empty.
func newEdit(name, value string) edit {
	if value == "" {
		return edit{name: name}
	}
	return edit{name, []string{value}}
}

// edits puts the operator's map into a fixed order, so that two spellings of one
// name always give the same result.
func edits(values map[string]string) []edit {
	list := make([]edit, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list = append(list, newEdit(http.CanonicalHeaderKey(name), values[name]))
	}
	return list
}

// requestEdits sets the host aside: Go keeps it out of the header map.
func requestEdits(values map[string]string) (list []edit, host string) {
	for _, e := range edits(values) {
		if e.name == "Host" {
			host = strings.Join(e.values, "")
			continue
		}
		list = append(list, e)
	}
	return list, strings.TrimSpace(host)
}

func apply(header responsehead.Head, list []edit) {
	for _, e := range list {
		if e.values == nil {
			header.Del(e.name)
		} else {
			header.Put(e.name, e.values)
		}
	}
}

// forHost returns r, or a copy of it that asks for the operator's host.
func (h *handler) forHost(r *http.Request) *http.Request {
	if h.host == "" {
		return r
	}
	r2 := new(http.Request)
	*r2 = *r
	r2.Host = h.host
	return r2
}

// editRequest edits the headers of a request for the time that it is served further
// in. The caller puts back what was there.
func (h *handler) editRequest(header http.Header, was []requesthead.Field) []requesthead.Field {
	for _, e := range h.request {
		switch {
		case e.values == nil && e.name != forwardedFor:
			was = append(was, requesthead.Remove(header, e.name))
		default: // X-Forwarded-For without values: by Go's convention the forwarder adds none
			was = append(was, requesthead.Set(header, e.name, e.values))
		}
	}
	return was
}

func putBack(was []requesthead.Field) {
	for _, wa := range slices.Backward(was) {
		wa.PutBack()
	}
}
