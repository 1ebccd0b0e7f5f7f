package limit

import (
	"context"
	"net/http"
	"time"

	"fairway/internal/answer"
	"fairway/internal/record"
	"fairway/internal/responsehead"
)

// Handler lets requests pass as a rule allows.
type Handler struct {
	What   string // the middleware, for causes
	Rule   *Rule
	Source func(*http.Request) Source
	Table  *Table
	Shared *Shared // nil: the table counts
	File   *File   // with what the table was before; nil: there is none
	Next   http.Handler

	Cost       int64  // of a request; 0: 1
	CostHeader string // of the response, with what the request has really cost
	Inner      bool   // another one in front is to see that header, too
	Fields     Fields
	DryRun     bool // everything passes
	Exactly    bool // refusals have X-Retry-In, too
}

// charge is what was taken, so that it can be put back, or more be taken.
type charge struct {
	source Source
	n      int64
	d      Decision
	there  bool // in Redis
	closed bool // nobody could count it, and so it may not pass
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.File != nil {
		h.File.ready()
	}
	c := charge{source: h.Source(r), n: max(h.Cost, 1)}
	h.take(r.Context(), &c)
	if rec := record.From(r.Context()); !h.DryRun || rec == nil || rec.Limit != record.Refused { // what one of several would refuse is refused
		rec.SetLimit(c.d.OK)
	}
	switch {
	case h.DryRun:
	case c.closed:
		w.Header().Set("Retry-After", "1")
		answer.Refuse(w, r, http.StatusServiceUnavailable, h.What+": the Redis with the counts is away")
		return
	case !c.d.OK:
		h.Fields.tooMany(w.Header(), h.Rule, c.d)
		if h.Exactly {
			w.Header().Set("X-Retry-In", c.d.Wait.String())
		}
		h.refuse(w, r)
		return
	case c.d.Wait > 0 && !sleep(r.Context(), c.d.Wait):
		h.add(r.Context(), &c, -c.n)
		answer.Refuse(w, r, answer.StatusClientClosedRequest, h.What+": the client went away while its request was held")
		return
	}
	if h.CostHeader == "" && !h.Fields.any() {
		h.Next.ServeHTTP(w, r)
		return
	}
	h.watched(w, r, c)
}

// refuse answers. Clients that are told of limits are told which one it was, too
// (draft-ietf-httpapi-ratelimit-headers-10, section 5.1).
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request) {
	cause := h.What + ": the source of the request has sent too many"
	if !h.Fields.Standard {
		answer.Refuse(w, r, http.StatusTooManyRequests, cause)
		return
	}
	answer.Typed(w, r, http.StatusTooManyRequests, cause, &answer.Problem{
		Type:  "https://iana.org/assignments/http-problem-types#quota-exceeded",
		Title: "Request cannot be satisfied as assigned quota has been exceeded", Violated: []string{h.Fields.Name},
	})
}

// take asks who counts.
func (h *Handler) take(ctx context.Context, c *charge) {
	if h.Shared != nil {
		if c.d, c.there = h.Shared.take(ctx, c.source, h.Rule, c.n, false); c.there {
			h.Table.note(c.source, c.d.OK)
			return
		}
		switch h.Shared.mode {
		case whenOpen:
			c.d = Decision{OK: true, Left: h.Rule.Most()}
			h.Table.note(c.source, true)
			return
		case whenClosed:
			c.closed = true
			h.Table.note(c.source, false)
			return
		}
	}
	c.d = h.Table.Take(c.source, h.Rule, c.n)
}

// add takes more, or gives back, where it was taken.
func (h *Handler) add(ctx context.Context, c *charge, n int64) {
	switch {
	case n == 0 || h.DryRun && !c.d.OK:
	case c.there:
		h.Shared.take(ctx, c.source, h.Rule, n, true)
	case h.Shared == nil || h.Shared.mode == whenLocal:
		h.Table.Add(c.source, h.Rule, n)
	}
}

// watched serves a request of whose response something is to be told, or to be known.
func (h *Handler) watched(w http.ResponseWriter, r *http.Request, c charge) {
	cost := c.n
	rw := responsehead.New(w, responsehead.Edit(func(head responsehead.Head) {
		if h.CostHeader != "" {
			if n, ok := costOf(head.Get(h.CostHeader)); ok {
				cost = n
				c.d = h.Rule.corrected(c.d, cost-c.n)
			}
			if !h.Inner {
				head.Del(h.CostHeader)
			}
		}
		if h.Fields.any() {
			h.Fields.tell(head, h.Rule, c.d)
		}
	}))
	defer func() { h.add(r.Context(), &c, cost-c.n) }() // also when the response is broken off
	h.Next.ServeHTTP(rw, r)
	rw.Finish()
}

// Without is what requests pass where there is no limit: what the service says of the cost stays here
// all the same.
func Without(costHeader string, next http.Handler) http.Handler {
	if costHeader == "" {
		return next
	}
	drop := responsehead.Edit(func(head responsehead.Head) { head.Del(costHeader) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rw := responsehead.New(w, drop)
		next.ServeHTTP(rw, r)
		rw.Finish()
	})
}

// sleep waits, and tells whether somebody is still interested in what comes then.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
