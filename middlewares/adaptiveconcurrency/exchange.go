package adaptiveconcurrency

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"fairway/internal/responsehead"
)

// exchange is one request that was let in. What it tells of the service is the time from when
// that could have all of the request to when its response began. How long clients take to send
// a request, and to take a response, is their own affair: with that in it a few who are slow, be it
// on purpose, would have the limit fall for all.
type exchange struct {
	responsehead.Writer
	gate    *gate
	config  *Config
	request *http.Request
	body    body
	left    bool
}

// EditHead implements responsehead.Editor: the response begins.
func (x *exchange) EditHead(responsehead.Head) {
	since := x.body.whole.Load()
	if since == 0 || x.request.Context().Err() != nil {
		return // it was answered without having been read, or given up
	}
	now := time.Now()
	x.gate.tell(now, now.Sub(x.body.start)-time.Duration(since), x.config)
}

// Hijack implements http.Hijacker. What has become another protocol may last for days, and is no
// request any more.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := x.Writer.Hijack()
	if err == nil {
		x.leave()
	}
	return conn, buf, err
}

// leave gives its place to another one.
func (x *exchange) leave() {
	if !x.left {
		x.left = true
		x.gate.leave(x.config)
	}
}

// body notes when the body of a request has been read.
type body struct {
	io.ReadCloser
	start time.Time
	rest  int64        // of the length that was told; below 0: none was
	whole atomic.Int64 // when it was, since start; 0: it was not
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.rest >= 0 {
		b.rest -= int64(n)
	}
	if err == io.EOF || b.rest == 0 {
		b.end()
	}
	return n, err
}

func (b *body) end() { b.whole.CompareAndSwap(0, int64(max(time.Since(b.start), 1))) }
