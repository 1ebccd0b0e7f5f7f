package validate

import (
	"net/http"
	"strconv"
	"strings"

	"fairway/internal/openapi"
	"fairway/internal/schema"
)

// serveContract compares a request, and its response, with the operation of the document.
func (h *handler) serveContract(w http.ResponseWriter, r *http.Request) {
	doc := h.contract.current()
	if doc == nil {
		h.counts.missed.Add(1)
		h.next.ServeHTTP(w, r)
		return
	}
	m, methods := doc.Find(r)
	if m == nil {
		if h.mayPass(w, r, methods) {
			h.next.ServeHTTP(w, r)
		}
		return
	}
	if h.contract.requests {
		h.counts.requests.Add(1)
		out, ok := h.checkOperation(w, r, m)
		if !ok {
			return
		}
		r = out
	}
	if !h.contract.responses || r.Method == http.MethodHead {
		h.next.ServeHTTP(w, r)
		return
	}
	h.serveHeld(w, r, &expectedOf{m, h})
}

// mayPass tells it of a request for which there is no operation, and answers it if not.
func (h *handler) mayPass(w http.ResponseWriter, r *http.Request, methods []string) bool {
	preflight := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" && len(methods) > 0
	if h.contract.passUnknown || !h.contract.requests || preflight {
		return true
	}
	h.counts.requests.Add(1)
	h.counts.badRequests.Add(1)
	if len(methods) > 0 {
		if !h.report {
			w.Header().Set("Allow", strings.Join(methods, ", ")) // RFC 9110, section 15.5.6
		}
		return h.refuse(w, r, http.StatusMethodNotAllowed, []schema.Violation{{Detail: "the path has no such method", In: "path"}})
	}
	return h.refuse(w, r, http.StatusNotFound, []schema.Violation{{Detail: "there is no such path", In: "path"}})
}

// checkOperation compares a request with its operation, and gives back one that has its body still.
func (h *handler) checkOperation(w http.ResponseWriter, r *http.Request, m *openapi.Match) (*http.Request, bool) {
	found, status := m.Parameters(r), http.StatusBadRequest
	kind, expected := r.Header.Get("Content-Type"), m.Body()
	hasBody := r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
	switch {
	case expected == nil:
	case !hasBody && expected.Required:
		found = append(found, schema.Violation{Detail: "a body is required"})
	case hasBody && len(expected.Content) > 0:
		media := expected.Of(kind)
		if media == nil {
			status = http.StatusUnsupportedMediaType
			found = append(found, schema.Violation{Detail: "is none of the types that a body may have", In: "header", Name: "Content-Type"})
			break
		}
		if !media.Looks(kind) {
			break
		}
		out, text, ok := h.withBody(w, r)
		if !ok {
			return nil, false
		}
		wrong := media.Check(kind, text)
		if len(found) == 0 {
			status = http.StatusUnprocessableEntity
		}
		found, r = append(found, wrong...), out
	}
	if len(found) > 0 {
		h.counts.badRequests.Add(1)
		return r, h.refuse(w, r, status, found)
	}
	return r, true
}

// expectedOf is what the response of an operation has to be.
type expectedOf struct {
	match *openapi.Match
	*handler
}

func (e *expectedOf) readable() bool { return e.match.Readable() }

// holds tells whether a response has to be looked at before the client gets it. Errors of which the document has
// nothing are those of the service; parts of what is there, and streams, are never held.
func (e *expectedOf) holds(status int, kind string) bool {
	response := e.match.Response(status)
	switch {
	case status == http.StatusNotModified || status == http.StatusPartialContent || status == http.StatusSwitchingProtocols || strings.HasPrefix(kind, "text/event-stream") || strings.HasPrefix(kind, "application/grpc"):
		return false
	case response == nil:
		return status < 400
	case len(response.Content) == 0:
		return response.HasHeaders()
	case kind == "":
		return false
	}
	media := response.Of(kind)
	return media == nil || media.Looks(kind)
}

// head finds what is wrong that can be told without the body.
func (e *expectedOf) head(status int, head http.Header) (found []schema.Violation, whole bool) {
	response := e.match.Response(status)
	if response == nil {
		return []schema.Violation{{Detail: "the document has no response " + strconv.Itoa(status)}}, false
	}
	found = response.Headers(head)
	kind := head.Get("Content-Type")
	if len(response.Content) > 0 && response.Of(kind) == nil {
		found = append(found, schema.Violation{Detail: "is none of the types that the document has", In: "header", Name: "Content-Type"})
	}
	return found, len(response.Content) > 0 && response.Of(kind).Looks(kind)
}

// body finds what is wrong with a body.
func (e *expectedOf) body(status int, kind string, text []byte) []schema.Violation {
	return e.match.Response(status).Of(kind).Check(kind, text)
}
