package circuitbreaker

import (
	"errors"
	"net/http"
	"strings"

	"fairway/internal/answer"
	"fairway/internal/record"
)

// exchange is a request that has passed.
type exchange struct {
	w        statusWriter
	r        *http.Request
	returned bool // the handler has, and not panicked
}

// outcome tells what has become of the request.
func (x *exchange) outcome() (code int, network bool) {
	code = x.w.Status()
	if !x.returned {
		return x.brokenOff(code)
	}
	// The status of answers to calls by gRPC, and of connections taken over, is in the
	// record.
	if code == 0 || code == http.StatusOK {
		if rec := record.From(x.r.Context()); rec != nil && rec.Status != 0 {
			code = rec.Status
		}
	}
	if code == 0 { // what the server makes of a handler that has said nothing
		code = http.StatusOK
	}
	return code, code == http.StatusBadGateway || code == http.StatusGatewayTimeout
}

// brokenOff is the outcome of a response that was not ended. If that is because the
// client has gone, it says nothing about the service.
func (x *exchange) brokenOff(code int) (int, bool) {
	if x.r.Context().Err() != nil || code != 0 && x.deaf() {
		return answer.StatusClientClosedRequest, false
	}
	if code == 0 {
		code = http.StatusBadGateway
	}
	return code, true
}

// deaf tells whether nothing can be sent to the client any more.
func (x *exchange) deaf() bool {
	err := http.NewResponseController(x.w).Flush()
	return err != nil && !errors.Is(err, http.ErrNotSupported)
}

// timed tells whether the time the response took says anything.
func (x *exchange) timed(code int) bool {
	const events = "text/event-stream"
	if !x.returned || code == http.StatusSwitchingProtocols {
		return false
	}
	if kind := x.w.Header()["Content-Type"]; len(kind) > 0 {
		return !strings.HasPrefix(kind[0], events)
	}
	for _, accept := range x.r.Header["Accept"] { // the response may have been sent on as it came
		if strings.Contains(accept, events) {
			return false
		}
	}
	return true
}
