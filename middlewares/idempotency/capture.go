package idempotency

import (
	"bufio"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"

	"fairway/internal/httpcache"
)

// capture keeps the response that goes to the client. When the client has gone, the response
// is taken in to its end all the same.
type capture struct {
	http.ResponseWriter
	longest int64
	before  http.Header // what others have put there is not the response's

	status  int
	header  http.Header
	body    []byte
	tooLong bool
	gone    bool // the client has
}

// Status implements the contract of writers that know their status.
func (c *capture) Status() int { return c.status }

// WriteHeader implements http.ResponseWriter.
func (c *capture) WriteHeader(status int) {
	if c.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		c.status, c.header = status, maps.Clone(c.Header())
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *capture) Write(p []byte) (int, error) {
	if c.status == 0 {
		c.WriteHeader(http.StatusOK)
	}
	switch {
	case c.tooLong:
	case int64(len(c.body)+len(p)) > c.longest:
		c.tooLong, c.body = true, nil
	default:
		c.body = append(c.body, p...)
	}
	if !c.gone {
		if _, err := c.ResponseWriter.Write(p); err != nil {
			c.gone = true
		}
	}
	return len(p), nil
}

// FlushError is the form of Flush that http.ResponseController looks for.
func (c *capture) FlushError() error {
	if c.status == 0 {
		c.WriteHeader(http.StatusOK)
	}
	if !c.gone {
		c.gone = http.NewResponseController(c.ResponseWriter).Flush() != nil
	}
	return nil
}

// Flush implements http.Flusher, for handlers that ask for it directly.
func (c *capture) Flush() { _ = c.FlushError() }

// Hijack implements http.Hijacker.
func (c *capture) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := http.NewResponseController(c.ResponseWriter).Hijack()
	if err == nil {
		c.status = http.StatusSwitchingProtocols
	}
	return conn, buf, err
}

// Unwrap is for the rest of http.ResponseController.
func (c *capture) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// end is called when the handler has returned.
func (c *capture) end() {
	if c.status == 0 {
		c.WriteHeader(http.StatusOK)
	}
}

// entry is the response as it is kept, or nil.
func (c *capture) entry() *httpcache.Entry {
	if c.tooLong {
		return nil
	}
	e := &httpcache.Entry{Status: c.status, Body: c.body, Came: time.Now()}
	for name, values := range c.header {
		if !httpcache.Storable(name) || slices.Equal(c.before[name], values) {
			continue
		}
		for _, value := range values {
			e.Fields = append(e.Fields, httpcache.Field{Name: name, Value: value})
		}
	}
	e.Init()
	return e
}
