package http1

import (
	"net/http"
	"sync"

	"fairway/internal/record"
)

// turn is one request and its response: all that a handler gets to see. When it
// is over it serves another request, perhaps of another connection, unless
// somebody may still look at it.
type turn struct {
	conn    *conn
	request *request
	writer  Writer
	body    requestBody
	ctx     requestContext
	record  record.Record

	expects     bool       // the client may wait for 100 Continue
	continuing  sync.Mutex // guards the next, while body and writer are used by two goroutines
	mayContinue bool       // it still does
}

var turns = sync.Pool{New: func() any { return newTurn() }}

func newTurn() *turn {
	x := new(turn)
	x.ctx.turn, x.body.turn, x.writer.turn = x, x, x
	x.writer.header = make(http.Header, 8)
	x.request = newRequest(new(http.Request).WithContext(&x.ctx))
	return x
}

func takeTurn(c *conn) *turn {
	x := turns.Get().(*turn)
	if x.ctx.isShared() { // somebody asked for Done when it was too late
		x = newTurn()
	}
	x.conn = c
	return x
}

// give ends the turn and keeps it for another, if it is nobody else's.
func (x *turn) give() {
	if x.writer.hijacked || x.ctx.isShared() {
		return
	}
	if x.body.started && !x.body.seen {
		return // who has not seen the end of the body may go on reading
	}
	x.request.forget()
	x.writer.forget()
	x.body.forget()
	x.record = record.Record{}
	x.conn = nil
	turns.Put(x)
}

// begin gets everything ready for the handler of a parsed request.
func (x *turn) begin() error {
	c, q := x.conn, x.request
	r := q.http
	if r.Method == http.MethodConnect && !c.srv.Connect {
		return errConnect
	}
	r.RemoteAddr, r.TLS = c.remote, c.tls
	x.record.ClientIP, x.record.Peer = c.peer, c.name
	x.ctx.begin()
	x.writer.begin()
	c.watch.begin(q.kind == bodyNone)
	if q.kind == bodyNone {
		r.Body = http.NoBody
		c.readDue.Store(0)
		if c.exactRead {
			c.limitRead(0)
		}
		c.in.release()
	} else {
		x.body.begin(q)
		r.Body = &x.body
	}
	x.expects, x.mayContinue = false, false
	if q.expect == "" {
		return nil
	}
	if !hasElement(q.expect, "100-continue") {
		return errExpectation
	}
	x.expects = q.minor > 0 && q.kind != bodyNone
	x.mayContinue = x.expects
	return nil
}
