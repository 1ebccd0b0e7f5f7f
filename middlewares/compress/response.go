package compress

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"

	"fairway/internal/responsehead"
)

// response is undecided until the length of its body is known, or known to be enough:
// until then the beginning of it is kept, and the head is not sent.
type response struct {
	inner    http.ResponseWriter
	handler  *handler
	encoding string // that the client takes; empty: none
	bodiless bool   // the client wants a head only

	status  int  // given by the service; 0: none yet
	decided bool // the head has been sent
	begin   []byte
	body    compressor // nil: it is not compressed
}

// Status implements the contract of writers that know their status.
func (w *response) Status() int { return w.status }

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.inner.Header() }

// WriteHeader implements http.ResponseWriter. Informational responses pass.
func (w *response) WriteHeader(status int) {
	switch {
	case w.decided || status < 200 && status != http.StatusSwitchingProtocols:
		w.inner.WriteHeader(status)
		return
	case w.status != 0:
		return
	}
	w.status = status
	h := w.inner.Header()
	length, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	if err != nil {
		length = -1
	}
	switch {
	case w.passes(status, responsehead.HeadOf(h, nil), length):
		w.pass()
	case length >= 0:
		w.compress()
	}
}

// passes tells of a response that its body, if it has one, goes out as it is; the head of
// one that could be compressed says so then. length is that of the body, or below 0.
func (w *response) passes(status int, h responsehead.Head, length int64) bool {
	if !w.handler.fit(status, h) {
		return true
	}
	notModified := status == http.StatusNotModified // says nothing of the length
	compressed := w.encoding != "" && (notModified || length < 0 || length > 0 && length >= int64(w.handler.least))
	if compressed && !w.bodiless && !notModified {
		return false
	}
	vary(h)
	if compressed { // or rather, the response would be that this one is about
		weaken(h)
	}
	return true
}

// weaken makes the ETag a weak one (RFC 9110, section 8.8.3).
func weaken(h responsehead.Head) {
	if tag := h.Get("Etag"); strings.HasPrefix(tag, `"`) {
		h.Set("Etag", "W/"+tag)
	}
}

// Forward implements responsehead.Forwarder.
func (w *response) Forward(r responsehead.Received) error {
	if w.decided || w.status != 0 || !w.passes(r.StatusCode(), responsehead.HeadOf(w.inner.Header(), r), r.Length()) {
		return responsehead.ErrInParts
	}
	w.status, w.decided = r.StatusCode(), true
	return responsehead.Forward(w.inner, r)
}

// pass sends the head of a response that is not compressed.
func (w *response) pass() {
	w.decided = true
	w.inner.WriteHeader(w.status)
}

// compress sends the head of a response that is.
func (w *response) compress() {
	h := w.inner.Header()
	vary(responsehead.HeadOf(h, nil))
	w.decided = true
	var err error
	if w.body, err = w.handler.compressors.take(w.encoding, w.inner); err != nil {
		w.body = nil
		w.inner.WriteHeader(w.status)
		return
	}
	h.Set("Content-Encoding", w.encoding)
	for _, name := range []string{"Content-Length", "Accept-Ranges", "Content-Digest", "Content-Md5"} {
		h.Del(name) // they are about the service's bytes
	}
	weaken(responsehead.HeadOf(h, nil))
	w.inner.WriteHeader(w.status)
}

// accepts is the Vary of most responses, which nobody changes.
var accepts = []string{"Accept-Encoding"}

// vary says that the response depends on what the client takes.
func vary(h responsehead.Head) {
	for _, line := range h.Values("Vary") {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name == "*" || strings.EqualFold(name, "Accept-Encoding") {
				return
			}
		}
	}
	if len(h.Values("Vary")) == 0 {
		h.Put("Vary", accepts)
		return
	}
	h.Add("Vary", "Accept-Encoding")
}

func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.decided {
		if len(w.begin)+len(p) < w.handler.least {
			w.begin = append(w.begin, p...)
			return len(p), nil
		}
		if err := w.decide(); err != nil {
			return 0, err
		}
	}
	if w.body != nil {
		return w.body.Write(p)
	}
	return w.inner.Write(p)
}

// decide begins to compress a body that is long enough, or of which the service wants
// the beginning sent.
func (w *response) decide() error {
	w.compress()
	begin := w.begin
	w.begin = nil
	if len(begin) == 0 {
		return nil
	}
	_, err := w.Write(begin)
	return err
}

// ReadFrom lets the inner writer use splice, if nothing is compressed.
func (w *response) ReadFrom(src io.Reader) (int64, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.decided && w.body == nil {
		return io.Copy(w.inner, src)
	}
	return io.Copy(struct{ io.Writer }{w}, src)
}

// FlushError is the form of Flush that http.ResponseController looks for.
func (w *response) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.decided {
		if err := w.decide(); err != nil {
			return err
		}
	}
	if w.body != nil {
		if err := w.body.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(w.inner).Flush()
}

// Flush implements http.Flusher, for handlers that ask for it directly.
func (w *response) Flush() { _ = w.FlushError() }

// Hijack implements http.Hijacker.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := http.NewResponseController(w.inner).Hijack()
	if err == nil {
		w.decided = true // there is no response any more
	}
	return conn, buf, err
}

// Unwrap is for the rest of http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.inner }

// finish ends the body. It is called when the service has returned.
func (w *response) finish() {
	if w.status == 0 && !w.decided {
		w.WriteHeader(http.StatusOK) // as the server would
	}
	switch {
	case w.body != nil:
		_ = w.body.Close() // the client has gone, if that fails
	case !w.decided:
		h := w.inner.Header()
		vary(responsehead.HeadOf(h, nil))
		if h["Trailer"] == nil { // a length would leave no room for them
			h.Set("Content-Length", strconv.Itoa(len(w.begin)))
		}
		w.pass()
		if len(w.begin) > 0 {
			_, _ = w.inner.Write(w.begin)
		}
	}
}

func (w *response) release() {
	if w.body != nil {
		w.handler.compressors.giveBack(w.encoding, w.body)
		w.body = nil
	}
}
