package metrics

import (
	"crypto/tls"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	"fairway/internal/record"
)

// The values of the labels method and protocol are bounded, whatever clients send, and as
// Traefik has them.

// methods that have a series of their own. Clients may send any word as a method.
var methods = [...]string{
	"EXTENSION_METHOD", http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodConnect, http.MethodOptions, http.MethodTrace,
}

func methodIndex(method string) int {
	if method == http.MethodGet {
		return 1
	}
	return max(slices.Index(methods[:], method), 0)
}

var protocols = [...]string{"http", "websocket", "sse"}

func protocolIndex(r *http.Request) int {
	switch {
	case lists(r.Header["Upgrade"], "websocket"):
		return 1
	case lists(r.Header["Accept"], "text/event-stream"):
		return 2
	}
	return 0
}

// lists tells whether a word is in the lists of a header, whatever its parameters.
func lists(values []string, word string) bool {
	for _, rest := range values {
		for more := true; more; {
			var item string
			item, rest, more = strings.Cut(rest, ",")
			item, _, _ = strings.Cut(item, ";")
			if strings.EqualFold(strings.TrimSpace(item), word) {
				return true
			}
		}
	}
	return false
}

func versionName(v uint16) string {
	switch v {
	case tls.VersionTLS10:
		return "1.0"
	case tls.VersionTLS11:
		return "1.1"
	case tls.VersionTLS12:
		return "1.2"
	case tls.VersionTLS13:
		return "1.3"
	}
	return "unknown"
}

// traceOf is the identifier of the trace that a request belongs to.
func traceOf(trace record.Trace) string {
	id := trace.TraceID()
	return hex.EncodeToString(id[:])
}
