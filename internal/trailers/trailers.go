// Package trailers keeps fields out of what comes behind the body of a request: some servers
// take that for headers.
package trailers

import (
	"errors"
	"io"
	"maps"
	"net/http"
)

// Without returns the request to go on with, whose trailers have no field of a name that is
// taken away: neither of those that are announced, nor of those that nobody knows of before
// the body has ended.
func Without(r *http.Request, takes func(name string) bool) *http.Request {
	if !MayHave(r) {
		return r
	}
	out := new(http.Request)
	*out = *r
	b := &body{ReadCloser: r.Body, from: r, takes: takes, trailer: http.Header{}}
	b.fill()
	out.Body, out.Trailer = b, b.trailer
	return out
}

// MayHave tells whether a request may have trailers: by HTTP/1.1 only chunks have some, by
// HTTP/2 only those that are announced are taken.
func MayHave(r *http.Request) bool {
	return r.Body != nil && r.Body != http.NoBody && (r.Trailer != nil || r.ContentLength < 0)
}

// body has the trailers taken over when it ends.
type body struct {
	io.ReadCloser
	from    *http.Request
	takes   func(name string) bool
	trailer http.Header
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.fill()
	}
	return n, err
}

func (b *body) fill() {
	maps.Copy(b.trailer, b.from.Trailer)
	maps.DeleteFunc(b.trailer, func(name string, _ []string) bool { return b.takes(name) })
}
