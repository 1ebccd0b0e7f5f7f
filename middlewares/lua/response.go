package lua

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"

	"fairway/internal/answer"
	"fairway/internal/holdback"
	"fairway/internal/record"
	"fairway/internal/requesthead"
	"fairway/internal/responsehead"
)

// serve has the request served, and the script look at the response.
func (x *exchange) serve(p *program) {
	out := &writer{ResponseWriter: x.client, x: x, script: p.onResponse, told: p.onLog, before: x.client.Header().Clone()}
	if p.onBody {
		x.serveHeld(out)
	} else {
		x.handler.next.ServeHTTP(out, x.r)
		out.finish()
	}
	if !out.failed {
		x.head = responsehead.HeadOf(x.client.Header(), nil)
		x.tell(p)
	}
}

// serveHeld has the response held back until it is whole.
func (x *exchange) serveHeld(out *writer) {
	h := x.r.Header // what is packed, or only a part, cannot be read
	x.edit(requesthead.Remove(h, "Range"))
	x.edit(requesthead.Remove(h, "If-Range"))
	x.edit(requesthead.Set(h, "Accept-Encoding", []string{"identity"}))
	held := holdback.New(out, holdback.Rules{Hold: x.holds, Most: x.handler.most})
	x.handler.next.ServeHTTP(held, x.r)
	if !held.Held() {
		out.finish()
		return
	}
	held.Give()
	body, tooLong := held.Body()
	x.responseBody = body
	encoding := out.Header().Get("Content-Encoding")
	switch {
	case tooLong:
		out.refuse(http.StatusBadGateway, holdback.ErrTooLong.Error())
	case encoding != "" && encoding != "identity":
		out.refuse(http.StatusBadGateway, "the service has encoded the body ("+encoding+"), although it was not asked to")
	default:
		out.sendHeld(held.Status())
	}
}

// holds tells whether a response is one whose body the script gets. Streams and calls by gRPC are none,
// and neither is the gateway's own answer that something has failed.
func (x *exchange) holds(status int, contentType string) bool {
	if rec := record.From(x.r.Context()); rec != nil && rec.Cause != "" {
		return false
	}
	return status != http.StatusSwitchingProtocols && !strings.HasPrefix(contentType, "text/event-stream") && !strings.HasPrefix(contentType, "application/grpc")
}

// sendHeld sends a response that is whole.
func (w *writer) sendHeld(status int) {
	x := w.x
	w.decide(status, responsehead.HeadOf(w.Header(), nil))
	bodiless := x.r.Method == http.MethodHead || !hasBody(status)
	if !w.failed && !bodiless {
		x.at = inBody
		if err := x.run.Call(onBody, x.run.Global("request"), x.run.Global("response")); err != nil {
			w.fail(err)
		}
	}
	if w.failed {
		w.WriteHeader(status)
		return
	}
	h := w.Header()
	delete(h, "Content-Length")
	if !bodiless && hasBody(x.status) {
		h["Content-Length"] = []string{strconv.Itoa(len(x.responseBody))}
	}
	w.WriteHeader(status)
	if !bodiless && hasBody(x.status) && len(x.responseBody) > 0 {
		_, _ = w.Write(x.responseBody)
	}
}

// writer has on_response look at the head of a response in the last moment before it is sent. If that
// fails, the client gets an error in the place of the response, and what follows of that is dropped.
type writer struct {
	http.ResponseWriter
	x       *exchange
	script  bool        // there is on_response
	told    bool        // there is on_log, which wants to have all fields in the end
	before  http.Header // what others have set before the service has answered
	decided bool
	sent    bool // the head is
	failed  bool
	cause   error
}

// decide calls on_response, once.
func (w *writer) decide(status int, head responsehead.Head) {
	if w.decided {
		return
	}
	w.decided = true
	x := w.x
	x.at, x.status, x.head = inResponse, status, head
	if !w.script {
		return
	}
	if err := x.run.Call(onResponse, x.run.Global("request"), x.run.Global("response")); err != nil {
		w.fail(err)
	}
}

func (w *writer) fail(err error) {
	w.failed, w.cause = true, err
	w.x.note(err)
}

// refuse sends an error in the place of the response.
func (w *writer) refuse(status int, cause string) {
	w.decided, w.sent, w.failed = true, true, true
	h := w.Header()
	clear(h)
	maps.Copy(h, w.before)
	answer.Refuse(w.ResponseWriter, w.x.r, status, "lua: response: "+cause)
}

// WriteHeader implements http.ResponseWriter. Informational responses pass.
func (w *writer) WriteHeader(status int) {
	switch {
	case w.sent:
		return
	case status < 200 && status != http.StatusSwitchingProtocols:
		w.ResponseWriter.WriteHeader(status)
		return
	}
	if w.decide(status, responsehead.HeadOf(w.Header(), nil)); w.failed {
		w.refuse(http.StatusInternalServerError, w.cause.Error())
		return
	}
	w.sent = true
	if w.x.status != status && !hasBody(w.x.status) {
		delete(w.Header(), "Content-Length")
	}
	w.ResponseWriter.WriteHeader(w.x.status)
}

// drops begins the response, and tells whether what follows is dropped.
func (w *writer) drops() bool {
	w.WriteHeader(http.StatusOK)
	return w.failed || w.decided && !hasBody(w.x.status)
}

func (w *writer) Write(p []byte) (int, error) {
	if w.drops() {
		return 0, responsehead.ErrDropped
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom lets the inner writer use sendfile and splice, if it can.
func (w *writer) ReadFrom(src io.Reader) (int64, error) {
	if w.drops() {
		return 0, responsehead.ErrDropped
	}
	return io.Copy(w.ResponseWriter, src)
}

// Forward implements responsehead.Forwarder: what keeps its status is sent on as it came.
func (w *writer) Forward(r responsehead.Received) error {
	w.decide(r.StatusCode(), responsehead.HeadOf(w.Header(), r))
	if w.failed || w.told || w.x.status != r.StatusCode() {
		return responsehead.ErrInParts
	}
	err := responsehead.Forward(w.ResponseWriter, r)
	if !errors.Is(err, responsehead.ErrInParts) {
		w.sent = true
	}
	return err
}

// FlushError is the form of Flush that http.ResponseController looks for.
func (w *writer) FlushError() error {
	if w.drops() {
		return responsehead.ErrDropped
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements http.Flusher, for handlers that ask for it directly.
func (w *writer) Flush() { _ = w.FlushError() }

// Hijack implements http.Hijacker.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil { // there is no response any more
		w.decided, w.sent, w.x.status = true, true, http.StatusSwitchingProtocols
	}
	return conn, buf, err
}

// Unwrap is for the rest of http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// finish begins a response that the handler has left to the server to begin.
func (w *writer) finish() {
	if !w.sent {
		w.WriteHeader(http.StatusOK)
	}
}
