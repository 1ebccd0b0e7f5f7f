package http1

import (
	"net/http"
	"strconv"
)

// commit ends the head: it decides how the client will know where the body ends
// and whether the connection lives on, and writes the fields that say so. After
// it the framing is fixed. more is the part of the body behind what is held back;
// final means that nothing else comes.
func (w *Writer) commit(more []byte, final bool) {
	w.sent = true
	q, n, s := w.turn.request, &w.head, w.turn.conn.srv
	if !statusAllowsBody(w.status) {
		n.coding = ""
	}
	held := len(w.body) + len(more)
	isHead := q.http.Method == http.MethodHead
	// The answer to HEAD has no length when nothing was written: the handler may
	// have seen that it need not write.
	if final && w.length < 0 && !n.trailers && n.coding == "" && statusAllowsBody(w.status) && (held > 0 || !isHead) {
		w.length = int64(held)
	}
	if n.coding != "" && n.coding != "identity" {
		w.length = -1
	}
	w.decideClose(s)
	w.drainRequest()
	if w.turn.body.started {
		w.turn.conn.answering.Store(true)
	}
	if held > 0 && !n.typed && !n.encoded && n.coding == "" && statusAllowsBody(w.status) {
		w.out = appendField(w.out, nameContentType, w.sniff(more))
	}
	if !n.dated {
		w.out = append(w.out, s.clock.dateLine()...)
	}
	w.writeFraming(isHead)
	w.writeConnection()
	w.out = append(w.out, "\r\n"...)
}

// decideClose decides whether the connection ends, apart from the framing.
func (w *Writer) decideClose(s *Server) {
	c, q := w.turn.conn, w.turn.request
	switch {
	case q.close,
		s.draining.Load(),
		s.KeepAliveMaxRequests > 0 && c.requests >= s.KeepAliveMaxRequests,
		s.KeepAliveMaxTime > 0 && s.clock.now.Load()-c.started >= int64(s.KeepAliveMaxTime):
		w.close = true
	}
}

// drainRequest reads what is left of a short request body: many clients read the
// response only when they have sent all of the request. A long rest is left
// alone, and the connection with it.
func (w *Writer) drainRequest() {
	b, expects := &w.turn.body, w.turn.expects
	if !b.started || w.close || w.fullDuplex && !expects {
		return
	}
	if !b.mu.TryLock() { // somebody is reading
		w.close = w.close || expects
		return
	}
	defer b.mu.Unlock()
	switch {
	case b.complete():
	case expects: // the client may send the body or leave it out: nobody can tell
		w.close = true
	case b.discardPaced(discardAtMost):
		b.closed = true
	default:
		w.close = true
	}
}

// sniff returns the content type that the first bytes look like.
func (w *Writer) sniff(more []byte) string {
	const sniffed = 512
	if len(w.body) == 0 {
		return http.DetectContentType(more)
	}
	start := w.body
	if len(start) < sniffed && len(more) > 0 {
		start = append(append(make([]byte, 0, sniffed), start...), more[:min(len(more), sniffed-len(start))]...)
	}
	return http.DetectContentType(start)
}

func (w *Writer) writeFraming(isHead bool) {
	q, n := w.turn.request, &w.head
	if !statusAllowsBody(w.status) {
		return
	}
	switch {
	case w.length >= 0:
		w.out = append(w.out, "Content-Length: "...)
		w.out = append(strconv.AppendInt(w.out, w.length, 10), "\r\n"...)
	case isHead:
	case q.minor == 0 || n.coding == "identity":
		w.close = true // the end of the connection is that of the body
	default:
		w.chunked = true
		w.out = append(w.out, "Transfer-Encoding: chunked\r\n"...)
	}
}

func (w *Writer) writeConnection() {
	q, n := w.turn.request, &w.head
	switch {
	case w.status == http.StatusSwitchingProtocols && n.upgrade:
	case w.close && (q.minor == 1 || n.close):
		w.out = append(w.out, "Connection: close\r\n"...)
		return
	case w.close:
		return
	case q.minor == 0 && n.connection == nil:
		w.out = append(w.out, "Connection: keep-alive\r\n"...)
		return
	}
	for _, value := range n.connection {
		w.out = appendField(w.out, nameConnection, value)
	}
}
