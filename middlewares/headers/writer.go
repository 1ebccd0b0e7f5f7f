package headers

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// writer edits the response headers once, just before they are sent. Informational
// responses pass as they are. What the inner writer can do stays reachable, through
// the methods here or through Unwrap.
type writer struct {
	http.ResponseWriter
	edit  func(http.Header)
	begun bool
}

func (w *writer) begin() {
	if !w.begun {
		w.begun = true
		w.edit(w.Header())
	}
}

func (w *writer) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.begin()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(b []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(b)
}

// ReadFrom lets the inner writer use sendfile and splice, if it can.
func (w *writer) ReadFrom(src io.Reader) (int64, error) {
	w.begin()
	return io.Copy(w.ResponseWriter, src)
}

// FlushError is the form of Flush that http.ResponseController looks for.
func (w *writer) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *writer) Flush() { _ = w.FlushError() }

func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.begun = true // there is no response any more
	}
	return conn, buf, err
}

// Unwrap is for the rest of http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
