// Package holdback is a writer for middlewares that look at a response, or change it, before the client
// gets any of it. Which ones are held back is decided by the head; all others pass as they come.
package holdback

import (
	"bufio"
	"bytes"
	"errors"
	"maps"
	"mime"
	"net"
	"net/http"
	"strings"

	"fairway/internal/responsehead"
)

// Plain is r with a wish for a response that can be read: one that is neither packed nor only a part.
func Plain(r *http.Request) *http.Request {
	r = r.WithContext(r.Context())
	r.Header = r.Header.Clone()
	delete(r.Header, "Range")
	delete(r.Header, "If-Range")
	r.Header["Accept-Encoding"] = []string{"identity"}
	return r
}

// IsJSON tells by a Content-Type whether a body is JSON.
func IsJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

// Rules say which responses are held back.
type Rules struct {
	// Hold tells it of one, by its status and Content-Type.
	Hold func(status int, contentType string) bool
	// Most bytes of a body are held back.
	Most int64
	// Passing may edit the head of a response that passes; nil: it stays.
	Passing func(head responsehead.Head)
	// TooLong is told that a body is longer; true: the response passes after all. nil: it does not.
	TooLong func() (passes bool)
}

// Writer holds responses back. A middleware sends what is held when the handler has returned: see Held.
type Writer struct {
	client  http.ResponseWriter
	rules   Rules
	head    http.Header
	status  int
	passes  bool
	tooLong bool
	body    bytes.Buffer
}

// New returns a Writer in front of client.
func New(client http.ResponseWriter, rules Rules) *Writer {
	w := &Writer{client: client, rules: rules, head: client.Header().Clone()}
	if w.head == nil {
		w.head = http.Header{}
	}
	return w
}

// Held ends the response, and tells whether it was held back: then nothing of it is sent yet.
func (w *Writer) Held() bool {
	w.WriteHeader(http.StatusOK)
	return !w.passes
}

// Body is what was held back; tooLong: there was more.
func (w *Writer) Body() (text []byte, tooLong bool) { return w.body.Bytes(), w.tooLong }

// pass sends the head; everything else goes out as it comes.
func (w *Writer) pass() {
	w.passes = true
	w.Give()
	w.edit(responsehead.HeadOf(w.client.Header(), nil))
	w.client.WriteHeader(w.status)
}

func (w *Writer) edit(head responsehead.Head) {
	if w.rules.Passing != nil {
		w.rules.Passing(head)
	}
}

// Give makes the client's header map say what Header says.
func (w *Writer) Give() {
	below := w.client.Header()
	clear(below)
	maps.Copy(below, w.head)
}

// Header implements http.ResponseWriter.
func (w *Writer) Header() http.Header {
	if w.passes {
		return w.client.Header()
	}
	return w.head
}

// Status is that of the response, or 0.
func (w *Writer) Status() int { return w.status }

// WriteHeader implements http.ResponseWriter. Informational responses pass.
func (w *Writer) WriteHeader(status int) {
	switch {
	case w.status != 0:
		return
	case status < 200 && status != http.StatusSwitchingProtocols:
		before := maps.Clone(w.client.Header())
		w.Give()
		w.client.WriteHeader(status)
		clear(w.client.Header())
		maps.Copy(w.client.Header(), before)
		return
	}
	if w.status = status; !w.rules.Hold(status, w.head.Get("Content-Type")) {
		w.pass()
	}
}

// ErrTooLong is returned by Write for more than is held back.
var ErrTooLong = errors.New("the response is longer than maxBodyBytes")

func (w *Writer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	switch {
	case w.passes:
		return w.client.Write(p)
	case w.tooLong || int64(w.body.Len()+len(p)) > w.rules.Most:
		return w.overflow(p)
	}
	return w.body.Write(p)
}

func (w *Writer) overflow(p []byte) (int, error) {
	if w.tooLong || w.rules.TooLong == nil || !w.rules.TooLong() {
		w.tooLong = true
		return 0, ErrTooLong
	}
	w.pass()
	if _, err := w.client.Write(w.body.Bytes()); err != nil {
		return 0, err
	}
	return w.client.Write(p)
}

// Forward implements responsehead.Forwarder: what passes is sent on as it came.
func (w *Writer) Forward(r responsehead.Received) error {
	if w.status != 0 || w.rules.Hold(r.StatusCode(), responsehead.HeadOf(w.head, r).Get("Content-Type")) {
		return responsehead.ErrInParts
	}
	w.Give()
	w.edit(responsehead.HeadOf(w.client.Header(), r))
	err := responsehead.Forward(w.client, r)
	if !errors.Is(err, responsehead.ErrInParts) {
		w.status, w.passes = r.StatusCode(), true
	}
	return err
}

// FlushError is the form of Flush that http.ResponseController looks for. What is held back stays so.
func (w *Writer) FlushError() error {
	if w.WriteHeader(http.StatusOK); w.passes {
		return http.NewResponseController(w.client).Flush()
	}
	return nil
}

// Flush implements http.Flusher, for handlers that ask for it directly.
func (w *Writer) Flush() { _ = w.FlushError() }

// Hijack implements http.Hijacker.
func (w *Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !w.passes {
		w.Give()
	}
	conn, buf, err := http.NewResponseController(w.client).Hijack()
	if err == nil {
		w.status, w.passes = http.StatusSwitchingProtocols, true
	}
	return conn, buf, err
}

// Unwrap is for the rest of http.ResponseController.
func (w *Writer) Unwrap() http.ResponseWriter { return w.client }
