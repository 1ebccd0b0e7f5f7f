package circuitbreaker

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"

	"fairway/internal/responsehead"
)

// statusWriter is a writer that knows its status, as that of the engine: 0 when none has
// been decided.
type statusWriter interface {
	http.ResponseWriter
	Status() int
}

// knowing makes w a writer that knows its status. One further inside does not do: what
// stands between may hold a response back, or answer with another.
func knowing(w http.ResponseWriter) statusWriter {
	if sw, ok := w.(statusWriter); ok {
		return sw
	}
	return &writer{ResponseWriter: w}
}

// writer notes the status, in front of a writer that does not know it.
type writer struct {
	http.ResponseWriter
	status int
}

// Status implements statusWriter.
func (w *writer) Status() int { return w.status }

func (w *writer) note(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
}

// WriteHeader implements http.ResponseWriter.
func (w *writer) WriteHeader(status int) {
	w.note(status)
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(p []byte) (int, error) {
	w.note(http.StatusOK)
	return w.ResponseWriter.Write(p)
}

// ReadFrom lets the inner writer use sendfile and splice, if it can.
func (w *writer) ReadFrom(src io.Reader) (int64, error) {
	w.note(http.StatusOK)
	return io.Copy(w.ResponseWriter, src)
}

// Forward implements responsehead.Forwarder.
func (w *writer) Forward(r responsehead.Received) error {
	err := responsehead.Forward(w.ResponseWriter, r)
	if !errors.Is(err, responsehead.ErrInParts) {
		w.note(r.StatusCode())
	}
	return err
}

// FlushError is the form of Flush that http.ResponseController looks for.
func (w *writer) FlushError() error {
	w.note(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements http.Flusher, for handlers that ask for it directly.
func (w *writer) Flush() { _ = w.FlushError() }

// Hijack implements http.Hijacker.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.note(http.StatusSwitchingProtocols)
	}
	return conn, buf, err
}

// Unwrap is for the rest of http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
