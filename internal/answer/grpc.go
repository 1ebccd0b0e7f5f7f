package answer

import (
	"net/http"
	"strconv"
	"strings"

	"fairway/internal/record"
)

// Clients by gRPC look for the outcome of a call in fields of its own, and take
// every status but 200 for a broken network. What the gateway answers itself is
// given to them as a response that has a head and nothing else ("Trailers-Only" of
// gRPC's protocol over HTTP/2).

// grpcType returns the content type for the answer to a call by gRPC or gRPC-Web,
// or "" for any other request.
func grpcType(h http.Header) string {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	kind, _, _ = strings.Cut(kind, "+")
	switch kind {
	case "application/grpc":
		return kind
	case "application/grpc-web", "application/grpc-web-text":
		return kind + "+proto"
	}
	return ""
}

// grpc answers a call with the code for a status and with a message. The record has
// the status: that of the answer is always 200.
func grpc(w http.ResponseWriter, r *http.Request, kind string, status int, message string) {
	if rec := record.From(r.Context()); rec != nil {
		rec.Status = status
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Grpc-Status", strconv.Itoa(grpcCode(status)))
	h.Set("Grpc-Message", grpcMessage(message))
	w.WriteHeader(http.StatusOK)
}

// grpcCode is the code that clients make of a status (http-grpc-status-mapping.md
// of gRPC).
func grpcCode(status int) int {
	const (
		unknown          = 2
		permissionDenied = 7
		unimplemented    = 12
		internal         = 13
		unavailable      = 14
		unauthenticated  = 16
	)
	switch status {
	case http.StatusBadRequest:
		return internal
	case http.StatusUnauthorized:
		return unauthenticated
	case http.StatusForbidden:
		return permissionDenied
	case http.StatusNotFound:
		return unimplemented
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return unavailable
	}
	return unknown
}

// grpcMessage writes a message as its field has it: everything but the printable
// characters of ASCII, and the percent sign, by its number.
func grpcMessage(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '%' {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
