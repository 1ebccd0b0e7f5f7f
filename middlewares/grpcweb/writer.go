package grpcweb

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
)

// writer makes an answer by gRPC-Web of one by gRPC. Any other passes as it is.
type writer struct {
	inner http.ResponseWriter
	text  bool
	allow func(http.Header)

	decided   bool
	web       bool        // the answer is changed
	announced []string    // names of trailers
	trailers  http.Header // takes what is set behind the head
	messages  messages
	rest      []byte // up to two bytes that are not encoded yet
}

// Header implements http.ResponseWriter.
func (w *writer) Header() http.Header {
	if w.web {
		return w.trailers
	}
	return w.inner.Header()
}

// WriteHeader implements http.ResponseWriter. Informational responses pass.
func (w *writer) WriteHeader(status int) {
	if !w.decided && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.decided = true
		w.begin()
	}
	w.inner.WriteHeader(status)
}

func (w *writer) begin() {
	h := w.inner.Header()
	kind := h.Get("Content-Type")
	format, ok := strings.CutPrefix(kind, grpcType)
	w.web = ok && (format == "" || format[0] == '+' || format[0] == ';')
	if w.web {
		w.trailers = http.Header{}
		for _, list := range h["Trailer"] {
			for name := range strings.SplitSeq(list, ",") {
				w.announced = append(w.announced, http.CanonicalHeaderKey(strings.TrimSpace(name)))
			}
		}
		delete(h, "Trailer")
		delete(h, "Content-Length")
		maps.DeleteFunc(h, func(name string, values []string) bool {
			early := strings.HasPrefix(name, http.TrailerPrefix)
			if early {
				w.trailers[name] = values
			}
			return early
		})
		prefix := webType
		if w.text {
			prefix = webTextType
		}
		h.Set("Content-Type", prefix+format)
	}
	w.allow(h)
}

func (w *writer) Write(b []byte) (int, error) {
	if !w.decided {
		w.WriteHeader(http.StatusOK)
	}
	if !w.web {
		return w.inner.Write(b)
	}
	if err := w.send(b); err != nil {
		return 0, err
	}
	if w.messages.ended(b) {
		return len(b), w.FlushError()
	}
	return len(b), nil
}

// send writes a part of the body, of base64 only what makes up whole groups.
func (w *writer) send(b []byte) error {
	if !w.text {
		_, err := w.inner.Write(b)
		return err
	}
	all := append(w.rest, b...)
	whole := len(all) / 3 * 3
	encoded := base64.StdEncoding.AppendEncode(nil, all[:whole])
	w.rest = slices.Clone(all[whole:])
	if len(encoded) == 0 {
		return nil
	}
	_, err := w.inner.Write(encoded)
	return err
}

// sendRest ends a piece of base64.
func (w *writer) sendRest() error {
	if len(w.rest) == 0 {
		return nil
	}
	_, err := w.inner.Write(base64.StdEncoding.AppendEncode(nil, w.rest))
	w.rest = nil
	return err
}

// FlushError is the form of Flush that http.ResponseController looks for.
func (w *writer) FlushError() error {
	if !w.decided {
		w.WriteHeader(http.StatusOK)
	}
	if err := w.sendRest(); err != nil {
		return err
	}
	return http.NewResponseController(w.inner).Flush()
}

// Flush implements http.Flusher, for handlers that ask for it directly.
func (w *writer) Flush() { _ = w.FlushError() }

// Hijack implements http.Hijacker.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := http.NewResponseController(w.inner).Hijack()
	w.decided = w.decided || err == nil
	return conn, buf, err
}

// Unwrap is for the rest of http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.inner }

// finish sends the trailers as the last frame. An answer that has its status in the
// head already has none.
func (w *writer) finish() {
	if !w.decided {
		w.WriteHeader(http.StatusOK)
	}
	if !w.web {
		return
	}
	if lines := w.trailerLines(); lines != "" {
		const isTrailers = 0x80
		frame := binary.BigEndian.AppendUint32([]byte{isTrailers}, uint32(len(lines)))
		_ = w.send(append(frame, lines...))
	}
	_ = w.sendRest()
}

// trailerLines are the trailers as lines of a head, with names in lower case.
func (w *writer) trailerLines() string {
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(w.trailers)) {
		plain, prefixed := strings.CutPrefix(name, http.TrailerPrefix)
		if !prefixed && !slices.Contains(w.announced, name) {
			continue
		}
		for _, value := range w.trailers[name] {
			lines.WriteString(strings.ToLower(plain) + ": " + value + "\r\n")
		}
	}
	return lines.String()
}

// messages finds the ends of messages in a body (gRPC's protocol over HTTP/2,
// "Length-Prefixed-Message"), so that none waits for the next.
type messages struct {
	head []byte // of the next message, as far as it has come
	left int64  // bytes of a message that are to come
}

// ended tells whether a message ends within b.
func (m *messages) ended(b []byte) bool {
	const headLength = 5
	found := false
	for len(b) > 0 {
		if m.left == 0 {
			n := min(headLength-len(m.head), len(b))
			m.head, b = append(m.head, b[:n]...), b[n:]
			if len(m.head) < headLength {
				return found
			}
			m.left = int64(binary.BigEndian.Uint32(m.head[1:]))
			m.head = m.head[:0]
		}
		n := min(m.left, int64(len(b)))
		m.left, b = m.left-n, b[n:]
		found = found || m.left == 0
	}
	return found
}
