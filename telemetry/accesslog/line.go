package accesslog

import (
	"net/http"
	"net/url"
	"time"

	"fairway/internal/identity"
	"fairway/internal/record"
	"fairway/telemetry"
)

// line is what one line is made with. It is used again for others.
type line struct {
	*form
	e     *telemetry.Exchange
	r     *http.Request
	rec   *record.Record
	count uint64 // of exchanges, this one included

	buf     []byte
	plain   *[256]bool // what is not escaped in a text
	scratch []byte     // for the name of a parameter
	start   stamp
	end     stamp
	headers headers

	fragments [kept + 1]*fragments // by group; JSON
}

func newLine(f *form, local *time.Location) *line {
	x := &line{form: f, start: stamp{local: local}, end: stamp{local: local}, plain: &plainText}
	x.headers.init(f.modes)
	for i := range f.groups {
		switch g := f.groups[i].of; {
		case g == ofClient:
			x.fragments[g] = newFragments(clientsKept)
		case g != ofItself && g <= kept:
			x.fragments[g] = newFragments(fragmentsKept)
		}
	}
	return x
}

// Exchanges that lack something are written as if it were empty.
var (
	noRequest = &http.Request{URL: &url.URL{}}
	noRecord  = &record.Record{}
)

// write makes the line of an exchange. What it returns is good until the next.
func (x *line) write(e *telemetry.Exchange, count uint64) []byte {
	x.e, x.r, x.rec, x.count = e, e.Request, e.Record, count
	if x.r == nil {
		x.r = noRequest
	}
	if x.rec == nil {
		x.rec = noRecord
	}
	if !x.rec.Start.IsZero() {
		x.start.set(x.rec.Start)
	}
	if x.json {
		x.buf = x.appendJSON(x.buf[:0])
	} else {
		x.buf = x.appendText(x.buf[:0])
	}
	return x.buf
}

// forget lets go of the exchange, which is not ours any more.
func (x *line) forget() {
	x.e, x.r, x.rec = nil, nil, nil
	x.headers.forget()
}

// The following add a value in the form of the line. Nothing is added for what is not
// known.

// escape adds a part of a string.
func (x *line) escape(dst []byte, s string) []byte {
	if x.json {
		return escapeJSON(dst, s)
	}
	return escapeText(dst, s, x.plain)
}

// quote begins and ends a string.
func (x *line) quote(dst []byte) []byte {
	if x.json {
		return append(dst, '"')
	}
	return dst
}

func (x *line) text(dst []byte, s string) []byte {
	if s == "" {
		return dst
	}
	return x.quote(x.escape(x.quote(dst), s))
}

// nobody is who sends a request of which it is not known.
var nobody = &identity.Identity{Consumer: &identity.Consumer{}}

func (x *line) identity() *identity.Identity {
	if x.rec.Identity == nil {
		return nobody
	}
	return x.rec.Identity
}

func (x *line) consumer() *identity.Consumer {
	if c := x.identity().Consumer; c != nil {
		return c
	}
	return nobody.Consumer
}

// orDash is text, with a dash for what is not known.
func (x *line) orDash(dst []byte, s string) []byte {
	if s == "" {
		s = "-"
	}
	return x.text(dst, s)
}

func (x *line) number(dst []byte, n int64) []byte { return appendInt(dst, n) }

// startUTC and startLocal add when the request came.
func (x *line) startUTC(dst []byte) []byte {
	switch {
	case x.rec.Start.IsZero():
		return dst
	case x.json:
		return x.quote(x.start.appendUTC(x.quote(dst)))
	}
	return append(dst, x.start.clf...)
}

func (x *line) startLocal(dst []byte) []byte {
	switch {
	case x.rec.Start.IsZero():
		return dst
	case x.json:
		return x.quote(x.start.appendLocal(x.quote(dst)))
	}
	return append(dst, x.start.clfHere...)
}
