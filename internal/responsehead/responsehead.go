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

// Writer edits the headers of a response once, just before they are sent.
// Informational responses pass as they are. What the inner writer can do stays
// reachable, through the methods here or through Unwrap.
type Writer struct {
	http.ResponseWriter
	edit  func(http.Header)
	begun bool
}

// New returns a Writer in front of w. Whoever made it calls Finish in the end.
func New(w http.ResponseWriter, edit func(http.Header)) *Writer {
	return &Writer{ResponseWriter: w, edit: edit}
}

// Finish edits the headers of a response that the handler has left to the server to
// send.
func (w *Writer) Finish() {
	if !w.begun {
		w.begun = true
		w.edit(w.Header())
	}
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
