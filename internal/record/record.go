// Package record holds what is known of one request while it travels: made once
// at the entry point, filled by the rooms it passes, read once by the log.
package record

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"fairway/internal/identity"
)

// Record is the one record of a request. It belongs to the goroutine that
// serves the request and is not safe for concurrent use.
type Record struct {
	Start      time.Time
	EntryPoint string
	Host       string             // as asked for: lower case, without port
	ClientIP   netip.Addr         // the peer of the connection (or of the PROXY header)
	Peer       string             // ClientIP as text
	Unlisted   bool               // Peer is not added to X-Forwarded-For
	Router     string             // qualified name; empty when no route matched
	Rule       string             // of the router, as written
	Service    string             // that the router names
	Leaf       string             // that was asked in the end: a load balancer, or one of the gateway's own; empty: none
	Server     string             // URL of the server that was tried last
	Sent       time.Time          // when that server was given the request; where that matters
	Found      http.Handler       // what serves the request, when pages for errors stand between; nil: nothing
	RequestID  string             // of the middleware requestID
	User       string             // who authenticated, if anybody did
	Identity   *identity.Identity // all that is known of who that is; nil: nothing
	Auth       Verdict            // of the last middleware that asked who it was
	Limit      Verdict            // of the last middleware that counts requests
	Cache      string             // how the middleware cache has answered; empty: it was not asked
	Hidden     []string           // parameters of the query whose values are nobody's business: credentials
	Attempts   int                // of the middleware retry; 0 without it
	Connect    time.Duration      // the longest time for connecting to a server; 0: as that says
	Classes    bool               // the client is told the class of a failure
	// Origin is what the server that was tried last has answered, where that is watched.
	Origin Origin
	Timed  bool // the times of Origin are wanted
	Headed bool // its Header is, too
	// Carried are bytes of a connection whose protocol was changed, from the client and to it.
	Carried struct{ Received, Sent int64 }
	Silent  Silent
	Trace   Trace // nil: the request is not followed
	// Detailed asks for spans of the parts that the request passes.
	Detailed bool
	// Follow begins with the Trace of a request whose entry point wants none, if its router
	// does; nil: that is not to be had.
	Follow func(r *http.Request, rec *Record)
	// Untell takes back that the headers tell that the request is not followed; nil: they
	// do not.
	Untell func(h http.Header)
	Outcome

	values [4]string // see Value
	used   int
}

// Trace follows a request that is sampled.
type Trace interface {
	// Attempt begins with a request that is given to a server: its headers, which are
	// edited in their place, tell the server of it. done ends it.
	Attempt(r *http.Request, server string) (done Done)
	// Ask begins with a request of the gateway's own that is needed for the answer, as one
	// to an authentication server. It is as Attempt else.
	Ask(r *http.Request) (done Done)
	// Enter begins with a part that serves r; inside is the request to go on with. leave
	// ends it, with the status of its response, 0 if there is none. It is broken if the
	// part has not come to its end.
	Enter(r *http.Request, p *Part) (inside *http.Request, leave func(status int, broken bool))
	// Forget ends the following of r, which nobody is told of: its headers become what they
	// were.
	Forget(r *http.Request)
	// TraceID is that of the trace that the request belongs to.
	TraceID() [16]byte
	// SpanID is that of the span of the request itself.
	SpanID() [8]byte
}

// Done ends what was begun with: with the status of the answer, or with the reason why
// there was none and its class, if that is known.
type Done func(status int, class string, err error)

// Part is a part of the gateway that requests pass.
type Part struct {
	Kind string // router, middleware or service
	Name string // qualified
	Type string // of the middleware, or of the service
}

// Verdict is what middlewares said of a request; empty: none was asked.
type Verdict string

// The verdicts, as the log has them.
const (
	Passed  Verdict = "passed"
	Refused Verdict = "refused"
)

func verdict(passed bool) Verdict {
	if passed {
		return Passed
	}
	return Refused
}

// SetAuth notes whether the client could show who it is. It accepts a nil Record.
func (rec *Record) SetAuth(passed bool) {
	if rec != nil {
		rec.Auth = verdict(passed)
	}
}

// NotAsked notes that it does not matter who the client is. It accepts a nil Record.
func (rec *Record) NotAsked() {
	if rec != nil {
		rec.Auth = ""
	}
}

