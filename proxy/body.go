package proxy

import (
	"fmt"
	"io"
	"log"
	"net/http"

	"fairway/internal/record"
)

// readNoted remembers why reading a response's body ended early.
type readNoted struct {
	io.ReadCloser
	err error
}

func (b *readNoted) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// noteBroken puts the reason for a response that broke off into the record.
func noteBroken(r *http.Request, err error, target *Target) {
	if r.Context().Err() != nil {
		record.From(r.Context()).Fail("the client went away during the response")
		return
	}
	record.From(r.Context()).Fail(fmt.Sprintf("response of %s broke off: %v", target.URL.Redacted(), err))
}

// silent takes what the reverse proxy would print: all of it is in the record.
var silent = log.New(io.Discard, "", 0)
