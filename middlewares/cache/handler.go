package cache

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"fairway/internal/cachestore"
	"fairway/internal/httpcache"
	"fairway/internal/record"
	"fairway/internal/responsehead"
	"fairway/middlewares"
)

// exchange is a request on its way through the cache.
type exchange struct {
	h      *handler
	w      http.ResponseWriter
	r      *http.Request
	rec    *record.Record
	now    time.Time
	target target
	key    []byte // of the URL
	varied []byte // of the variant, where there are some
	marker *httpcache.Entry
	asks   httpcache.Directives // what the client says in Cache-Control
	served served
	quiet  bool // nobody waits for the response
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

func (h *handler) take(w http.ResponseWriter, r *http.Request) *exchange {
	x := exchanges.Get().(*exchange)
	x.h, x.w, x.r, x.rec, x.now = h, w, r, record.From(r.Context()), time.Now()
	if !h.deaf {
		if lines := r.Header["Cache-Control"]; len(lines) > 0 {
			x.asks = httpcache.ParseDirectives(lines)
		}
	}
	return x
}

func (x *exchange) give() {
	key, varied := x.key[:0], x.varied[:0]
	*x = exchange{key: key, varied: varied}
	exchanges.Put(x)
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.purger != nil && r.Method == h.purger.method {
		h.answerPurge(w, r)
		return
	}
	x := h.take(w, r)
	defer x.give()
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		x.serve()
	case http.MethodOptions, http.MethodTrace:
		x.pass(bypass, "fwd=bypass")
	default:
		x.change()
	}
}

// serve answers from the store, from what is on its way, or by asking the service.
func (x *exchange) serve() {
	if x.bypasses() {
		x.pass(bypass, "fwd=bypass")
		return
	}
	x.target = x.h.key.targetOf(x.r)
	x.key = x.target.append(x.key[:0])
	e := x.h.load(x.r.Context(), x)
	switch {
	case e != nil && x.answers(e):
		return
	case x.asks.OnlyIfCached:
		x.note(bypass)
		middlewares.Refuse(x.w, x.r, http.StatusGatewayTimeout, "cache: the client wants a stored response only (only-if-cached), and there is none")
		return
	case !x.fills(e):
		x.pass(miss, x.forwardedFor(e))
		return
	}
	x.fly(e)
}

// bypasses tells of requests whose responses have nothing to do with others.
func (x *exchange) bypasses() bool {
	r := x.r
	return x.asks.NoStore || r.ContentLength != 0 || len(r.Header["Upgrade"]) > 0 || len(r.TransferEncoding) > 0
}

// fills tells whether the response to this request may be stored. e is the stale one that
// there is, or nil.
func (x *exchange) fills(e *httpcache.Entry) bool {
	switch h := x.r.Header; {
	case x.r.Method != http.MethodGet, httpcache.IsConditional(h), x.h.key.isStrange(x.r):
		return false
	case e != nil:
		return true
	case len(h["Range"]) > 0: // the whole may be much longer
		return false
	}
	return !x.h.passing.has(x.key, x.now)
}

// answers sends e if it may be sent without asking the service.
func (x *exchange) answers(e *httpcache.Entry) bool {
	fresh := e.FreshFor(x.now)
	switch {
	case x.fresh(e, fresh):
		x.answer(e, hit, toldHit)
		return true
	case x.toleratesStale(e, fresh):
		x.answer(e, stale, toldHit)
		return true
	case fresh <= 0 && -fresh < e.StaleWhileRevalidate && !e.Always && !e.NeverStale && !x.asks.NoCache && !x.asks.MaxAge.Given && !x.asks.MinFresh.Given:
		x.h.refresh(x, e)
		x.answer(e, stale, toldHit)
		return true
	}
	return false
}

// fresh tells whether e is, also for this client (RFC 9111, section 5.2.1).
func (x *exchange) fresh(e *httpcache.Entry, left time.Duration) bool {
	a := &x.asks
	return left > 0 && !e.Always && !a.NoCache && (!a.MaxAge.Given || e.AgeAt(x.now) <= a.MaxAge.D) && left >= a.MinFresh.D
}

