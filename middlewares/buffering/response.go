package buffering

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// response is that of one attempt. Nothing of it reaches the client before it is
// whole, unless its head says that it is one that passes as it comes.
type response struct {
	*attempts
	header  http.Header // of this attempt
	head    http.Header // what header was when the head was ended
	status  int         // 0: the head has not been ended
	spool   spool
	passed  int64 // bytes of a body that passes
	passes  bool
	dropped bool  // another attempt follows
	err     error // why it is not what the client gets
}

// errDropped stops a service whose response nobody waits for.
var errDropped = errors.New("the request is tried again")

func newResponse(a *attempts) *response {
	return &response{attempts: a, header: a.client.Header().Clone(), spool: spool{limits: a.response}}
}

// Status returns the status of the response, or 0 when none has been decided.
func (w *response) Status() int { return w.status }

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header {
	if w.passes {
		return w.client.Header()
	}
	if w.header == nil {
		w.header = http.Header{}
	}
	return w.header
}

// WriteHeader implements http.ResponseWriter. Informational responses pass.
func (w *response) WriteHeader(status int) {
	switch {
	case w.status != 0:
		return
	case status < 200 && status != http.StatusSwitchingProtocols:
		before := maps.Clone(w.client.Header())
		w.give(w.header)
		w.client.WriteHeader(status)
		w.give(before)
		return
	}
	w.status = status
	switch kind := kindOf(w.header); {
	case w.body.tooLong():
		w.fail(errTooLong)
	case status == http.StatusSwitchingProtocols:
		w.pass()
	case kind == "text/event-stream" || isGRPC(w.header):
		if w.dropped = w.again(status); w.dropped {
			w.err = errDropped
			return
		}
		w.pass()
	default:
		w.head = w.header.Clone()
		length, err := strconv.ParseInt(w.header.Get("Content-Length"), 10, 64)
		if err == nil && w.hasBody() && w.spool.exceeds(length) {
			w.fail(errTooLong)
		}
	}
}

// fail notes why the response is not what the client gets. What the service then
// says of a client that took no more is no cause.
func (w *response) fail(err error) {
	if w.err != nil {
		return
	}
	w.err = err
	switch {
	case w.body.tooLong():
		w.rec.Fail(tooLongRequest)
	case errors.Is(err, errTooLong):
		w.rec.Fail("buffering: the response is longer than maxResponseBodyBytes")
	default:
		w.rec.Fail("buffering: keep the response: " + err.Error())
	}
}

// pass sends the head. From here on the response goes out as it comes.
func (w *response) pass() {
	w.passes = true
	w.give(w.header)
	w.client.WriteHeader(w.status)
}

// give makes the client's header map say what h says.
func (w *response) give(h http.Header) {
	below := w.client.Header()
	clear(below)
	maps.Copy(below, h)
}

// hasBody tells whether a body may follow the head (RFC 9110, section 6.4.1).
func (w *response) hasBody() bool {
	return w.request.Method != http.MethodHead && w.status != http.StatusNoContent && w.status != http.StatusNotModified
}

func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	switch {
	case w.err != nil:
		return 0, w.err
	case w.passes:
		if w.passed += int64(len(p)); w.spool.exceeds(w.passed) {
			w.fail(errTooLong)
			return 0, w.err
		}
		return w.client.Write(p)
	case !w.hasBody():
		return len(p), nil
	}
	n, err := w.spool.Write(p)
	if err != nil {
		w.fail(err)
	}
	return n, err
}

// ReadFrom lets the client's writer use splice, if nothing has to be counted.
func (w *response) ReadFrom(src io.Reader) (int64, error) {
	w.WriteHeader(http.StatusOK)
	switch {
	case w.passes && w.spool.most == 0:
		return io.Copy(w.client, src)
	case w.err != nil || w.passes || !w.hasBody():
		return io.Copy(struct{ io.Writer }{w}, src)
	}
	n, err := w.spool.ReadFrom(src)
	if disk := (diskError{}); errors.Is(err, errTooLong) || errors.As(err, &disk) {
		w.fail(err)
	}
	return n, err
}

// FlushError is the form of Flush that http.ResponseController looks for. What is held
// back stays so.
func (w *response) FlushError() error {
	if w.WriteHeader(http.StatusOK); w.passes {
		return http.NewResponseController(w.client).Flush()
	}
	return nil
}

// Flush implements http.Flusher, for handlers that ask for it directly.
func (w *response) Flush() { _ = w.FlushError() }

// Hijack implements http.Hijacker.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.status != 0 && !w.passes {
		return nil, nil, http.ErrNotSupported
	}
	if !w.passes {
		w.give(w.header)
	}
	conn, buf, err := http.NewResponseController(w.client).Hijack()
	if err == nil {
		w.status, w.passes = http.StatusSwitchingProtocols, true
	}
	return conn, buf, err
}

// SetReadDeadline is how a service stops reading a body when it is done. One that is
// kept never waits for the client, whose connection another attempt may need.
func (w *response) SetReadDeadline(t time.Time) error {
	if w.body.spool != nil {
		return nil
	}
	return http.NewResponseController(w.client).SetReadDeadline(t)
}

// Unwrap is for the rest of http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.client }

// send gives the client the whole response.
func (w *response) send() {
	w.give(w.head)
	h, trailers := w.client.Header(), w.trailers()
	if w.hasBody() {
		delete(h, "Content-Length")
		if len(trailers) == 0 { // a length would leave no room for them
			h["Content-Length"] = []string{strconv.FormatInt(w.spool.size, 10)}
		}
	}
	w.client.WriteHeader(w.status)
	if w.hasBody() && w.spool.size > 0 {
		if err := w.spool.send(w.client); err != nil {
			w.rec.Fail("buffering: send the response: " + err.Error())
			panic(http.ErrAbortHandler) // the client must not take the part for the whole
		}
	}
	if len(trailers) > 0 {
		_ = http.NewResponseController(w.client).Flush() // so that there is a place for them
		maps.Copy(h, trailers)
	}
}

// trailers are the fields for behind the body: those that the head announces, and
// those that are marked as such.
func (w *response) trailers() http.Header {
	trailers := http.Header{}
	for _, list := range w.head["Trailer"] {
		for name := range strings.SplitSeq(list, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if values, ok := w.header[name]; ok {
				trailers[name] = values
			}
		}
	}
	for name, values := range w.header {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			trailers[name] = values
		}
	}
	return trailers
}
