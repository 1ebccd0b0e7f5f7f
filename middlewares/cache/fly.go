package cache

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"fairway/internal/answer"
	"fairway/internal/cachestore"
	"fairway/internal/httpcache"
	"fairway/internal/record"
	"fairway/middlewares"
)

// mostTries bounds how often a request waits for another and finds that the response is not
// for it.
const mostTries = 3

// fly asks the service, or waits for the response to another request for the same. e is the
// stale response that there is, or nil.
func (x *exchange) fly(e *httpcache.Entry) {
	for range mostTries {
		f, leads := x.h.join(x.flightKey(), x.target.url())
		if leads {
			x.lead(f, e)
			return
		}
		if x.follow(f) {
			return
		}
		// What was on its way is another variant, or nothing that is shared.
		if x.h.passing.has(x.key, x.now) {
			break
		}
		x.now = time.Now()
		if e = x.h.load(x.r.Context(), x); e != nil && x.answers(e) {
			return
		}
	}
	x.pass(miss, x.forwardedFor(e))
}

// flightKey is that of the variant, where it is known what there is. Nobody else waits for the
// response to a client that says who it is: most of these are for that client only.
func (x *exchange) flightKey() string {
	key := x.key
	if x.marker != nil {
		key = x.varied
	}
	if x.authorized() {
		return string(key) + cachestore.VariantMark + "alone" + strconv.FormatUint(x.h.alone.Add(1), 36)
	}
	return string(key)
}

// authorized tells whether the request says who sends it, or a middleware in front has let it in
// by what it says.
func (x *exchange) authorized() bool {
	h := x.r.Header
	return len(h["Authorization"])+len(h["X-Forwarded-Tls-Client-Cert"])+len(h["X-Forwarded-Tls-Client-Cert-Info"]) > 0 ||
		x.rec != nil && (x.rec.Identity != nil || x.rec.Auth == record.Passed)
}

// lead asks the service, for this request and for those who wait.
func (x *exchange) lead(f *flight, e *httpcache.Entry) {
	if now := x.h.load(x.r.Context(), x); now != nil && now != e { // it has come while this request was on its way here
		if e = now; x.quiet && x.fresh(e, e.FreshFor(x.now)) || !x.quiet && x.answers(e) {
			x.h.land(f)
			return
		}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(x.r.Context()))
	defer cancel()
	f.mu.Lock()
	f.cancel = cancel
	f.mu.Unlock()
	stop := context.AfterFunc(x.r.Context(), f.leave)
	fl := &filler{x: x, f: f, old: e, header: http.Header{}, asked: x.now, why: x.forwardedFor(e)}
	if x.rec != nil {
		fl.before = x.rec.Outcome
	}
	defer func() {
		stop()
		x.h.land(f)
	}()
	defer fl.broken()
	x.h.next.ServeHTTP(fl, x.asking(ctx, e))
	fl.finish()
}

// asking is the request as it goes to the service: for the whole response, if e is not what
// that would be.
func (x *exchange) asking(ctx context.Context, e *httpcache.Entry) *http.Request {
	r := x.r.WithContext(ctx)
	r.Header = x.r.Header.Clone()
	httpcache.Unconditionally(r.Header)
	if e != nil {
		httpcache.Validate(r.Header, e)
	}
	if x.h.key.query != nil && r.RequestURI != x.target.uri {
		r.RequestURI = x.target.uri
		u := *r.URL
		_, u.RawQuery, _ = strings.Cut(x.target.uri, "?")
		r.URL = &u
	}
	return r
}

// follow waits for the response to another request. It returns false if that is none for
// this one.
func (x *exchange) follow(f *flight) bool {
	defer f.leave()
	timer := time.NewTimer(x.h.wait)
	defer timer.Stop()
	select {
	case <-f.decided:
	case <-x.r.Context().Done():
		middlewares.Refuse(x.w, x.r, answer.StatusClientClosedRequest, "cache: the client went away while it waited for the response to another request")
		return true
	case <-timer.C:
		x.h.passing.note(x.key, time.Now().Add(passErrorFor))
		return false
	}
	o := &f.outcome
	x.now = time.Now()
	switch {
	case o.failed != 0:
		x.note(coalesced)
		middlewares.Refuse(x.w, x.r, o.failed, "cache: the request to the service that this one waited for has failed")
		return true
	case o.entry == nil || !x.isFor(o.entry):
		return false
	case o.stream == nil && o.stale:
		x.answer(o.entry, stale, toldError)
		return true
	case o.stream == nil:
		x.answer(o.entry, coalesced, toldCollapsed)
		return true
	}
	return x.stream(o)
}

