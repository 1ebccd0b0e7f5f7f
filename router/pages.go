package router

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"fairway/config/dynamic"
	"fairway/internal/answer"
	"fairway/internal/record"
)

// pages is the errors middleware that stands in front of everything: of all routes but
// the gateway's own, and of requests that no router matches. It is a part of the
// table, but nothing else depends on it: without it, errors go without pages.
type pages struct {
	handler http.Handler // nil: it cannot be built
	uses    []use
	retire  context.CancelFunc
}

// errorPages makes the pages, or takes them from the previous table.
func (b *building) errorPages() {
	name := b.env.ErrorPages
	if name == "" {
		return
	}
	if old := b.previous.pages; old != nil && old.handler != nil && b.same(old.uses) {
		b.next.pages = old
		return
	}
	m := &chaining{building: b, inFront: true, detailed: b.env.detailed(nil)}
	ctx, retire := context.WithCancel(context.Background())
	p := &pages{retire: retire}
	err := error(nil)
	if def := b.next.middlewares[name]; def != nil && !strings.EqualFold(def.Kind, "errors") {
		err = errors.New("it is no errors middleware but " + def.Kind)
	} else {
		p.handler, err = m.middleware(ctx, name, http.HandlerFunc(serveFound))
	}
	if err != nil {
		near := ""
		if missing, ok := errors.AsType[*missingError](err); ok {
			near = missing.near
		}
		b.report(dynamic.KindMiddleware, name, "errors have no pages (install option errorPages): "+err.Error(), near, dynamic.Warning)
	}
	p.uses = m.uses
	b.next.pages = p
}

// serve sends a request through the pages to a route, or to nobody: nil.
func (p *pages) serve(w http.ResponseWriter, r *http.Request, route *Route) {
	rec := record.From(r.Context())
	if rec == nil {
		rec = &record.Record{}
		r = r.WithContext(record.With(r.Context(), rec))
	}
	if route != nil {
		rec.Found = route
	}
	p.handler.ServeHTTP(w, r)
}

// serveFound is what stands behind the pages.
func serveFound(w http.ResponseWriter, r *http.Request) {
	if rec := record.From(r.Context()); rec.Found != nil {
		rec.Found.ServeHTTP(w, r)
		return
	}
	noRoute(w, r)
}

func noRoute(w http.ResponseWriter, r *http.Request) {
	answer.Text(w, r, http.StatusNotFound, "no router matches", "404 page not found\n")
}

// covers tells whether errors of a route, or of none, get pages.
func (p *pages) covers(route *Route) bool {
	return p != nil && p.handler != nil && (route == nil || dynamic.ProviderOf(route.Service) != "internal")
}
