package attempt

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// ErrTooLong is returned for a body that is longer than what may be kept of it.
var ErrTooLong = errors.New("the body is too long to be sent again")

// Body is the body of a request that can be read several times.
type Body struct {
	whole []byte
	none  bool
}

// ReadBody reads the body of r. limit is how many bytes may be kept; negative: any
// number. Trailers of the request are lost.
func ReadBody(r *http.Request, limit int64) (*Body, error) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return &Body{none: true}, nil
	}
	if limit >= 0 && r.ContentLength > limit {
		return nil, ErrTooLong
	}
	from := io.Reader(r.Body)
	if limit >= 0 {
		from = io.LimitReader(from, limit+1)
	}
	whole, err := io.ReadAll(from)
	switch {
	case err != nil:
		return nil, err
	case limit >= 0 && int64(len(whole)) > limit:
		return nil, ErrTooLong
	}
	return &Body{whole: whole}, nil
}

// Request returns a copy of r with this body, to be sent once, and a header map of its
// own.
func (b *Body) Request(r *http.Request) *http.Request {
	out := new(http.Request)
	*out = *r
	out.Header = r.Header.Clone()
	if !b.none {
		out.Body = io.NopCloser(bytes.NewReader(b.whole))
		out.ContentLength = int64(len(b.whole))
		out.TransferEncoding, out.Trailer = nil, nil
	}
	return out
}
