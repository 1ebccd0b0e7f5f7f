// Package responsehead lets a middleware change the head of a response in the last
// moment before it is sent, and nothing else: flushing, informational responses,
// splicing and the taking over of connections go on as without it.
package responsehead

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// Editor changes the head of a response.
type Editor interface {
	EditHead(h Head)
}

// Picky is an Editor that cannot work on every response that is sent on as it came.
type Picky interface {
	// InParts tells whether a response is to be written in the common way.
	InParts(r Received) bool
}

// Edit is a function that is an Editor.
type Edit func(Head)

// EditHead implements Editor.
func (e Edit) EditHead(h Head) { e(h) }

// Writer edits the headers of a response once, just before they are sent.
// Informational responses pass as they are. What the inner writer can do stays
// reachable, through the methods here or through Unwrap.
type Writer struct {
	http.ResponseWriter
	editor Editor
	begun  bool
}

// New returns a Writer in front of w. Whoever made it calls Finish in the end.
func New(w http.ResponseWriter, editor Editor) *Writer {
	return &Writer{ResponseWriter: w, editor: editor}
}

// Init makes a Writer that is part of something else what New returns.
func (w *Writer) Init(inner http.ResponseWriter, editor Editor) {
	*w = Writer{ResponseWriter: inner, editor: editor}
}

// Finish edits the headers of a response that the handler has left to the server to
// send.
func (w *Writer) Finish() { w.begin(nil) }

func (w *Writer) begin(r Received) {
	if !w.begun {
		w.begun = true
		w.editor.EditHead(HeadOf(w.Header(), r))
	}
}

// Forward implements Forwarder.
func (w *Writer) Forward(r Received) error {
	if picky, ok := w.editor.(Picky); ok && picky.InParts(r) {
		return ErrInParts
	}
	w.begin(r)
	return Forward(w.ResponseWriter, r)
}

// WriteHeader implements http.ResponseWriter.
func (w *Writer) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.Finish()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *Writer) Write(b []byte) (int, error) {
	w.Finish()
	return w.ResponseWriter.Write(b)
}

// ReadFrom lets the inner writer use sendfile and splice, if it can.
func (w *Writer) ReadFrom(src io.Reader) (int64, error) {
	w.Finish()
	return io.Copy(w.ResponseWriter, src)
}

// FlushError is the form of Flush that http.ResponseController looks for.
func (w *Writer) FlushError() error {
	w.Finish()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements http.Flusher, for handlers that ask for it directly.
func (w *Writer) Flush() { _ = w.FlushError() }

// Hijack implements http.Hijacker.
func (w *Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.begun = true // there is no response any more
	}
	return conn, buf, err
}

// Unwrap is for the rest of http.ResponseController.
func (w *Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
