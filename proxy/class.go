package proxy

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"syscall"

	"fairway/http1"
)

// classOf finds the error type (RFC 9209, section 2.3) of what went wrong with a server.
// Empty: the status says enough.
func classOf(err error, e *Error) string {
	switch {
	case e.Status != http.StatusBadGateway && e.Status != http.StatusGatewayTimeout && e.Status != http.StatusInternalServerError:
		return "" // the client's doing
	case e.Unsent:
		return classOfDial(err)
	case e.Status == http.StatusGatewayTimeout:
		return "http_response_timeout"
	}
	if class := classOfTLS(err); class != "" {
		return class
	}
	if _, ok := errors.AsType[*http1.ProtocolError](err); ok {
		return "http_protocol_error"
	}
	return "connection_terminated"
}

func classOfDial(err error) string {
	var netErr net.Error
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsTimeout {
			return "dns_timeout"
		}
		return "dns_error"
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection_refused"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "destination_ip_unroutable"
	case errors.As(err, &netErr) && netErr.Timeout():
		return "connection_timeout"
	}
	if class := classOfTLS(err); class != "" {
		return class
	}
	return "destination_unavailable"
}

func classOfTLS(err error) string {
	if isCertificate(err) {
		return "tls_certificate_error"
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return "tls_alert_received"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "tls_protocol_error"
	}
	return ""
}
