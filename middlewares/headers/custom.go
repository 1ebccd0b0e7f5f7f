package headers

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

const forwardedFor = "X-Forwarded-For"

// edit sets one header, or removes it when value is empty.
type edit struct{ name, value string }

// edits puts the operator's map into a fixed order, so that two spellings of one
// name always give the same result.
func edits(values map[string]string) []edit {
	list := make([]edit, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list = append(list, edit{http.CanonicalHeaderKey(name), values[name]})
	}
	return list
}

// requestEdits sets the host aside: Go keeps it out of the header map.
func requestEdits(values map[string]string) (list []edit, host string) {
	for _, e := range edits(values) {
		if e.name == "Host" {
			host = e.value
			continue
		}
		list = append(list, e)
	}
	return list, strings.TrimSpace(host)
}

func apply(header http.Header, list []edit) {
	for _, e := range list {
		if e.value == "" {
			delete(header, e.name)
		} else {
			header[e.name] = []string{e.value}
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
		r2.Header = r.Header.Clone()
		apply(r2.Header, h.request)
		h.keepForwardedForOut(r2.Header)
	}
	return r2
}

// keepForwardedForOut leaves a nil entry when the operator removes
// X-Forwarded-For: by Go's convention the forwarder then does not add one either.
func (h *handler) keepForwardedForOut(header http.Header) {
	if slices.Contains(h.request, edit{forwardedFor, ""}) {
		header[forwardedFor] = nil
	}
}