// SetLimit notes whether the request was within a limit. It accepts a nil Record.
func (rec *Record) SetLimit(passed bool) {
	if rec != nil {
		rec.Limit = verdict(passed)
	}
}

// Silent are those who are not told of a request.
type Silent struct{ Log, Metrics, Traces bool }

// Origin is the answer of a server.
type Origin struct {
	Status   int           // 0: there was none
	Duration time.Duration // from giving the request to the server to the head of the answer
	Length   int64         // bytes of its body; below 0: not known
	Header   http.Header   // its fields, but for those of the connection; where they are wanted
}

// Outcome is how a request went. Who serves one again, or elsewhere, puts back what it
// was before.
type Outcome struct {
	Status int    // sent to the client, where it is not that of the response
	Paged  bool   // the response is a page of the middleware errors
	Cause  string // why the gateway itself answered, or why forwarding failed; empty: it did not
	Class  string // error type of RFC 9209, section 2.3, where the status does not tell it
	Unsent bool   // it kept the request from being sent to any server
}

// Value returns a list of one value for a header map, without allocating it where
// it can. It lives as long as the record.
func (rec *Record) Value(v string) []string {
	if rec.used == len(rec.values) {
		return []string{v}
	}
	i := rec.used
	rec.used++
	rec.values[i] = v
	return rec.values[i : i+1 : i+1]
}

// longestCause bounds what is noted: clients can have some of it, as the issuer that their
// token names.
const longestCause = 512

// Fail notes why the request did not get a server's answer. The first cause
// stays: later ones are consequences. It accepts a nil Record.
func (rec *Record) Fail(cause string) {
	if rec == nil || rec.Cause != "" {
		return
	}
	if len(cause) > longestCause {
		cause = strings.ToValidUTF8(cause[:longestCause-len("…")], "") + "…"
	}
	rec.Cause = cause
}

// Classify notes the class of a failure that is going to be noted with its cause, which
// comes too late if there is one. It accepts a nil Record.
func (rec *Record) Classify(class string) {
	if rec != nil && rec.Cause == "" {
		rec.Class = class
	}
}

// SetUnsent notes whether no server has been given anything of the request. It
// accepts a nil Record.
func (rec *Record) SetUnsent(unsent bool) {
	if rec != nil {
		rec.Unsent = unsent
	}
}

// SetCarried notes the bytes of a connection whose protocol was changed. It accepts a nil
// Record.
func (rec *Record) SetCarried(received, sent int64) {
	if rec != nil {
		rec.Carried.Received, rec.Carried.Sent = received, sent
	}
}

// SetUser notes who authenticated. It accepts a nil Record.
func (rec *Record) SetUser(name string) {
	if rec != nil {
		rec.User = name
	}
}

// SetIdentity notes who sends the request, beside what is known already. Whoever decides by
// it, or forwards it, asks the record. It accepts a nil Record.
func (rec *Record) SetIdentity(who *identity.Identity) {
	if rec == nil || who == nil {
		return
	}
	rec.Identity = rec.Identity.And(who)
	if who.Subject != "" {
		rec.User = who.Subject
	}
}

// Hide keeps the value of a parameter of the query out of logs. It accepts a nil Record.
func (rec *Record) Hide(parameter string) {
	if rec != nil && !slices.Contains(rec.Hidden, parameter) {
		rec.Hidden = append(rec.Hidden, parameter)
	}
}

// IdentityOf is who sends a request, or nil.
func IdentityOf(r *http.Request) *identity.Identity {
	if rec := From(r.Context()); rec != nil {
		return rec.Identity
	}
	return nil
}

type contextKey struct{}

// With returns a context that carries rec.
func With(ctx context.Context, rec *Record) context.Context {
	return context.WithValue(ctx, contextKey{}, rec)
}

// Carrier is a context that has the record of its request in itself, as that of
// the engine.
type Carrier interface {
	Record() *Record
}

// IsKey tells whether a context is asked for its record. A Carrier answers such a
// Value with it, so that contexts derived from it carry it, too.
func IsKey(key any) bool {
	_, ok := key.(contextKey)
	return ok
}

// From returns the record of the request that ctx belongs to, or nil.
func From(ctx context.Context) *Record {
	if c, ok := ctx.(Carrier); ok {
		return c.Record()
	}
	rec, _ := ctx.Value(contextKey{}).(*Record)
	return rec
}
