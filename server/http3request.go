package server

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// visitor is one connection by HTTP/3. It is closed when no request has been under
// way for the idle timeout of the entry point: streams on which no request comes,
// and packets that only say that somebody is there, do not count.
type visitor struct {
	conn   *quic.Conn
	idle   time.Duration // 0 is for ever
	mu     sync.Mutex
	active int
	timer  *time.Timer
}

type visitorKey struct{}

// welcome is http3.Server.ConnContext.
func (h *http3Server) welcome(ctx context.Context, conn *quic.Conn) context.Context {
	h.open.Add(1)
	context.AfterFunc(conn.Context(), func() { h.open.Add(-1) })
	v := &visitor{conn: conn, idle: time.Duration(h.entry.config.Transport.RespondingTimeouts.IdleTimeout)}
	if v.idle > 0 {
		v.timer = time.AfterFunc(v.idle, v.leave)
		context.AfterFunc(conn.Context(), func() { v.timer.Stop() })
	}
	return context.WithValue(ctx, visitorKey{}, v)
}

// leave closes the connection when its time of idleness is over.
func (v *visitor) leave() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.active == 0 {
		_ = v.conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "idle")
	}
}

// begin notes a request. It returns false when there are too many at a time.
func (v *visitor) begin() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.active++; v.timer != nil {
		v.timer.Stop()
	}
	if v.active > 2*quicStreams {
		_ = v.conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad), "too many requests given up")
		return false
	}
	return true
}

func (v *visitor) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.active--; v.active == 0 && v.timer != nil {
		v.timer.Reset(v.idle)
	}
}

// ServeHTTP brings a request by HTTP/3 into the form of those of the other
// versions, and passes it on.
func (h *http3Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.active.Add(1)
	defer h.active.Add(-1)
	if v, ok := r.Context().Value(visitorKey{}).(*visitor); ok {
		defer v.end()
		if !v.begin() {
			return
		}
	}
	control, now, t := http.NewResponseController(w), time.Now(), h.entry.config.Transport.RespondingTimeouts
	read := time.Time{}
	if t.ReadTimeout > 0 {
		read = now.Add(time.Duration(t.ReadTimeout))
	}
	if t.WriteTimeout > 0 {
		_ = control.SetWriteDeadline(now.Add(time.Duration(t.WriteTimeout)))
	}
	r2 := *r
	b := &http3Body{r: r, ReadCloser: r.Body, left: r.ContentLength, trailer: maps.Clone(r.Trailer)}
	if b.trailer == nil {
		b.trailer = http.Header{}
	}
	r2.Body, r2.Trailer = b, b.trailer
	if r.ContentLength == 0 || r.ContentLength < 0 && seldomHasBody(r.Method) {
		_ = control.SetReadDeadline(earlier(read, now.Add(h.entry.patience())))
		if b.isEmpty() {
			r2.Body, r2.ContentLength = http.NoBody, 0
		} else if r.ContentLength == 0 {
			r2.ContentLength = -1 // its first Read tells what is wrong
		}
	}
	_ = control.SetReadDeadline(read)
	h.entry.outer.ServeHTTP(w, &r2)
}

func earlier(a, b time.Time) time.Time {
	if !a.IsZero() && a.Before(b) {
		return a
	}
	return b
}

// seldomHasBody tells whether a request that announces no length is taken to have
// no body until it is looked at. HTTP/3 does not say so in the head; a server by
// HTTP/1.1 would receive a body of unknown length with every GET.
func seldomHasBody(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodDelete:
		return true
	}
	return false
}

// http3Body is the body of a request by HTTP/3. A body of a known length is handed
// on to its last byte only when the end has been seen: a request whose length is
// another than it says is malformed (RFC 9114, section 4.1.2), and no server gets
// it as a whole.
type http3Body struct {
	io.ReadCloser
	r       *http.Request // quic-go puts the trailers there
	trailer http.Header   // of the request that is passed on
	left    int64         // of the length; below 0: unknown
	ahead   []byte        // read to see whether there is a body
	err     error         // final
}

// isEmpty looks whether there is a body, and waits for it or for its end.
func (b *http3Body) isEmpty() bool {
	var first [1]byte
	n, err := 0, error(nil)
	for n == 0 && err == nil {
		n, err = b.Read(first[:])
	}
	b.ahead, b.err = first[:n], err
	return n == 0 && errors.Is(err, io.EOF)
}

// Read implements io.Reader.
func (b *http3Body) Read(p []byte) (int, error) {
	switch {
	case len(b.ahead) > 0:
		n := copy(p, b.ahead)
		b.ahead = b.ahead[n:]
		return n, nil
	case b.err != nil:
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p)
	known := b.left > 0
	if known {
		b.left -= int64(n)
	}
	for known && b.left == 0 && err == nil {
		_, err = b.ReadCloser.Read(make([]byte, 1))
	}
	if err != nil {
		b.err = err
	}
	switch {
	case errors.Is(err, io.EOF):
		maps.Copy(b.trailer, b.r.Trailer)
	case err != nil:
		return 0, err
	}
	return n, err
}
