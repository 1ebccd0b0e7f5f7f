package errors

import (
	"maps"
	"net/http"
)

// snapshot is the request as it came. The header map of the request itself is edited in
// its place further in, while the response is decided about: what the middlewares there
// put in for their service, as a password, is not for the one that has the pages.
//
// Every request needs one, for few of them to be looked at in the end, so that they are
// used again.
type snapshot struct {
	request http.Request
	header  http.Header
}

func (h *handler) keep(r *http.Request) *snapshot {
	s, ok := h.snapshots.Get().(*snapshot)
	if !ok {
		s = &snapshot{header: make(http.Header, len(r.Header))}
	}
	maps.Copy(s.header, r.Header)
	s.request = *r
	s.request.Header = s.header
	return s
}

func (h *handler) forget(s *snapshot) {
	s.request = http.Request{}
	clear(s.header)
	h.snapshots.Put(s)
}
