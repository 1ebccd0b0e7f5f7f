// Package requestid gives every request an identifier, by which what happened to it
// can be found in the logs of all who saw it: it is sent to the service, returned to
// the client, and written to the log.
package requestid

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"

	"fairway/internal/headername"
	"fairway/internal/record"
	"fairway/internal/responsehead"
	"fairway/middlewares"
)

// Config is the requestID middleware.
type Config struct {
	// Header is the name of the header that carries the identifier, in the request and
	// in the response. Default "X-Request-Id".
	Header string `json:"header,omitempty"`
	// TrustInbound keeps an identifier that the request already has, as long as it is at
	// most 128 visible characters of ASCII. With false every request gets a new one, a
	// random UUID. Default true.
	TrustInbound bool `json:"trustInbound,omitempty"`
}

const (
	defaultHeader = "X-Request-Id"
	longest       = 128
)

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() { c.Header, c.TrustInbound = defaultHeader, true }

type handler struct {
	header string
	trust  bool
	next   http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, _ middlewares.Env, next http.Handler) (http.Handler, error) {
	name := c.Header
	if name == "" {
		name = defaultHeader
	}
	if !headername.Valid(name) {
		return nil, fmt.Errorf("header: %q is no name of a header", name)
	}
	return &handler{header: http.CanonicalHeaderKey(name), trust: c.TrustInbound, next: next}, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := ""
	if sent := r.Header[h.header]; h.trust && len(sent) == 1 && acceptable(sent[0]) {
		id = sent[0]
	} else {
		id = newID()
	}
	rec := record.From(r.Context())
	if rec != nil {
		rec.RequestID = id
	}
	value := []string{id}
	r2 := new(http.Request)
	*r2 = *r
	r2.Header = maps.Clone(r.Header)
	headername.Remove(r2.Header, h.header)
	r2.Header[h.header] = value
	// The service may repeat the identifier, or have one of its own; the client gets
	// the one that is in the log.
	rw := responsehead.New(w, responsehead.Edit(func(head responsehead.Head) { head.Put(h.header, value) }))
	h.next.ServeHTTP(rw, r2)
	rw.Finish()
}

func acceptable(id string) bool {
	if id == "" || len(id) > longest {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

// newID returns a random UUID (RFC 9562, section 5.4).
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	text := make([]byte, 0, 36)
	for i, part := range [][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
		if i > 0 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, part)
	}
	return string(text)
}
