package router

import (
	"net/http"
	"slices"

	"fairway/config/dynamic"
	"fairway/internal/record"
	"fairway/proxy"
)

// Detailed traces have a span for each part that a request passes: the router, its
// middlewares, its services. Who wants them is known when the table is built: nothing
// stands in the chains of the others.

// detailed tells whether an entry point or one of the routers wants detailed traces.
func (env *Env) detailed(routers map[string]*dynamic.Router) bool {
	if !env.Traced {
		return false
	}
	for _, c := range routers {
		if c.Observability.Detail(false) {
			return true
		}
	}
	return slices.ContainsFunc(env.EntryPoints, func(ep EntryPoint) bool { return ep.Detailed })
}

// wantsDetail tells it of one router, which listens at some entry points. Not all of these
// need to want it: it is looked at once more for each request.
func (env *Env) wantsDetail(c *dynamic.Router, points []EntryPoint) bool {
	return env.Traced && c.Observability.Detail(slices.ContainsFunc(points, func(ep EntryPoint) bool { return ep.Detailed }))
}

// followed puts a span around a part.
func (m *chaining) followed(part record.Part, h http.Handler) http.Handler {
	if !m.detailed || h == nil {
		return h
	}
	return &followed{part: part, next: h}
}

// followed is a part with a span around it.
type followed struct {
	part record.Part
	next http.Handler
}

func (f *followed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	if rec == nil || rec.Trace == nil || !rec.Detailed {
		f.next.ServeHTTP(w, r)
		return
	}
	inside, leave := rec.Trace.Enter(r, &f.part)
	broken := true // unless it comes to its end
	defer func() { leave(statusOf(w, rec), broken) }()
	f.next.ServeHTTP(w, inside)
	broken = false
}

// statusOf is the status of a response as far as it is decided. It is asked of the writers:
// one of our own would be in the way of what they can do.
func statusOf(w http.ResponseWriter, rec *record.Record) int {
	if rec.Status != 0 { // what the client is not told, as by gRPC
		return rec.Status
	}
	for {
		switch known := w.(type) {
		case interface{ Status() int }:
			return known.Status()
		case interface{ Unwrap() http.ResponseWriter }:
			w = known.Unwrap()
		default:
			return 0
		}
	}
}

// followedChild puts a span around a service that is part of another.
func (m *chaining) followedChild(s *Slot) proxy.Child {
	if !m.detailed {
		return s
	}
	return &child{s, followed{part: record.Part{Kind: dynamic.KindService, Name: s.Name, Type: s.Kind}, next: s}}
}

// child is a service with a span around it.
type child struct {
	*Slot
	span followed
}

// ServeHTTP implements http.Handler.
func (c *child) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.span.ServeHTTP(w, r) }
