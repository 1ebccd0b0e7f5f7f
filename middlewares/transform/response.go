package transform

import (
	"bufio"
	"bytes"
	"errors"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"

	"fairway/internal/answer"
	"fairway/internal/record"
	"fairway/internal/responsehead"
)

// held is the response of a service. One that is changed is held back until it is whole; others pass
// as they come.
type held struct {
	*responseChange
	client  http.ResponseWriter
	request *http.Request
	values  *values
	most    int64

	header  http.Header
	status  int
	passes  bool
	tooLong bool
	body    bytes.Buffer
}

// serveHeld serves a request whose response may be another one.
func (h *handler) serveHeld(w http.ResponseWriter, r *http.Request, v *values) {
	if h.response.body != nil { // what is packed, or only a part, cannot be read
		r = r.WithContext(r.Context())
		r.Header = r.Header.Clone()
		delete(r.Header, "Range")
		delete(r.Header, "If-Range")
		r.Header["Accept-Encoding"] = []string{"identity"}
	}
	out := &held{responseChange: h.response, client: w, request: r, values: v, most: h.most, header: w.Header().Clone()}
	if out.header == nil {
		out.header = http.Header{}
	}
	h.next.ServeHTTP(out, r)
	out.WriteHeader(http.StatusOK)
	if !out.passes {
		out.send()
	}
}

// Header implements http.ResponseWriter.
func (w *held) Header() http.Header {
	if w.passes {
		return w.client.Header()
	}
	return w.header
}

// Status is that of the response, or 0.
func (w *held) Status() int { return w.status }

// WriteHeader implements http.ResponseWriter. Informational responses pass.
func (w *held) WriteHeader(status int) {
	switch {
	case w.status != 0:
		return
	case status < 200 && status != http.StatusSwitchingProtocols:
		before := maps.Clone(w.client.Header())
		w.give()
		w.client.WriteHeader(status)
		clear(w.client.Header())
		maps.Copy(w.client.Header(), before)
		return
	}
	w.status = status
	if w.changes() {
		return
	}
	w.passes = true
	w.give()
	if w.when == nil || w.when.Has(status) {
		w.headers.edit(responsehead.HeadOf(w.client.Header(), nil), w.values)
	}
	w.client.WriteHeader(status)
}

// changes tells whether the response is one that is changed. Streams and calls by gRPC are none, and
// neither is the gateway's own answer that something has failed.
func (w *held) changes() bool {
	if w.when != nil && !w.when.Has(w.status) || w.status == http.StatusSwitchingProtocols {
		return false
	}
	if rec := record.From(w.request.Context()); rec != nil && rec.Cause != "" {
		return false
	}
	kind := w.header.Get("Content-Type")
	return !strings.HasPrefix(kind, "text/event-stream") && !strings.HasPrefix(kind, "application/grpc")
}

func (w *held) give() {
	below := w.client.Header()
	clear(below)
	maps.Copy(below, w.header)
}

func (w *held) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.passes {
		return w.client.Write(p)
	}
	if int64(w.body.Len()+len(p)) > w.most {
		w.tooLong = true
		return 0, errTooLong
	}
	return w.body.Write(p)
}

var errTooLong = errors.New("the response is longer than maxBodyBytes")

// FlushError is the form of Flush that http.ResponseController looks for. What is held back stays so.
func (w *held) FlushError() error {
	if w.WriteHeader(http.StatusOK); w.passes {
		return http.NewResponseController(w.client).Flush()
	}
	return nil
}

// Flush implements http.Flusher, for handlers that ask for it directly.
func (w *held) Flush() { _ = w.FlushError() }

// Hijack implements http.Hijacker.
func (w *held) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !w.passes {
		w.give()
	}
	conn, buf, err := http.NewResponseController(w.client).Hijack()
	if err == nil {
		w.status, w.passes = http.StatusSwitchingProtocols, true
	}
	return conn, buf, err
}

// Unwrap is for the rest of http.ResponseController.
func (w *held) Unwrap() http.ResponseWriter { return w.client }

// send gives the client the changed response.
func (w *held) send() {
	rec := record.From(w.request.Context())
	text, err := w.changed()
	if err != nil {
		fail(rec, err.Error())
		answer.Refuse(w.client, w.request, http.StatusBadGateway, "transform: response: "+err.Error())
		return
	}
	status := w.status
	if w.responseChange.status != 0 {
		status = w.responseChange.status
	}
	w.give()
	h := w.client.Header()
	w.headers.edit(responsehead.HeadOf(h, nil), w.values)
	hasBody := status != http.StatusNoContent && status != http.StatusNotModified
	delete(h, "Content-Length")
	if hasBody && (w.request.Method != http.MethodHead || w.responseChange.body == nil) {
		h["Content-Length"] = []string{strconv.Itoa(len(text))}
		if w.request.Method == http.MethodHead {
			h["Content-Length"] = w.header["Content-Length"]
		}
	}
	w.client.WriteHeader(status)
	if hasBody && w.request.Method != http.MethodHead && len(text) > 0 {
		_, _ = w.client.Write(text)
	}
}

// changed is the body that the client gets.
func (w *held) changed() ([]byte, error) {
	c := w.responseChange.body
	switch {
	case w.tooLong:
		return nil, errTooLong
	case c == nil:
		return w.body.Bytes(), nil
	case w.request.Method == http.MethodHead || w.status == http.StatusNoContent || w.status == http.StatusNotModified:
		w.describe(c)
		return nil, nil
	}
	if encoding := w.header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, errors.New("the service has encoded the body (" + encoding + "), although it was not asked to")
	}
	text, err := c.make(w.request.Context(), w.body.Bytes(), w.values.variables(w.status, w.header))
	if err != nil {
		return nil, err
	}
	w.describe(c)
	return text, nil
}

// describe has the head be that of the new body: what was said of the old one's bytes is not true.
func (w *held) describe(c *bodyChange) {
	for _, name := range []string{"Content-Encoding", "Content-Md5", "Content-Digest", "Repr-Digest", "Digest", "Etag", "Accept-Ranges", "Content-Range", "Trailer"} {
		delete(w.header, name)
	}
	w.header["Content-Type"] = []string{c.to.mediaType()}
}
