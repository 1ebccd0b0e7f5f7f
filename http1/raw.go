package http1

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"fairway/internal/responsehead"
)

// errBegun is returned when a response is to be forwarded behind another.
var errBegun = errors.New("the response has begun already")

// WriteRaw answers with the response of an upstream, head and body, without
// putting its fields into a map: the lines go out as they came in, in their order.
//
// The fields in Header() are the gateway's: they are sent, too, and take the place
// of the upstream's fields of the same name, Set-Cookie excepted; one without
// values removes them.
//
// Lines that concern one connection only (Response marks them as hop) are left
// out. Content-Length, Transfer-Encoding, Connection and Trailer are written anew
// from what was parsed, as the client needs them: a body of unknown length goes
// out in chunks, or ends with the connection for HTTP/1.0.
//
// The head goes out together with what has come of the body. From then on each
// part is sent as it comes, so that nothing waits in the gateway, and long bodies
// between plain TCP connections are moved by the kernel.
//
// The error is ErrClientGone if the client's connection failed, else the
// upstream's. After an error the connection is closed when the handler returns,
// without an end of the body, so that the client sees that it is cut off.
func (w *Writer) WriteRaw(p *Response) error {
	if w.ended.Load() || w.hijacked || w.status != 0 {
		return errBegun
	}
	w.status = p.Status
	w.startHead(p.Status, p.Reason)
	w.takeRawFields(p)
	w.fullDuplex = true // the request's body may be on its way still
	w.commit(nil, false)
	err := w.writeRawBody(p.Body)
	if err != nil {
		w.done, w.broken = true, true
	}
	if w.err != nil {
		return fmt.Errorf("%w: %w", ErrClientGone, w.err)
	}
	return err
}

// Forward implements responsehead.Forwarder, by WriteRaw, and for responses that are all
// there.
func (w *Writer) Forward(r responsehead.Received) error {
	switch p := r.(type) {
	case *Response:
		return w.WriteRaw(p)
	case responsehead.Stored:
		return w.writeStored(p)
	}
	return responsehead.ErrInParts
}

// writeStored answers with a response that is all there: the lines of its head are copied
// as they are, and head and body go out together. The fields in Header() count as for
// WriteRaw.
func (w *Writer) writeStored(p responsehead.Stored) error {
	if w.ended.Load() || w.hijacked || w.status != 0 {
		return errBegun
	}
	w.status = p.StatusCode()
	w.startHead(w.status, "")
	var skip func(string) bool
	if len(w.header) > 0 {
		skip = w.overrides
	}
	w.out = p.AppendFields(w.out, skip)
	for name, values := range w.header {
		w.takeField(name, values)
	}
	content := p.Content()
	w.length, w.written = int64(len(content)), int64(len(content))
	w.head.coding, w.head.typed, w.head.dated = "", true, true
	w.commit(nil, true)
	if err := w.emit(nil, content, true, nil); err != nil {
		return fmt.Errorf("%w: %w", ErrClientGone, err)
	}
	return nil
}

// takeRawFields writes the fields of the upstream and the gateway.
func (w *Writer) takeRawFields(p *Response) {
	lengths := uint64(0) // of the names of our own: most fields need no look into the map
	for name := range w.header {
		lengths |= 1 << (len(name) & 63)
	}
	for i := range p.fields {
		f := &p.fields[i]
		if f.hop || lengths>>(len(f.name)&63)&1 == 1 && w.overrides(f.name) {
			continue
		}
		w.out = append(append(append(append(w.out, f.name...), ": "...), f.value...), "\r\n"...)
	}
	for name, values := range w.header {
		w.takeField(name, values)
	}
	n := &w.head
	w.length, n.coding = p.length, ""
	n.typed = true // an upstream that names no type has its reasons
	n.dated = n.dated || p.dated
	if w.turn.request.minor == 1 {
		for name := range p.announced() {
			w.out = appendField(w.out, nameTrailer, name)
		}
	}
}

// overrides tells whether the gateway has a field of that name. A cookie of its own
// says nothing about those of the upstream.
func (w *Writer) overrides(name string) bool {
	if len(name) == len(nameSetCookie) && strings.EqualFold(name, nameSetCookie) {
		return false
	}
	if _, ok := w.header[name]; ok {
		return true
	}
	if known := canonicalName([]byte(name), name); known != name {
		_, ok := w.header[known]
		return ok
	}
	return false
}

// writeRawBody sends the body, and the head before it.
func (w *Writer) writeRawBody(b *body) error {
	if b == nil || w.withoutBody() {
		return w.emit(nil, nil, true, nil)
	}
	buf := []byte(nil)
	defer func() { giveBuffer(buf) }()
	for w.err == nil {
		part, err := b.ahead(), error(nil)
		switch {
		case len(part) > 0:
			b.skip(len(part))
		case b.err != nil:
			err = b.err
		case len(w.out) == 0 && w.canSplice(b):
			err = w.splice(b)
		case len(w.out) > 0 && len(b.in.buffered()) == 0:
			// The head goes out before a wait.
		default:
			buf = biggerBuffer(buf)
			var n int
			n, err = b.Read(buf)
			part = buf[:n]
		}
		w.written += int64(len(part))
		if err != nil && !isEOF(err) {
			_ = w.emit(part, nil, false, nil)
			return err
		}
		if err := w.emit(part, nil, isEOF(b.err), b.trailer); err != nil || isEOF(b.err) {
			return err
		}
	}
	return w.err
}

// biggerBuffer returns a first buffer, or a large one instead of it: who reads
// again has a long body.
func biggerBuffer(buf []byte) []byte {
	switch {
	case buf == nil:
		return takeBuffer(mediumBuffer)
	case cap(buf) == mediumBuffer:
		giveBuffer(buf)
		return takeBuffer(largeBuffer)
	}
	return buf
}

func (w *Writer) canSplice(b *body) bool {
	return w.turn.conn.tcp != nil && !w.chunked && b.canSplice(w.turn.conn.tcp)
}

// splice moves the next part of a body. EPIPE can only be the client's.
func (w *Writer) splice(b *body) error {
	c := w.turn.conn
	part, before := min(b.left, splicePart), b.n
	c.writePace.begin(part)
	err := b.splice(c.tcp)
	c.writePace.end(part - (b.n - before))
	w.written += b.n - before
	if errors.Is(err, syscall.EPIPE) || err != nil && c.expired.Load() {
		w.err = err
	}
	return err
}
