package http1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync/atomic"
	"time"
)

// Exchange is one request to an upstream and its response. It belongs to its
// connection, and is not to be touched after End.
type Exchange struct {
	// Response is the head. Its strings stay valid, it does not stay itself.
	Response *Response

	conn    *upstreamConn
	client  http.ResponseWriter
	sending *sending // of a body that is still being sent; nil when all is sent
}

// Upgraded tells whether the upstream has changed the protocol.
func (x *Exchange) Upgraded() bool { return x.Response.Status == http.StatusSwitchingProtocols }

// ErrClientGone is returned when the client went away before the response came.
var ErrClientGone = errClientGone

// Do sends r and waits for the head of the response. Who gets an Exchange ends it.
//
// w is the writer of r, or nil. It is told of informational responses (RFC 9110,
// section 15.2), and its read deadline is used to stop the reading of a body that
// the upstream does not want any more.
//
// A request that got no byte of a response on a connection that had been used
// before is sent once more, on a new one, if it may be repeated: the upstream may
// have closed the old one while the request was under way.
//
// A method that is no token is refused before anything is sent: it could have a
// request of its own in it.
func (u *Upstream) Do(w http.ResponseWriter, r *http.Request, o *Outgoing) (*Exchange, error) {
	if !isMethod(r.Method) {
		return nil, fmt.Errorf("send a request: its method %.40q is no token", r.Method)
	}
	u.prepare()
	ctx := r.Context()
	var c *upstreamConn
	if u.binds.Load() {
		c = u.boundTo(w)
	}
	if c == nil {
		c = u.take(time.Now())
	}
	for again := false; ; again = true {
		if c == nil {
			fresh, err := u.dial(ctx, o.DialTimeout)
			if err != nil {
				return nil, err
			}
			c = fresh
		}
		c.exchange = Exchange{conn: c, client: w}
		x := &c.exchange
		if authenticates(r) {
			c.bound = true
		}
		progress, err := x.do(ctx, r, o)
		if err == nil {
			return x, nil
		}
		retry := progress.unanswered && !progress.bodyRead && repeatable(r)
		reason := c.end()
		x.stopSending()
		reused := c.reused
		c.close()
		switch {
		case reason != nil:
			return nil, reason
		case !retry:
			return nil, err
		case again || !reused:
			return nil, &RepeatableError{err}
		}
		c = nil
	}
}

// RepeatableError is an error after which the request may be sent to another
// server: its body has not been touched, no byte of a response came, and what its
// method asks for may be done twice.
type RepeatableError struct{ Err error }

func (e *RepeatableError) Error() string { return e.Err.Error() }
func (e *RepeatableError) Unwrap() error { return e.Err }

// repeatable tells whether sending a request twice does no more than sending it
// once (RFC 9110, section 9.2.2).
func repeatable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// progress is how far a failed exchange got.
type progress struct {
	unanswered bool // no byte of a response came
	bodyRead   bool // bytes of the request's body are spent
}

func (x *Exchange) do(ctx context.Context, r *http.Request, o *Outgoing) (progress, error) {
	c := x.conn
	c.begin(ctx)
	bodyRead, err := x.send(r, o) // waits for the first bytes as well
	p := progress{unanswered: true, bodyRead: bodyRead}
	if err != nil && (!bodyRead || IsBodyError(err)) {
		return p, err // it would wait for the rest of the body, and never answer
	}
	sendErr := err
	if c.upstream.HeaderTimeout > 0 {
		c.waits(time.Now())
	}
	err = x.readHead(r)
	if c.upstream.HeaderTimeout > 0 {
		c.waits(time.Time{})
	}
	if err != nil {
		p.unanswered = len(c.in.buffered()) == 0 && c.res.Status == 0
		if sendErr != nil {
			err = sendErr // the reason for the rest
		}
		return p, err
	}
	c.reused = true
	if sendErr != nil {
		c.res.close = true // it has not got the whole body, and cannot get another request
	}
	return p, nil
}

// aheadOfBody is how much of a body is sent by the serving goroutine before it
// looks for a response. What is longer, or of unknown length, is sent by a
// goroutine of its own: the upstream may answer early, or in turns.
const aheadOfBody = 256 << 10

// roomBesideHead is how much of a medium buffer an ordinary head leaves to the body.
const roomBesideHead = mediumBuffer - 2<<10

