package headers

import (
	"maps"
	"net/http"
	"slices"
	"strings"

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

// editRequest returns a copy of r with the operator's headers.
func (h *handler) editRequest(r *http.Request) *http.Request {
	if len(h.request) == 0 && h.host == "" {
		return r
	}
	r2 := new(http.Request)
	*r2 = *r
	if h.host != "" {
		r2.Host = h.host
	}
	if len(h.request) > 0 {
		r2.Header = maps.Clone(r.Header) // the values are shared: none is changed in its place
		apply(responsehead.HeadOf(r2.Header, nil), h.request)
		h.keepForwardedForOut(r2.Header)
	}
	return r2
}

// keepForwardedForOut leaves a nil entry when the operator removes
// X-Forwarded-For: by Go's convention the forwarder then does not add one either.
func (h *handler) keepForwardedForOut(header http.Header) {
	for _, e := range h.request {
		if e.name == forwardedFor && e.values == nil {
			header[forwardedFor] = nil
		}
	}
}
