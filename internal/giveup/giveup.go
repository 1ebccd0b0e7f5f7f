// Package giveup ends requests before they are answered, for a reason that whoever forwards
// them tells apart from a client that has gone away.
//
// A context that can be ended has a deadline, be it far away. By that the engine sees that it has
// to watch it from the start; of all others, where the client alone can end it, it is enough to
// look now and then.
package giveup

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// TooLong is why a request is given up that takes too long. It is a timeout by net.Error.
type TooLong string

// Error implements error.
func (t TooLong) Error() string { return string(t) }

// Timeout implements net.Error.
func (TooLong) Timeout() bool { return true }

// Temporary implements net.Error.
func (TooLong) Temporary() bool { return false }

// SlowClient is why a request is given up that takes too long because its body does not come.
type SlowClient string

// Error implements error.
func (s SlowClient) Error() string { return string(s) }

// Timeout implements net.Error.
func (SlowClient) Timeout() bool { return true }

// Temporary implements net.Error.
func (SlowClient) Temporary() bool { return false }

var (
	_ net.Error = TooLong("")
	_ net.Error = SlowClient("")
)

// far is beyond any request.
const far = 365 * 24 * time.Hour

type endable struct {
	context.Context
	deadline time.Time
}

// Deadline implements context.Context.
func (c endable) Deadline() (time.Time, bool) {
	if theirs, ok := c.Context.Deadline(); ok {
		return theirs, true
	}
	return c.deadline, true
}

// WithCancel is context.WithCancelCause, and its end is noticed at once.
func WithCancel(parent context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	return endable{ctx, time.Now().Add(far)}, cancel
}

// Reason is the TooLong or SlowClient that ctx was ended for, or nil.
func Reason(ctx context.Context) error {
	switch reason := context.Cause(ctx).(type) { //nolint:errorlint // as it was given
	case TooLong:
		return reason
	case SlowClient:
		return reason
	}
	return nil
}

// Status is that of the answer to a request that was given up for a reason: 504 (Gateway Timeout,
// RFC 9110, section 15.6.5), or 408 (Request Timeout, section 15.5.9) if it was the client that was
// waited for. That is nothing to hold against a server.
func Status(reason error) int {
	if _, slow := errors.AsType[SlowClient](reason); slow {
		return http.StatusRequestTimeout
	}
	return http.StatusGatewayTimeout
}
