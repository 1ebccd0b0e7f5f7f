package timeouts

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"fairway/internal/giveup"
	"fairway/internal/responsehead"
)

// writer sees when the response begins, and that it goes on.
type writer struct {
	http.ResponseWriter
	begun        bool
	first, total *time.Timer // nil: there is no such time
	idle         time.Duration
	pause        *time.Timer
	cancel       context.CancelCauseFunc
}

// stop ends all times.
func (w *writer) stop() {
	for _, t := range []*time.Timer{w.first, w.total, w.pause} {
		if t != nil {
			t.Stop()
		}
	}
}

// begin notes that the response has begun, or goes on. Until wait nobody is held to idle: a client
// that reads slowly is none of the service's pauses.
func (w *writer) begin() {
	if !w.begun {
		w.begun = true
		if w.first != nil {
			w.first.Stop()
		}
	}
	if w.pause != nil {
		w.pause.Stop()
	}
}

// wait is for when more of the response has to come.
func (w *writer) wait() {
	switch {
	case w.idle == 0:
	case w.pause == nil:
		w.pause = time.AfterFunc(w.idle, func() { w.cancel(giveup.TooLong("timeouts: no more of the response has come within idle")) })
	default:
		w.pause.Reset(w.idle)
	}
}

// WriteHeader implements http.ResponseWriter.
func (w *writer) WriteHeader(status int) {
	if status < 200 {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.begin()
	w.ResponseWriter.WriteHeader(status)
	w.wait()
}

func (w *writer) Write(p []byte) (int, error) {
	w.begin()
	defer w.wait()
	return w.ResponseWriter.Write(p)
}

// ReadFrom lets the inner writer use splice, if nobody has to see each piece.
func (w *writer) ReadFrom(src io.Reader) (int64, error) {
	w.begin()
	if w.idle > 0 {
		w.wait()
		return io.Copy(struct{ io.Writer }{w}, src)
	}
	return io.Copy(w.ResponseWriter, src)
}

// Forward implements responsehead.Forwarder.
func (w *writer) Forward(r responsehead.Received) error {
	if w.idle > 0 && r.Length() != 0 {
		return responsehead.ErrInParts
	}
	w.begin()
	return responsehead.Forward(w.ResponseWriter, r)
}

// FlushError is the form of Flush that http.ResponseController looks for.
func (w *writer) FlushError() error {
	w.begin()
	defer w.wait()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements http.Flusher, for handlers that ask for it directly.
func (w *writer) Flush() { _ = w.FlushError() }

// Hijack implements http.Hijacker. What is spoken then has times of its own.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.begun = true
		w.stop()
	}
	return conn, buf, err
}

// Unwrap is for the rest of http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