// toleratesStale tells whether the client does, and the response, too.
func (x *exchange) toleratesStale(e *httpcache.Entry, left time.Duration) bool {
	a := &x.asks
	return left <= 0 && !e.NeverStale && !a.NoCache && !a.MinFresh.Given && (a.AnyStale || a.MaxStale.Given && -left <= a.MaxStale.D) &&
		(!a.MaxAge.Given || e.AgeAt(x.now) <= a.MaxAge.D)
}

func (x *exchange) note(how int) {
	if x.quiet {
		return
	}
	x.h.counts[how].Add(1)
	if x.rec != nil {
		x.rec.Cache = outcomes[how]
	}
}

// forwardedFor says in Cache-Status why the service is asked (RFC 9211, section 2.2). e is
// what there is, or nil.
func (x *exchange) forwardedFor(e *httpcache.Entry) string {
	switch {
	case e == nil && x.marker != nil:
		return "fwd=vary-miss"
	case e == nil:
		return "fwd=uri-miss"
	case e.FreshFor(x.now) > 0 && !e.Always:
		return "fwd=request"
	}
	return "fwd=stale"
}

// pass gives the request to the service as it is, and the response to the client.
func (x *exchange) pass(how int, why string) {
	x.note(how)
	if !x.h.tell {
		x.h.next.ServeHTTP(x.w, x.r)
		return
	}
	w := responsehead.New(x.w, responsehead.Edit(func(h responsehead.Head) { h.Add("Cache-Status", cacheName+"; "+why) }))
	x.h.next.ServeHTTP(w, x.r)
	w.Finish()
}

// change serves a request that may change what it is about, and then forgets what is stored
// of that (RFC 9111, section 4.4).
func (x *exchange) change() {
	x.note(bypass)
	x.target = x.h.key.targetOf(x.r)
	w := &changing{x: x}
	w.Init(x.w, w)
	x.h.next.ServeHTTP(w, x.r)
	w.Finish()
}

// changing forgets what a response says has changed, before the client can know of it: who has
// the answer, or a part of it, finds the change made.
type changing struct {
	responsehead.Writer
	x      *exchange
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *changing) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.Writer.WriteHeader(status)
}

// Forward implements responsehead.Forwarder.
func (w *changing) Forward(r responsehead.Received) error {
	if w.status == 0 {
		w.status = r.StatusCode()
	}
	return w.Writer.Forward(r)
}

// EditHead implements responsehead.Editor.
func (w *changing) EditHead(h responsehead.Head) {
	w.forget(h.Get("Location"), h.Get("Content-Location"))
	if w.x.h.tell {
		h.Add("Cache-Status", cacheName+"; fwd=method")
	}
}

func (w *changing) forget(targets ...string) {
	x := w.x
	if w.status >= 400 {
		return
	}
	ctx := context.WithoutCancel(x.r.Context())
	x.h.forget(ctx, x.target)
	base := &url.URL{Scheme: x.target.scheme, Host: x.target.host}
	if at, err := url.ParseRequestURI(x.target.uri); err == nil {
		base.Path, base.RawPath, base.RawQuery = at.Path, at.RawPath, at.RawQuery
	}
	for _, text := range targets {
		if text == "" {
			continue
		}
		to, err := base.Parse(text)
		if err != nil || !strings.EqualFold(to.Host, base.Host) {
			continue // only what is of the same origin
		}
		t := x.target
		t.uri = to.RequestURI()
		x.h.forget(ctx, t)
	}
}

// forget purges what is stored of a URL, by either scheme.
func (h *handler) forget(ctx context.Context, t target) (n int) {
	for _, t.scheme = range []string{"http", "https"} {
		key := t.append(nil)
		h.passing.forget(key)
		m, err := h.purge(ctx, cachestore.Match{Key: string(key)})
		if err != nil {
			h.env.Log.Warnf("what is stored of %s stays: %v", t.url(), err)
		}
		n += m
	}
	return n
}
