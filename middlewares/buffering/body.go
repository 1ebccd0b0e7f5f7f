package buffering

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"fairway/internal/answer"
)

// body is that of a request, as the attempts get it.
type body struct {
	spool *spool   // nil: it is not kept, or there is none
	live  *counted // it goes on as it comes
}

// readBody reads the body of a request, or says with which status, and why, it is
// refused.
func (h *handler) readBody(r *http.Request) (b body, status int, cause string) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return body{}, 0, ""
	}
	if h.request.exceeds(r.ContentLength) {
		return body{}, http.StatusRequestEntityTooLarge, tooLongRequest
	}
	if r.ProtoMajor >= 2 && isGRPC(r.Header) {
		return body{live: &counted{ReadCloser: r.Body, limits: h.request}}, 0, ""
	}
	b = body{spool: &spool{limits: h.request}}
	if r.ContentLength > 0 { // a length that is only claimed shall not cost much
		const most, end = 32 << 10, 512
		b.spool.begin = make([]byte, 0, min(r.ContentLength+end, h.request.memory, most))
	}
	if _, err := b.spool.ReadFrom(r.Body); err != nil {
		b.spool.close()
		status, cause = explain(r, err)
	}
	return b, status, cause
}

const tooLongRequest = "buffering: the request's body is longer than maxRequestBodyBytes"

// explain finds the status for a body that could not be read.
func explain(r *http.Request, err error) (status int, cause string) {
	disk, timeout := diskError{}, net.Error(nil)
	switch {
	case errors.Is(err, errTooLong):
		return http.StatusRequestEntityTooLarge, tooLongRequest
	case errors.As(err, &disk):
		return http.StatusInternalServerError, "buffering: keep the request's body: " + err.Error()
	case r.Context().Err() != nil:
		return answer.StatusClientClosedRequest, "buffering: the client went away while its body was read"
	case errors.As(err, &timeout) && timeout.Timeout():
		status = http.StatusRequestTimeout
	default:
		status = http.StatusBadRequest
	}
	return status, "buffering: read the request's body: " + err.Error()
}

// request returns a copy of r for an attempt, with header and body of its own.
func (b body) request(r *http.Request) *http.Request {
	out := new(http.Request)
	*out = *r
	out.Header = r.Header.Clone()
	switch {
	case b.live != nil:
		out.Body = b.live
	case b.spool == nil:
	case b.spool.size == 0:
		out.Body, out.ContentLength, out.TransferEncoding = http.NoBody, 0, nil
	default:
		out.Body = io.NopCloser(b.spool.reader())
		out.ContentLength, out.TransferEncoding = b.spool.size, nil
		if len(r.Trailer) > 0 { // a length would leave no room for them
			out.ContentLength = -1
		}
	}
	return out
}

// tooLong tells whether a body that goes on as it comes has turned out to be.
func (b body) tooLong() bool { return b.live != nil && b.live.over.Load() }

func (b body) close() {
	if b.spool != nil {
		b.spool.close()
	}
}

// counted is a body that goes on as it comes, but not beyond its limit. A transport may
// read it in a goroutine of its own.
type counted struct {
	io.ReadCloser
	limits
	read int64
	over atomic.Bool
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	if c.over.Load() {
		return 0, errTooLong
	}
	n, err := c.ReadCloser.Read(p)
	if c.read += int64(n); c.exceeds(c.read) {
		c.over.Store(true)
		return 0, errTooLong
	}
	return n, err
}

// kindOf is the media type in a header, in lower case.
func kindOf(h http.Header) string {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

// isGRPC tells of calls by gRPC and gRPC-Web, and of the answers to them.
func isGRPC(h http.Header) bool { return strings.HasPrefix(kindOf(h), "application/grpc") }
