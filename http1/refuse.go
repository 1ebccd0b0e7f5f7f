package http1

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// refuse answers a request whose head could not be accepted. A connection that
// ended, or took too long, gets no answer.
func (c *conn) refuse(err error) {
	broken, ok := errors.AsType[*ProtocolError](err)
	if !ok && errors.Is(err, os.ErrDeadlineExceeded) && len(c.in.buffered()) > 0 {
		c.tellRefused(errHeadTooSlow) // it gets no answer: it has not asked yet
	}
	if !ok {
		return
	}
	c.tellRefused(broken)
	text := http.StatusText(broken.Status) + ": " + broken.Rule
	answer := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\n%sContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s\n",
		broken.Status, http.StatusText(broken.Status), c.srv.clock.dateLine(), len(text)+1, text)
	_ = c.rwc.SetWriteDeadline(time.Now().Add(lingerFor))
	if _, err := c.writer().Write(answer); err == nil {
		c.linger()
	}
}

func (c *conn) tellRefused(broken *ProtocolError) {
	if c.srv.Refused != nil {
		c.srv.Refused(c.remote, broken.Status, broken.Rule)
	}
}

// lingerFor bounds lingering, whatever the client does.
const lingerFor = 3 * time.Second

// linger closes the writing side and drops what the client still sends, for a
// while: if the connection were closed at once, the answer could be lost before
// the client reads it (RFC 9112, section 9.6).
func (c *conn) linger() {
	half, ok := c.rwc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	c.readDue.Store(0)
	_ = c.rwc.SetReadDeadline(time.Now().Add(lingerFor))
	buf := takeBuffer(mediumBuffer)
	defer giveBuffer(buf)
	for {
		if _, err := c.in.src.Read(buf); err != nil {
			return
		}
	}
}

var (
	_ io.ReaderFrom       = (*Writer)(nil)
	_ io.StringWriter     = (*Writer)(nil)
	_ http.Flusher        = (*Writer)(nil)
	_ http.Hijacker       = (*Writer)(nil)
	_ http.ResponseWriter = (*Writer)(nil)
)
