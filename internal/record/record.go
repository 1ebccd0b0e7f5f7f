// Package record holds what is known of one request while it travels: made once
// at the entry point, filled by the rooms it passes, read once by the log.
package record

import (
	"context"
	"net/netip"
	"time"
)

// Record is the one record of a request. It belongs to the goroutine that
// serves the request and is not safe for concurrent use.
type Record struct {
	Start      time.Time
	EntryPoint string
	Host       string     // as asked for: lower case, without port
	ClientIP   netip.Addr // the peer of the connection (or of the PROXY header)
	Router     string     // qualified name; empty when no route matched
	Service    string
	Server     string // URL of the server that was tried last
	User       string // who authenticated, if anybody did
	Cause      string // why the gateway itself answered, or why forwarding failed
	Status     int    // status sent to the client
}

// Fail notes why the request did not get a server's answer. The first cause
// stays: later ones are consequences. It accepts a nil Record.
func (rec *Record) Fail(cause string) {
	if rec != nil && rec.Cause == "" {
		rec.Cause = cause
	}
}

// SetUser notes who authenticated. It accepts a nil Record.
func (rec *Record) SetUser(name string) {
	if rec != nil {
		rec.User = name
	}
}

type contextKey struct{}

// With returns a context that carries rec.
func With(ctx context.Context, rec *Record) context.Context {
	return context.WithValue(ctx, contextKey{}, rec)
}

// From returns the record of the request that ctx belongs to, or nil.
func From(ctx context.Context) *Record {
	rec, _ := ctx.Value(contextKey{}).(*Record)
	return rec
}
