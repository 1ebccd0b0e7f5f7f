package answer

import (
	"net/http"

	"fairway/internal/record"
)

// tellClass says in Proxy-Status (RFC 9209) what kind of failure an answer is about, if
// the client may know. The words of the cause stay with the operator.
func tellClass(h http.Header, rec *record.Record, status int) {
	if rec == nil || !rec.Classes {
		return
	}
	class := rec.Class
	if class == "" {
		class = classOf(status)
	}
	if class != "" {
		h.Add("Proxy-Status", "fairway; error="+class)
	}
}

// classOf is the error type (RFC 9209, section 2.3) for a status of the gateway's own,
// where nothing more is known.
func classOf(status int) string {
	switch status {
	case http.StatusNotFound, http.StatusMisdirectedRequest:
		return "destination_not_found"
	case http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge:
		return "http_request_error"
	case http.StatusLoopDetected:
		return "proxy_loop_detected"
	case http.StatusBadGateway, http.StatusServiceUnavailable:
		return "destination_unavailable"
	case http.StatusGatewayTimeout:
		return "http_response_timeout"
	case StatusClientClosedRequest:
		return ""
	}
	switch {
	case status >= 500:
		return "proxy_internal_error"
	case status >= 400:
		return "http_request_denied"
	}
	return ""
}
