// Package timeouts bounds how long requests of a route may take: to the first byte of the
// response, between two pieces of it, and as a whole.
//
// A request that takes too long before its response has begun is answered with 504 (Gateway
// Timeout, RFC 9110, section 15.6.5), or with 408 (Request Timeout, section 15.5.9) if what is
// waited for is the body of the request; a response that has begun is broken off, so that nobody
// takes the part for the whole. Either way the server is left at once. Connections that change
// the protocol, as for WebSocket, are let go when they do. How long a service may take for
// everybody is said with its servers (forwardingTimeouts of a serversTransport); this is for
// routes that need less.
package timeouts

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/answer"
	"fairway/internal/giveup"
	"fairway/internal/record"
	"fairway/middlewares"
)

// Config is the timeouts middleware.
type Config struct {
	// Connect is the longest time for connecting to a server, if there is no connection that
	// is free; those of all servers that are tried are not added. Default 0s: as the
	// serversTransport says.
	Connect types.Duration `json:"connect,omitempty"`
	// FirstByte is the longest time to the head of the response, from when the request gets
	// here. The time that its body takes to come is part of it. Default 0s: any.
	FirstByte types.Duration `json:"firstByte,omitempty"`
	// Idle is the longest time between two pieces of the response's body, as the service sends them.
	// Default 0s: any.
	Idle types.Duration `json:"idle,omitempty"`
	// Total is the longest time to the end of the response. Default 0s: any.
	Total types.Duration `json:"total,omitempty"`
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, _ middlewares.Env, next http.Handler) (http.Handler, error) {
	h := &handler{next: next}
	none := true
	for _, o := range []struct {
		name string
		from types.Duration
		to   *time.Duration
	}{{"connect", c.Connect, &h.connect}, {"firstByte", c.FirstByte, &h.firstByte}, {"idle", c.Idle, &h.idle}, {"total", c.Total, &h.total}} {
		if o.from < 0 {
			return nil, fmt.Errorf("%s must not be negative", o.name)
		}
		*o.to = time.Duration(o.from)
		none = none && o.from == 0
	}
	if none {
		return nil, errors.New("one of connect, firstByte, idle and total has to be given")
	}
	return h, nil
}

type handler struct {
	connect, firstByte, idle, total time.Duration
	next                            http.Handler
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	if rec != nil && h.connect > 0 {
		before := rec.Connect
		rec.Connect = h.connect
		defer func() { rec.Connect = before }()
	}
	if h.firstByte+h.idle+h.total == 0 {
		h.next.ServeHTTP(w, r)
		return
	}
	ctx, cancel := giveup.WithCancel(r.Context())
	defer cancel(nil)
	in := r.WithContext(ctx)
	from := bodyOf(in, w)
	out := &writer{ResponseWriter: w, idle: h.idle, cancel: cancel}
	defer out.stop()
	if h.total > 0 {
		out.total = time.AfterFunc(h.total, func() { from.giveUp(cancel, "timeouts: the response has not come to its end within total") })
	}
	if h.firstByte > 0 {
		out.first = time.AfterFunc(h.firstByte, func() { from.giveUp(cancel, "timeouts: the response has not begun within firstByte") })
	}
	h.next.ServeHTTP(out, in)
	if reason := giveup.Reason(ctx); reason != nil && !out.begun { // of somebody who does not look at the context
		answer.Refuse(w, r, giveup.Status(reason), reason.Error())
	}
}