// isFor tells whether an entry answers this request, too.
func (x *exchange) isFor(e *httpcache.Entry) bool {
	switch {
	case x.fit(e) == nil:
		return false
	case e.Key == string(x.key):
		return len(x.h.key.own) == 0
	}
	marker := x.h.store.Load(x.r.Context(), x.key)
	if marker == nil || marker.Names == nil || !x.h.key.covers(marker) {
		return false
	}
	x.marker = marker
	x.varied = variant(append(x.varied[:0], x.key...), marker, x.r)
	return e.Key == string(x.varied)
}

// stream sends a response that is still coming.
func (x *exchange) stream(o *outcome) bool {
	reader, ok := o.stream.follow()
	if !ok {
		return false
	}
	defer reader.leave()
	e, h := o.entry, x.r.Header
	x.served = served{Entry: e, age: e.AgeAt(x.now), left: e.FreshFor(x.now), ttl: true}
	if x.h.tell {
		x.served.status = toldCollapsed
	}
	x.note(coalesced)
	if e.Status == http.StatusOK && (len(h["If-None-Match"]) > 0 || len(h["If-Modified-Since"]) > 0) && httpcache.Evaluate(h, e) == httpcache.NotModified {
		x.notModified()
		return true
	}
	x.head(nil, o.length)
	x.w.WriteHeader(e.Status)
	if err := reader.copy(x.r.Context(), x.w); err != nil {
		x.breakOff(err)
	}
	return true
}

// copy sends what comes, to its end.
func (f *follower) copy(ctx context.Context, w http.ResponseWriter) error {
	flush := http.NewResponseController(w)
	for {
		p, waits, err := f.next(ctx)
		switch {
		case err != nil:
			return err
		case len(p) == 0:
			return nil
		}
		if _, err := w.Write(p); err != nil {
			return clientError{err}
		}
		if waits {
			if err := flush.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return clientError{err}
			}
		}
	}
}

// clientError is an error of the client's side.
type clientError struct{ error }

func (e clientError) Unwrap() error { return e.error }

// breakOff notes why a response did not come to its end, and cuts the client off: it must
// not take the part for the whole.
func (x *exchange) breakOff(err error) {
	if _, client := errors.AsType[clientError](err); client || x.r.Context().Err() != nil {
		x.noteGone(err)
	} else {
		x.rec.Fail(fmt.Sprintf("cache: the response to another request broke off: %v", err))
	}
	panic(http.ErrAbortHandler)
}

// longestRefresh bounds a request behind the scenes.
const longestRefresh = time.Minute

// refresh validates e behind the scenes, unless that is being done, or too much else is.
func (h *handler) refresh(x *exchange, e *httpcache.Entry) {
	f, leads := h.join(x.flightKey(), x.target.url())
	if !leads {
		f.leave()
		return
	}
	select {
	case h.room <- struct{}{}:
	default:
		h.land(f)
		return
	}
	ctx, cancel := context.WithTimeout(h.ctx, longestRefresh)
	b := h.behind(ctx, x.r)
	b.target, b.key, b.varied, b.marker = x.target, append([]byte(nil), x.key...), append([]byte(nil), x.varied...), x.marker
	go func() { // ends with the instance, and a minute later at most
		defer func() {
			cancel()
			<-h.room
			if reason := recover(); reason != nil && reason != http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
				h.env.Log.Errorf("panic while validating a stored response: %v", reason)
			}
		}()
		b.lead(f, e)
	}()
}

// behind is an exchange that nobody waits for.
func (h *handler) behind(ctx context.Context, like *http.Request) *exchange {
	rec := &record.Record{Start: time.Now(), Silent: record.Silent{Log: true, Metrics: true, Traces: true}}
	if from := record.From(like.Context()); from != nil {
		rec.EntryPoint, rec.Host, rec.ClientIP, rec.Peer, rec.Unlisted = from.EntryPoint, from.Host, from.ClientIP, from.Peer, from.Unlisted
		rec.Router, rec.Rule, rec.Service, rec.Identity, rec.User, rec.Auth = from.Router, from.Rule, from.Service, from.Identity, from.User, from.Auth
	}
	r := like.Clone(record.With(ctx, rec))
	httpcache.Unconditionally(r.Header)
	delete(r.Header, "Cache-Control")
	r.Body = http.NoBody // that of the client's request ends with it
	return &exchange{h: h, w: &nobody{header: http.Header{}}, r: r, rec: rec, now: time.Now(), quiet: true}
}

// nobody is the client of a request behind the scenes.
type nobody struct{ header http.Header }

func (n *nobody) Header() http.Header         { return n.header }
func (n *nobody) WriteHeader(int)             {}
func (n *nobody) Write(p []byte) (int, error) { return len(p), nil }