// send writes the head and, when it is short, the body. bodyRead tells whether
// bytes of the body are spent.
func (x *Exchange) send(r *http.Request, o *Outgoing) (bodyRead bool, err error) {
	kind, size := framingOf(r), mediumBuffer
	if kind == bodyLength && r.ContentLength > roomBesideHead {
		size = largeBuffer // so that one write is enough
	}
	buf := takeBuffer(size)
	head := appendRequest(buf[:0], r, o)
	if cap(head) != cap(buf) {
		giveBuffer(buf) // it was too small
	}
	switch {
	case kind == bodyNone:
		return false, x.conn.ask(head)
	case kind == bodyChunks || r.ContentLength > aheadOfBody || r.Header.Get("Expect") != "":
		defer giveBuffer(head)
		if _, err := x.conn.conn.Write(head); err != nil {
			return false, err
		}
		x.sending = startSending(x.conn, r, kind)
		return true, nil
	}
	return x.conn.askShort(head, r.Body, r.ContentLength)
}

// askShort writes a head and a short body, the head together with what fits behind
// it. It gives back the buffer of the head.
func (c *upstreamConn) askShort(head []byte, body io.Reader, length int64) (bool, error) {
	for sent := false; ; sent = true {
		if len(head) == cap(head) {
			if _, err := c.conn.Write(head); err != nil {
				giveBuffer(head)
				return sent, err
			}
			head = head[:0]
		}
		space := head[len(head):cap(head)]
		n, err := body.Read(space[:min(int64(len(space)), length)])
		length -= int64(n)
		head = head[:len(head)+n]
		switch {
		case length == 0:
			return true, c.ask(head)
		case err != nil:
			giveBuffer(head)
			return true, &bodyError{noEOF(err)}
		}
	}
}

// bodyError is an error in reading the client's body, not the upstream's fault.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "read the request's body: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// IsBodyError tells whether an exchange failed because the body of the request
// could not be read.
func IsBodyError(err error) bool {
	_, ok := errors.AsType[*bodyError](err)
	return ok
}

// mostInformational is how many informational responses may come before the real
// one. An upstream that sends them for ever would never be done.
const mostInformational = 1000

// readHead reads heads until the last one is there.
func (x *Exchange) readHead(r *http.Request) error {
	c := x.conn
	c.res.Status = 0
	for n := 0; ; n++ {
		if err := x.readOneHead(r.Method); err != nil {
			return err
		}
		switch {
		case c.res.Status == http.StatusSwitchingProtocols && !isListed(UpgradeOf(r.Header), c.res.upgrade):
			return errSwitch
		case n == mostInformational:
			return errInformational
		}
		if c.res.Status >= 200 || c.res.Status == http.StatusSwitchingProtocols {
			break
		}
		if c.res.Status != http.StatusContinue && x.client != nil {
			x.inform()
		}
	}
	c.body.start(&c.in, &c.res.framing, &c.upstream.limits)
	c.res.Body = &c.body
	x.Response = &c.res
	return nil
}

func (x *Exchange) readOneHead(method string) error {
	c := x.conn
	if err := c.in.beginsWith("HTTP/1."); err != nil {
		return err
	}
	raw, err := c.in.head(c.upstream.limits.HeadBytes)
	if err == errURITooLong { //nolint:errorlint // compared by identity
		err = errHeadTooLong // a response has no target
	}
	if err != nil {
		return err
	}
	if err := c.res.parse(raw, method, &c.upstream.limits); err != nil {
		return err
	}
	c.in.consume(len(raw))
	return nil
}

// inform passes an informational response on to the client.
func (x *Exchange) inform() {
	fields, h := http.Header{}, x.client.Header()
	x.conn.res.Header(fields)
	before := maps.Clone(h)
	maps.Copy(h, fields)
	x.client.WriteHeader(x.conn.res.Status)
	clear(h)
	maps.Copy(h, before)
}

// Read reads the body of the response.
func (x *Exchange) Read(p []byte) (int, error) { return x.conn.body.Read(p) }

// WriteTo writes the body of the response to w.
func (x *Exchange) WriteTo(w io.Writer) (int64, error) { return x.conn.body.WriteTo(w) }

// Trailer returns what came behind the body.
func (x *Exchange) Trailer() http.Header { return x.conn.body.trailer }

