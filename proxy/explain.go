package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"fairway/internal/answer"
	"fairway/internal/giveup"
)

// explain finds the status for an error from a transport, says in words what
// happened with which server, and whether another one may be tried. cause is why
// the request was ended, if it was.
func explain(r *http.Request, err, cause error, target *Target, body *sharedBody) *Error {
	e := &Error{Status: http.StatusBadGateway}
	_, e.Unsent = errors.AsType[dialError](err)
	doing := "forward to"
	if e.Unsent {
		doing = "connect to"
	}
	var netErr net.Error
	switch reading := body.failure(); {
	case giveup.Reason(r.Context()) != nil:
		err = giveup.Reason(r.Context())
		e.Status, e.Unsent = giveup.Status(err), false
	case errors.Is(r.Context().Err(), context.Canceled):
		e.Status, e.Unsent = answer.StatusClientClosedRequest, false
		err = errors.New("the client went away")
	case reading != nil:
		e.Status = http.StatusBadRequest
		if errors.As(reading, &netErr) && netErr.Timeout() {
			e.Status = http.StatusRequestTimeout
		}
		err = fmt.Errorf("read the request's body: %w", reading)
	case errors.Is(cause, errRefuses):
		e.Unsent = body.repeatable()
		err = cause
	case wasRefused(err):
		e.Unsent = body.repeatable()
	case errors.As(err, &netErr) && netErr.Timeout(), errors.Is(err, context.DeadlineExceeded):
		e.Status = http.StatusGatewayTimeout
	case isCertificate(err):
		e.Status = http.StatusInternalServerError
	case wasCutOff(err):
		e.Again = body.repeatable() && isIdempotent(r.Method)
		err = unexpected(err)
	}
	e.Class = classOf(err, e)
	e.Err = fmt.Errorf("%s %s: %w", doing, target.URL.Redacted(), err)
	return e
}

// wasRefused tells whether a server by HTTP/2 has promised that it did nothing with
// a request: it refused the stream, or went away without having seen it (RFC 9113,
// section 8.7). The transport tells so in words only.
func wasRefused(err error) bool {
	for _, words := range [...]string{
		"REFUSED_STREAM",
		"http2: Transport received Server's graceful shutdown GOAWAY",
		"http2: client conn not usable",
		"http2: client conn could not be established",
	} {
		if strings.Contains(err.Error(), words) {
			return true
		}
	}
	return false
}

// wasCutOff tells whether the connection ended before the response began.
func wasCutOff(err error) bool {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	return isEnd(err) || strings.Contains(err.Error(), "http2: server sent GOAWAY and closed the connection") ||
		strings.Contains(err.Error(), "http2: client connection lost") || strings.Contains(err.Error(), "server closed idle connection")
}

// isIdempotent tells whether sending a request twice does no more than sending it
// once (RFC 9110, section 9.2.2).
func isIdempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

func isCertificate(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	_, ok := errors.AsType[x509.UnknownAuthorityError](err)
	return ok
}
