// Package answer writes the responses that the gateway makes itself: the one
// place that decides what a client sees when no server answered.
package answer

import (
	"net/http"
	"strings"

	"fairway/internal/record"
)

// StatusClientClosedRequest is the status noted for a request whose client went
// away before the answer. Nobody receives it; it is for the log and metrics.
const StatusClientClosedRequest = 499

// Refuse answers with the text of the status as body, and notes the cause in the
// request's record. The cause is for the operator; the client never sees it.
func Refuse(w http.ResponseWriter, r *http.Request, status int, cause string) {
	Text(w, r, status, cause, StatusText(status))
}

// Text is Refuse with a body of its own. Calls by gRPC get it as their message,
// browsers in a page, and clients that ask for JSON as a problem (RFC 9457).
func Text(w http.ResponseWriter, r *http.Request, status int, cause, body string) {
	send(w, r, status, cause, body, nil)
}

// Problem is a kind of problem that clients can know by its type (RFC 9457, section 4).
type Problem struct {
	Type, Title string
	// Violated are the names of limits that were exceeded, if it is about that.
	Violated []string
}

// Typed is Refuse for whom the kind of the problem matters: clients that ask for JSON are told.
func Typed(w http.ResponseWriter, r *http.Request, status int, cause string, p *Problem) {
	send(w, r, status, cause, StatusText(status), p)
}

func send(w http.ResponseWriter, r *http.Request, status int, cause, body string, p *Problem) {
	rec := record.From(r.Context())
	rec.Fail(cause)
	tellClass(w.Header(), rec, status)
	if kind := grpcType(r.Header); kind != "" {
		grpc(w, r, kind, status, strings.TrimSpace(body))
		return
	}
	write(w, r, status, body, p)
}

// StatusText is the text of a status, also for 499, which net/http does not know.
func StatusText(status int) string {
	if status == StatusClientClosedRequest {
		return "Client Closed Request"
	}
	return http.StatusText(status)
}
