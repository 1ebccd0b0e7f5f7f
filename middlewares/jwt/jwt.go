package jwt

import (
	"crypto/sha256"
	"encoding/base64"
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
	trusted   []*trust
	places    bearer.Places
	headers   *claims.Headers
	demands   *claims.Demands
	consumers *consumers.Live
	revoked   *revocation // nil: there is no list
	cache     *tokencache.Cache[*verified]

	leeway   time.Duration
	typ      string
	groups   string
	expiry   bool
	optional bool
	strip    bool
	bound    bool

	next http.Handler
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	token, at := h.places.Find(r)
	if at < 0 {
		if h.optional {
			h.pass(w, r, -1, nil)
			return
		}
		rec.SetAuth(false)
		bearer.Missing(w, r, "jwt: no token was sent")
		return
	}
	rec.SetAuth(false)
	v, err := h.verified(r.Context(), token, time.Now())
	var away *unavailableError
	switch {
	case errors.As(err, &away) && r.Context().Err() != nil:
		middlewares.Refuse(w, r, answer.StatusClientClosedRequest, "jwt: the client has gone before the keys of the issuer were there")
		return
	case errors.As(err, &away):
		w.Header().Set("Retry-After", "5")
		middlewares.Refuse(w, r, http.StatusServiceUnavailable, "jwt: the keys of the issuer cannot be had: "+err.Error())
		return
	case err != nil:
		bearer.Invalid(w, r, "jwt: "+err.Error())
		return
	case !h.boundTo(v, r):
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
	h.pass(w, r, at, v.values)
}

// letIn asks the list of tokens that are let in no more.
func (h *handler) letIn(w http.ResponseWriter, r *http.Request, v *verified) bool {
	revoked, known := h.revoked.has(v.jti)
	switch {
	case !known:
		w.Header().Set("Retry-After", "5")
		middlewares.Refuse(w, r, http.StatusServiceUnavailable, "jwt: the list of revoked tokens could not be read yet")
	case v.jti == "":
		bearer.Invalid(w, r, "jwt: the token has no jti, by which it could be revoked")
	case revoked:
		bearer.Invalid(w, r, "jwt: the token is revoked")
	default:
		return true
	}
	return false
}

// boundTo tells whether a token that is bound to a certificate comes with it (RFC 8705,
// section 3.1).
func (h *handler) boundTo(v *verified, r *http.Request) bool {
	if v.cert == "" {
		return !h.bound
	}
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return false
	}
	sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:]) == v.cert
}

// pass hands a request on: without the headers that only the gateway sets, and with what the
// token at a place says; below 0 there is none.
func (h *handler) pass(w http.ResponseWriter, r *http.Request, at int, values [][]string) {
	var room [8]requesthead.Field
	undo := h.headers.Put(r.Header, values, room[:0])
	out := r
	if h.strip && at >= 0 {
		out, undo = h.places.Strip(r, at, undo)
	}
	h.next.ServeHTTP(w, out)
	for _, f := range slices.Backward(undo) {
		f.PutBack()
	}
}
