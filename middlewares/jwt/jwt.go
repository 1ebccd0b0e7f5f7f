package jwt

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"fairway/internal/answer"
	"fairway/internal/bearer"
	"fairway/internal/claims"
	"fairway/internal/consumers"
	"fairway/internal/record"
	"fairway/internal/requesthead"
	"fairway/internal/tokencache"
	"fairway/middlewares"
)

type handler struct {
	*verifier
	places   bearer.Places
	optional bool
	strip    bool
	bound    bool
	next     http.Handler
}

// verifier is what all routes share that use the middleware.
type verifier struct {
	trusted   []*trust
	headers   *claims.Headers
	demands   *claims.Demands
	consumers *consumers.Live
	revoked   *revocation // nil: there is no list
	maxStale  time.Duration
	cache     *tokencache.Cache[*verified]

	leeway time.Duration
	typ    string
	groups string
	expiry bool
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	token, at := h.places.Find(r)
	if at == bearer.None && h.optional {
		h.pass(w, r, nil)
		return
	}
	rec.SetAuth(false)
	switch at {
	case bearer.None:
		bearer.Missing(w, r, "jwt: no token was sent")
		return
	case bearer.Several:
		bearer.Ambiguous(w, r, "jwt: more than one token was sent, or one that is not written as such")
		return
	}
	v, err := h.verified(r.Context(), token, began(rec))
	switch {
	case err != nil:
		refuse(w, r, err)
		return
	case v.cert == "" && h.bound, v.cert != "" && !bearer.ComesWith(r, v.cert):
		bearer.Invalid(w, r, "jwt: the token is not bound to the certificate of the client")
		return
	case v.denied != "":
		bearer.Insufficient(w, r, h.demands.Scope(), "jwt: "+v.denied)
		return
	}
	if h.revoked != nil && !h.letIn(w, r, v) {
		return
	}
	rec.SetAuth(true)
	rec.SetIdentity(v.who)
	h.pass(w, r, v.values)
}

// began is when a request came, which is known already.
func began(rec *record.Record) time.Time {
	if rec == nil || rec.Start.IsZero() {
		return time.Now()
	}
	return rec.Start
}

// refuse answers a request whose token could not be verified.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	var away *unavailableError
	switch {
	case errors.As(err, &away) && r.Context().Err() != nil:
		middlewares.Refuse(w, r, answer.StatusClientClosedRequest, "jwt: the client has gone before the keys of the issuer were there")
	case errors.As(err, &away):
		w.Header().Set("Retry-After", "5")
		middlewares.Refuse(w, r, http.StatusServiceUnavailable, "jwt: the keys of the issuer cannot be had: "+err.Error())
	default:
		bearer.Invalid(w, r, "jwt: "+err.Error())
	}
}

// letIn asks the list of tokens that are let in no more.
func (h *handler) letIn(w http.ResponseWriter, r *http.Request, v *verified) bool {
	iss, _ := v.claims["iss"].(string)
	revoked, known := h.revoked.has(iss, v.jti, h.maxStale)
	switch {
	case !known:
		w.Header().Set("Retry-After", "5")
		middlewares.Refuse(w, r, http.StatusServiceUnavailable, "jwt: the list of revoked tokens could not be read yet, or not for too long")
	case v.jti == "":
		bearer.Invalid(w, r, "jwt: the token has no jti, by which it could be revoked")
	case revoked:
		bearer.Invalid(w, r, "jwt: the token is revoked")
	default:
		return true
	}
	return false
}

// pass hands a request on: without the headers that only the gateway sets, and with what the
// token says; nil: there is none.
func (h *handler) pass(w http.ResponseWriter, r *http.Request, values [][]string) {
	var room [8]requesthead.Field
	undo := h.headers.Put(r.Header, values, room[:0])
	out := h.headers.Clean(r)
	if h.strip {
		out, undo = h.places.Strip(out, undo)
	}
	h.next.ServeHTTP(w, out)
	for _, f := range slices.Backward(undo) {
		f.PutBack()
	}
}
