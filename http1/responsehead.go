package http1

import (
	"net/http"
	"strconv"
	"strings"
)

// headNotes are what the fields of a handler say that the end of the head
// depends on. The fields of the framing are not passed on but decided in commit.
type headNotes struct {
	dated, typed, encoded bool
	coding                string   // Transfer-Encoding
	connection            []string // Connection, as the handler has it
	close, upgrade        bool     // Connection has these
	trailers              bool     // there may be some
	announced             []string // by the Trailer field
}

func (n *headNotes) forget() {
	clear(n.announced)
	*n = headNotes{announced: n.announced[:0]}
}

// startHead begins the head with its status line.
func (w *Writer) startHead(status int, reason string) {
	if w.buf == nil {
		w.buf = takeBuffer(smallBuffer)
	}
	w.head.forget()
	w.out = appendStatusLine(w.buf[:0], w.turn.request.minor, status, reason)
}

func appendStatusLine(dst []byte, minor, status int, reason string) []byte {
	if minor == 1 && status == http.StatusOK && reason == "OK" {
		return append(dst, "HTTP/1.1 200 OK\r\n"...)
	}
	dst = append(append(dst, protoOf(minor)...), ' ')
	dst = append(strconv.AppendInt(dst, int64(status), 10), ' ')
	if reason == "" {
		reason = http.StatusText(status)
	}
	if reason == "" {
		reason = "status code " + strconv.Itoa(status)
	}
	return append(append(dst, reason...), "\r\n"...)
}

// isFramingName tells whether the engine writes a field by itself, in whatever
// spelling a handler has put it into the map.
func isFramingName(name string) bool {
	switch len(name) {
	case len(nameContentLength):
		return strings.EqualFold(name, nameContentLength)
	case len(nameTransferEncoding):
		return strings.EqualFold(name, nameTransferEncoding)
	case len(nameConnection):
		return strings.EqualFold(name, nameConnection)
	}
	return false
}

// takeField adds a field of a handler to the head, or notes what it says.
func (w *Writer) takeField(name string, values []string) {
	n := &w.head
	switch name {
	case nameContentLength:
		w.takeLength(values)
		return
	case nameTransferEncoding:
		if len(values) > 0 {
			n.coding = values[0]
		}
		return
	case nameConnection:
		w.takeConnection(values)
		return
	case nameDate:
		n.dated = true
	case nameContentType:
		if n.typed = true; w.status == http.StatusNotModified {
			return
		}
	case nameContentEncoding:
		n.encoded = len(values) > 0 && values[0] != ""
	case nameTrailer:
		w.announce(values)
	default:
		if !isToken(name) || isFramingName(name) {
			n.trailers = n.trailers || strings.HasPrefix(name, http.TrailerPrefix)
			return
		}
	}
	for _, value := range values {
		w.out = appendField(w.out, name, value)
	}
}

func (w *Writer) takeLength(values []string) {
	if len(values) == 0 {
		return
	}
	if length, ok := parseLength(values[0]); ok {
		w.length = length
	}
}

func (w *Writer) takeConnection(values []string) {
	n := &w.head
	n.connection = values
	for _, value := range values {
		n.close = n.close || hasElement(value, "close")
		n.upgrade = n.upgrade || hasElement(value, "upgrade")
	}
	w.close = w.close || n.close
}

func (w *Writer) announce(values []string) {
	w.head.trailers = true
	for _, value := range values {
		eachElement(value, func(name string) bool {
			if name = http.CanonicalHeaderKey(name); isTrailerName(name) {
				w.head.announced = append(w.head.announced, name)
			}
			return true
		})
	}
}

// trailer returns the trailers that the handler has set: those announced, and
// those with http.TrailerPrefix. nil is none.
func (w *Writer) trailer() http.Header {
	var t http.Header
	add := func(name string, values []string) {
		if t == nil {
			t = http.Header{}
		}
		t[name] = values
	}
	for _, name := range w.head.announced {
		if values := w.header[name]; values != nil {
			add(name, values)
		}
	}
	for name, values := range w.header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			add(http.CanonicalHeaderKey(name), values)
		}
	}
	return t
}