// End ends the exchange. The connection serves another request if this response
// was read to its end and nothing else is in the way. It returns the reason if
// the exchange was aborted from outside.
func (x *Exchange) End() error {
	c := x.conn
	good := c.body.complete() && !c.res.close && !x.Upgraded() && len(c.in.buffered()) == 0 && c.in.err == nil
	reason := c.end() // what stops the sending is no reason any more
	if !x.stopSending() {
		good = false
	}
	if !good || reason != nil {
		c.close()
		return reason
	}
	if x.sending != nil {
		setUserTimeout(c.conn, unacknowledged)
	}
	switch {
	case !c.bound && !c.res.byConnection:
		c.upstream.give(c)
	default:
		c.bound = true
		c.upstream.binds.Store(true)
		if !c.bind(x.client) {
			c.close()
		}
	}
	return nil
}

// stopSending makes sure that nobody sends any more. It returns false when the
// body has not been sent to its end.
func (x *Exchange) stopSending() bool {
	if x.sending == nil {
		return true
	}
	if !x.sending.ended() {
		_ = x.conn.conn.Close()
		if x.client != nil {
			_ = http.NewResponseController(x.client).SetReadDeadline(time.Now())
		}
		x.sending.wait()
		return false
	}
	return x.sending.err == nil
}

// sending is a body on its way, in a goroutine of its own. It ends with the
// connection or with the client.
type sending struct {
	done chan struct{}
	err  error
	last atomic.Bool // the last write is under way
}

func startSending(c *upstreamConn, r *http.Request, kind bodyKind) *sending {
	s := &sending{done: make(chan struct{})}
	body, trailer := r.Body, r.Trailer
	length, serial := r.ContentLength, c.serial
	setUserTimeout(c.conn, untaken)
	go func() {
		defer close(s.done)
		if kind == bodyLength {
			s.err = s.sendLong(c.conn, body, length)
		} else {
			s.err = s.sendChunks(c.conn, body, trailer)
		}
		if IsBodyError(s.err) {
			c.abort(serial, s.err) // the upstream would wait for the rest
		}
	}()
	return s
}

func (s *sending) wait() { <-s.done }

// lastWrite is how long an answered last write may take to return.
const lastWrite = 100 * time.Millisecond

// ended tells whether all is sent. A fast upstream answers before the last write
// has returned: that is waited for.
func (s *sending) ended() bool {
	select {
	case <-s.done:
		return true
	default:
	}
	if !s.last.Load() {
		return false
	}
	timer := time.NewTimer(lastWrite)
	defer timer.Stop()
	select {
	case <-s.done:
		return true
	case <-timer.C:
		return false
	}
}

func (s *sending) sendLong(w io.Writer, body io.Reader, length int64) error {
	buf := takeBuffer(largeBuffer)
	defer giveBuffer(buf)
	for length > 0 {
		n, err := body.Read(buf[:min(int64(len(buf)), length)])
		if n > 0 {
			length -= int64(n)
			s.last.Store(length == 0)
			if _, werr := w.Write(buf[:n]); werr != nil {
				return werr
			}
		}
		if err != nil && length > 0 {
			return &bodyError{noEOF(err)}
		}
	}
	return nil
}

func (s *sending) sendChunks(w io.Writer, body io.Reader, trailer http.Header) error {
	const room = 16 // for the chunk line in front, and its end
	buf := takeBuffer(largeBuffer)
	defer giveBuffer(buf)
	out := takeBuffer(largeBuffer)
	defer giveBuffer(out)
	for {
		n, err := body.Read(buf[:len(buf)-2*room])
		part := appendChunk(out[:0], buf[:n])
		if err == io.EOF {
			part = appendLastChunk(part, trailer)
			s.last.Store(true)
		}
		if len(part) > 0 {
			if _, werr := w.Write(part); werr != nil {
				return werr
			}
		}
		switch err {
		case nil:
		case io.EOF:
			return nil
		default:
			return &bodyError{err}
		}
	}
}

// Aborted returns why the exchange was aborted from outside, or nil.
func (x *Exchange) Aborted() error {
	x.conn.mu.Lock()
	defer x.conn.mu.Unlock()
	return x.conn.failure
}

// Announced returns the names of trailers that the head of the response promises.
func (x *Exchange) Announced() http.Header { return x.Response.announced() }

// Waits tells whether the next Read of the body would wait for the upstream.
func (x *Exchange) Waits() bool { return x.conn.body.waits() }

// Sends tells whether the body of the request is still on its way.
func (x *Exchange) Sends() bool { return x.sending != nil && !x.sending.ended() }
