// Package attempt lets a request be tried again, or elsewhere, after an answer that is
// not good enough: the answer is held up by its status, before any of it is sent.
package attempt

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"

	"fairway/internal/responsehead"
)

// Judge tells whether the answer with a status is not good enough.
type Judge interface {
	Refuses(status int) bool
}

// Func is a function that is a Judge.
type Func func(status int) bool

// Refuses implements Judge.
func (f Func) Refuses(status int) bool { return f(status) }

// Writer passes a response on, unless its status is refused: then nothing of it
// reaches the client, and the writer below is as it was. Informational responses
// pass. A connection may be taken over, which is passing, too.
type Writer struct {
	inner   http.ResponseWriter
	judge   Judge
	header  http.Header // of this attempt; nil as long as nobody has asked for it
	status  int
	refused bool
	told    bool // the writer below knows the status
	dropped int  // bytes of a body that is refused
}

// dropAtMost is how much is read of a body that is refused, so that the connection can be
// used again. Nobody waits for it.
const dropAtMost = 64 << 10

func (w *Writer) drop(n int) (int, error) {
	if w.dropped += n; w.dropped > dropAtMost {
		return 0, responsehead.ErrDropped
	}
	return n, nil
}

// New returns a Writer in front of w that refuses some statuses.
func New(w http.ResponseWriter, judge Judge) *Writer {
	return &Writer{inner: w, judge: judge}
}

// Init makes a Writer that is part of something else what New returns.
func (w *Writer) Init(inner http.ResponseWriter, judge Judge) {
	*w = Writer{inner: inner, judge: judge}
}

// Refused tells whether the response was held up, and with which status it came.
func (w *Writer) Refused() (status int, refused bool) { return w.status, w.refused }

// Begun tells whether a response has been passed on, or held up.
func (w *Writer) Begun() bool { return w.status != 0 }

// Status implements the contract of writers that know their status.
func (w *Writer) Status() int { return w.status }

// Header implements http.ResponseWriter.
func (w *Writer) Header() http.Header {
	if w.status != 0 && !w.refused {
		return w.inner.Header() // for trailers
	}
	if w.header == nil {
		w.header = http.Header{}
		maps.Copy(w.header, w.inner.Header())
	}
	return w.header
}

// WriteHeader implements http.ResponseWriter.
func (w *Writer) WriteHeader(status int) {
	if w.status == 0 && status < 200 && status != http.StatusSwitchingProtocols {
		before := maps.Clone(w.inner.Header())
		w.give(w.header)
		w.inner.WriteHeader(status)
		w.give(before)
		return
	}
	if w.decide(status) && !w.told {
		w.told = true
		w.inner.WriteHeader(status)
	}
}

// decide judges a status, the first one, and tells whether the response passes.
func (w *Writer) decide(status int) bool {
	if w.status != 0 {
		return !w.refused
	}
	w.status = status
	if w.refused = w.judge.Refuses(status); w.refused {
		return false
	}
	w.give(w.header)
	return true
}

// Forward implements responsehead.Forwarder.
func (w *Writer) Forward(r responsehead.Received) error {
	if w.status != 0 || !w.decide(r.StatusCode()) {
		return responsehead.ErrInParts // of one that is refused a little is read
	}
	err := responsehead.Forward(w.inner, r)
	w.told = !errors.Is(err, responsehead.ErrInParts)
	return err
}

// give makes the header map below say what h says. nil: what it says already.
func (w *Writer) give(h http.Header) {
	if h == nil {
		return
	}
	below := w.inner.Header()
	clear(below)
	maps.Copy(below, h)
}

func (w *Writer) Write(p []byte) (int, error) {
	if w.WriteHeader(http.StatusOK); w.refused {
		return w.drop(len(p))
	}
	return w.inner.Write(p)
}

// ReadFrom lets the inner writer use splice, if it can.
func (w *Writer) ReadFrom(src io.Reader) (int64, error) {
	if w.WriteHeader(http.StatusOK); w.refused {
		return io.Copy(struct{ io.Writer }{w}, src)
	}
	return io.Copy(w.inner, src)
}

// Finish sends the headers of a response that the handler has left to the server to
// send. It is called when the handler has returned.
func (w *Writer) Finish() { w.WriteHeader(http.StatusOK) }

// FlushError is the form of Flush that http.ResponseController looks for.
func (w *Writer) FlushError() error {
	if w.WriteHeader(http.StatusOK); w.refused {
		return responsehead.ErrDropped
	}
	return http.NewResponseController(w.inner).Flush()
}

// Flush implements http.Flusher, for handlers that ask for it directly.
func (w *Writer) Flush() { _ = w.FlushError() }

// Hijack implements http.Hijacker.
func (w *Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.give(w.header)
	conn, buf, err := http.NewResponseController(w.inner).Hijack()
	if err == nil {
		w.status, w.told = http.StatusSwitchingProtocols, true
	}
	return conn, buf, err
}

// Unwrap is for the rest of http.ResponseController.
func (w *Writer) Unwrap() http.ResponseWriter { return w.inner }
