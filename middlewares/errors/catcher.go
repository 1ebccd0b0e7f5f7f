package errors

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"

	"fairway/internal/record"
	"fairway/internal/responsehead"
)

// catcher lets a response through, or drops it when its status is one that gets a
// page. That is decided when the status is known, and the page is sent at once:
// nobody waits for the end of a body that is dropped.
type catcher struct {
	inner    http.ResponseWriter
	handler  *handler
	request  *http.Request
	before   http.Header // what was there already when the request came
	status   int         // that the service has given; 0: none yet
	begun    bool
	caught   bool
	broken   bool        // the page is not whole
	hijacked bool        // there is no response any more
	dropped  http.Header // takes what is said of a response that is dropped
	passed   int         // bytes of it that have come
}

// dropAtMost is how much is read of a response that is dropped, so that its connection can
// be used again. Nobody waits for it.
const dropAtMost = 64 << 10

// Header implements http.ResponseWriter.
func (c *catcher) Header() http.Header {
	if c.caught {
		return c.dropped
	}
	return c.inner.Header()
}

// Status implements the contract of writers that know their status: it is that of the
// service, also when the client gets a page.
func (c *catcher) Status() int { return c.status }

func (c *catcher) note(status int) {
	if c.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		c.status = status
	}
}

// WriteHeader implements http.ResponseWriter. Informational responses pass.
func (c *catcher) WriteHeader(status int) {
	c.note(status)
	switch {
	case c.caught:
	case c.begun || status < 200:
		c.begun = c.begun || status == http.StatusSwitchingProtocols
		c.inner.WriteHeader(status)
	case c.catches(status):
		c.catch(status)
	default:
		c.begun = true
		c.inner.WriteHeader(status)
	}
}

func (c *catcher) catches(status int) bool {
	if c.handler.yields {
		if rec := record.From(c.request.Context()); rec != nil && rec.Paged {
			return false
		}
	}
	return c.handler.status.have(status) && c.request.Context().Err() == nil
}

// Forward implements responsehead.Forwarder.
func (c *catcher) Forward(r responsehead.Received) error {
	if c.begun || c.caught || c.catches(r.StatusCode()) {
		return responsehead.ErrInParts
	}
	c.begun = true
	c.note(r.StatusCode())
	return responsehead.Forward(c.inner, r)
}

// begin is for a handler that says no status.
func (c *catcher) begin() {
	if !c.begun && !c.caught && !c.hijacked {
		c.WriteHeader(http.StatusOK)
	}
}

func (c *catcher) catch(status int) {
	h := c.inner.Header()
	c.caught, c.dropped = true, h.Clone()
	for name := range h {
		if _, ours := c.before[name]; !ours && !outlives(name) {
			delete(h, name)
		}
	}
	for name, values := range c.before {
		if !outlives(name) {
			h[name] = values
		}
	}
	if rec := record.From(c.request.Context()); rec != nil {
		rec.Paged = true
		defer func(origin record.Origin) { rec.Origin = origin }(rec.Origin) // the page is not what the server answered
	}
	c.broken = !c.handler.serve(c.inner, c.request, status)
}

// outlives tells whether a field of a response that is dropped is about its status or
// its client, and not about its content.
func outlives(name string) bool {
	switch name {
	case "Www-Authenticate", "Proxy-Authenticate", "Retry-After", "Allow", "Set-Cookie", "Vary":
		return true
	}
	return strings.HasPrefix(name, "Access-Control-")
}

func (c *catcher) Write(b []byte) (int, error) {
	c.begin()
	if c.caught {
		if c.passed += len(b); c.passed > dropAtMost {
			return 0, responsehead.ErrDropped
		}
		return len(b), nil
	}
	return c.inner.Write(b)
}

// ReadFrom lets the inner writer use sendfile and splice, if it can.
func (c *catcher) ReadFrom(src io.Reader) (int64, error) {
	c.begin()
	if c.caught {
		return io.Copy(struct{ io.Writer }{c}, src)
	}
	return io.Copy(c.inner, src)
}

// FlushError is the form of Flush that http.ResponseController looks for.
func (c *catcher) FlushError() error {
	c.begin()
	if c.caught {
		return responsehead.ErrDropped
	}
	return http.NewResponseController(c.inner).Flush()
}

// Flush implements http.Flusher, for handlers that ask for it directly.
func (c *catcher) Flush() { _ = c.FlushError() }

// Hijack implements http.Hijacker.
func (c *catcher) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if c.caught {
		return nil, nil, http.ErrNotSupported
	}
	conn, buf, err := http.NewResponseController(c.inner).Hijack()
	c.hijacked = c.hijacked || err == nil
	return conn, buf, err
}

// Unwrap is for the rest of http.ResponseController.
func (c *catcher) Unwrap() http.ResponseWriter { return c.inner }
