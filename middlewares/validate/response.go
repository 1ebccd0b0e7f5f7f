package validate

import (
	"bufio"
	"bytes"
	"errors"
	"maps"
	"net"
	"net/http"

	"fairway/internal/answer"
	"fairway/internal/record"
	"fairway/internal/responsehead"
)

// held is the response of a service. JSON is held back until it was looked at; all else passes.
type held struct {
	*handler
	client  http.ResponseWriter
	request *http.Request

	header  http.Header
	status  int
	passes  bool
	tooLong bool
	body    bytes.Buffer
}

func (h *handler) serveHeld(w http.ResponseWriter, r *http.Request) {
	r = r.WithContext(r.Context())
	r.Header = r.Header.Clone()
	delete(r.Header, "Range")
	delete(r.Header, "If-Range")
	r.Header["Accept-Encoding"] = []string{"identity"} // what is packed cannot be read
	out := &held{handler: h, client: w, request: r, header: w.Header().Clone()}
	if out.header == nil {
		out.header = http.Header{}
	}
	h.next.ServeHTTP(out, r)
	if out.WriteHeader(http.StatusOK); !out.passes {
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

// Forward implements responsehead.Forwarder: what is not looked at is sent on as it came.
func (w *held) Forward(r responsehead.Received) error {
	if w.status != 0 || w.looksAt(r.StatusCode(), r.Get("Content-Type")) {
		return responsehead.ErrInParts
	}
	w.give()
	err := responsehead.Forward(w.client, r)
	if !errors.Is(err, responsehead.ErrInParts) {
		w.status, w.passes = r.StatusCode(), true
	}
	return err
}

// looksAt tells whether a response is looked at: JSON of the service that says that all went well.
func (w *held) looksAt(status int, contentType string) bool {
	if rec := record.From(w.request.Context()); rec != nil && rec.Cause != "" {
		return false
	}
	return status >= 200 && status < 300 && status != http.StatusNoContent && w.request.Method != http.MethodHead && (isJSON(contentType) || w.response.required)
}

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
	if w.looksAt(status, w.header.Get("Content-Type")) {
		return
	}
	w.passes = true
	w.give()
	w.client.WriteHeader(status)
}

func (w *held) give() {
	below := w.client.Header()
	clear(below)
	maps.Copy(below, w.header)
}

func (w *held) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	switch {
	case w.passes:
		return w.client.Write(p)
	case w.tooLong || int64(w.body.Len()+len(p)) > w.most:
		return w.overflow(p)
	}
	return w.body.Write(p)
}

var errTooLong = errors.New("the response is longer than maxBodyBytes")

// overflow is for what is too long to be looked at: where that is only reported it passes.
func (w *held) overflow(p []byte) (int, error) {
	w.tooLong = true
	if !w.report {
		return 0, errTooLong
	}
	w.passes = true
	w.counts.responses.Add(1)
	w.counts.badResponses.Add(1)
	w.note("response", w.request, []violation{{Detail: errTooLong.Error()}})
	w.give()
	w.client.WriteHeader(w.status)
	if _, err := w.client.Write(w.body.Bytes()); err != nil {
		return 0, err
	}
	return w.client.Write(p)
}

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

// send gives the client the response, if it is as it should be.
func (w *held) send() {
	w.counts.responses.Add(1)
	var found []violation
	switch encoding := w.header.Get("Content-Encoding"); {
	case w.tooLong:
		found = []violation{{Detail: errTooLong.Error()}}
	case encoding != "" && encoding != "identity":
		found = []violation{{Detail: "the service has encoded the body, although it was not asked to"}}
	case !isJSON(w.header.Get("Content-Type")):
		found = []violation{{Detail: "a body of JSON is required"}}
	default:
		found = w.response.check(w.body.Bytes())
	}
	if len(found) > 0 {
		w.counts.badResponses.Add(1)
		if !w.report {
			answer.Refuse(w.client, w.request, http.StatusBadGateway, "validate: response: "+found[0].String())
			return
		}
		w.note("response", w.request, found)
	}
	w.give()
	w.client.WriteHeader(w.status)
	_, _ = w.client.Write(w.body.Bytes())
}
