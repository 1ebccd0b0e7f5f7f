package transform

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"fairway/internal/answer"
	"fairway/internal/holdback"
	"fairway/internal/record"
	"fairway/internal/responsehead"
)

// held is the response of a service. One that is changed is held back until it is whole; others pass
// as they come.
type held struct {
	*responseChange
	*holdback.Writer
	client  http.ResponseWriter
	request *http.Request
	values  *values
}

// serveHeld serves a request whose response may be another one.
func (h *handler) serveHeld(w http.ResponseWriter, r *http.Request, v *values) {
	if h.response.body != nil {
		r = holdback.Plain(r)
		if h.response.body.from.stream() {
			h.serveStreamed(w, r, v)
			return
		}
	}
	out := &held{responseChange: h.response, client: w, request: r, values: v}
	out.Writer = holdback.New(w, holdback.Rules{Hold: out.changes, Most: h.most, Passing: func(head responsehead.Head) {
		if h.response.when == nil { // else it is not one of those
			h.response.headers.edit(head, v)
		}
	}})
	h.next.ServeHTTP(out.Writer, r)
	if out.Held() {
		out.send()
	}
}

// changes tells whether the response is one that is changed. Streams and calls by gRPC are none, and
// neither is the gateway's own answer that something has failed.
func (w *held) changes(status int, contentType string) bool {
	if w.when != nil && !w.when.Has(status) || status == http.StatusSwitchingProtocols {
		return false
	}
	if rec := record.From(w.request.Context()); rec != nil && rec.Cause != "" {
		return false
	}
	return !strings.HasPrefix(contentType, "text/event-stream") && !strings.HasPrefix(contentType, "application/grpc")
}

// send gives the client the changed response.
func (w *held) send() {
	rec := record.From(w.request.Context())
	text, err := w.changed()
	if err != nil {
		fail(rec, err.Error())
		answer.Refuse(w.client, w.request, http.StatusBadGateway, "transform: response: "+err.Error())
		return
	}
	status := w.Status()
	if w.status != 0 {
		status = w.status
	}
	w.Give()
	h := w.client.Header()
	w.headers.edit(responsehead.HeadOf(h, nil), w.values)
	hasBody := status != http.StatusNoContent && status != http.StatusNotModified
	delete(h, "Content-Length")
	if hasBody && (w.request.Method != http.MethodHead || w.body == nil) {
		h["Content-Length"] = []string{strconv.Itoa(len(text))}
		if w.request.Method == http.MethodHead {
			h["Content-Length"] = w.Header()["Content-Length"]
		}
	}
	w.client.WriteHeader(status)
	if hasBody && w.request.Method != http.MethodHead && len(text) > 0 {
		_, _ = w.client.Write(text)
	}
}

// changed is the body that the client gets.
func (w *held) changed() ([]byte, error) {
	c := w.body
	status := w.Status()
	body, tooLong := w.Body()
	switch {
	case tooLong:
		return nil, holdback.ErrTooLong
	case c == nil:
		return body, nil
	case w.request.Method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified:
		describe(w.Header(), c)
		return nil, nil
	}
	if encoding := w.Header().Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, errors.New("the service has encoded the body (" + encoding + "), although it was not asked to")
	}
	text, err := c.make(w.request.Context(), body, w.values.variables(status, w.Header()))
	if err != nil {
		return nil, err
	}
	describe(w.Header(), c)
	return text, nil
}

// describe has a head be that of the new body: what was said of the old one's bytes is not true.
func describe(h http.Header, c *bodyChange) {
	for _, name := range []string{"Content-Encoding", "Content-Md5", "Content-Digest", "Repr-Digest", "Digest", "Etag", "Accept-Ranges", "Content-Range", "Trailer"} {
		delete(h, name)
	}
	h["Content-Type"] = []string{c.to.mediaType()}
}
