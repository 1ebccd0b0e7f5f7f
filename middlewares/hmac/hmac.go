package hmac

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/dunglas/httpsfv"

	"fairway/internal/answer"
	"fairway/internal/consumers"
	"fairway/internal/identity"
	"fairway/internal/record"
	"fairway/internal/remember"
	"fairway/middlewares"
)

type handler struct {
	keys       map[string]*key
	required   []string
	digest     bool
	maxBody    int64
	maxAge     time.Duration
	leeway     time.Duration
	needsNonce bool
	tag        string
	optional   bool
	nonces     *remember.Cache[bool]
	consumers  *consumers.Live
	next       http.Handler
}

// mostSignatures bounds those of one request that are looked at.
const mostSignatures = 4

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	if h.optional && len(r.Header["Signature"])+len(r.Header["Signature-Input"]) == 0 {
		h.next.ServeHTTP(w, r)
		return
	}
	rec.SetAuth(false)
	id, digested, err := h.verify(r)
	if err != nil {
		refuse(w, r, err)
		return
	}
	if digested {
		held, err := compare(r, h.maxBody)
		switch {
		case errors.Is(err, errTooLong):
			middlewares.Refuse(w, r, http.StatusRequestEntityTooLarge, "hmac: "+err.Error())
			return
		case err != nil && r.Context().Err() != nil:
			middlewares.Refuse(w, r, answer.StatusClientClosedRequest, "hmac: the client has gone before its body was read")
			return
		case err != nil:
			refuse(w, r, err)
			return
		}
		r = held
	}
	rec.SetAuth(true)
	rec.SetIdentity(h.who(id))
	h.next.ServeHTTP(w, r)
}

func (h *handler) who(id string) *identity.Identity {
	if c := h.consumers.Now().ByName(h.keys[id].consumer); c != nil {
		return c.Of("hmac", id)
	}
	return &identity.Identity{Method: "hmac", Subject: id}
}

// refuse answers with what is to be signed (RFC 9421, section 5.1, has Accept-Signature for
// that), and not with what was wrong.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Add("WWW-Authenticate", `Signature realm="fairway"`)
	middlewares.Refuse(w, r, http.StatusUnauthorized, "hmac: "+err.Error())
}

// verify returns the name of the key that a request is signed by, and whether the signature
// covers the digest of its body.
func (h *handler) verify(r *http.Request) (id string, digested bool, err error) {
	if len(r.Header["Signature"]) == 0 || len(r.Header["Signature-Input"]) == 0 {
		return "", false, errors.New("the request is not signed")
	}
	inputs, err := httpsfv.UnmarshalDictionary(r.Header["Signature-Input"])
	if err != nil {
		return "", false, errors.New("the header Signature-Input cannot be read")
	}
	signatures, err := httpsfv.UnmarshalDictionary(r.Header["Signature"])
	if err != nil {
		return "", false, errors.New("the header Signature cannot be read")
	}
	err = errors.New("no signature is by a key that is known")
	for i, label := range inputs.Names() {
		if i == mostSignatures {
			break
		}
		input, _ := inputs.Get(label)
		signature, _ := signatures.Get(label)
		id, digested, e := h.verifyOne(r, input, signature)
		if e == nil {
			return id, digested, nil
		}
		err = e
	}
	return "", false, err
}

func (h *handler) verifyOne(r *http.Request, input, signature httpsfv.Member) (id string, digested bool, err error) {
	list, ok := input.(httpsfv.InnerList)
	item, ok2 := signature.(httpsfv.Item)
	value, ok3 := item.Value.([]byte)
	if !ok || !ok2 || !ok3 {
		return "", false, errors.New("a signature is not written as one")
	}
	p := paramsOf(list.Params)
	k := h.keys[p.id]
	if k == nil {
		return "", false, errors.New("no signature is by a key that is known")
	}
	if err := h.inTime(p, time.Now()); err != nil {
		return "", false, err
	}
	switch {
	case p.algorithm != "" && p.algorithm != k.algorithm:
		return "", false, fmt.Errorf("the key %q is not for %q", p.id, p.algorithm)
	case h.tag != "" && p.tag != h.tag:
		return "", false, fmt.Errorf("the signature is for %q", p.tag)
	case h.needsNonce && p.nonce == "":
		return "", false, errors.New("the signature has no nonce")
	}
	text, covered, err := base(r, list)
	if err != nil {
		return "", false, err
	}
	required := h.required
	if h.digest && r.ContentLength != 0 {
		required = append(slices.Clip(required), "content-digest")
	}
	for _, name := range required {
		if !covered[name] {
			return "", false, fmt.Errorf("the signature does not cover %q", name)
		}
	}
	if !k.verify(text, value) {
		return "", false, errors.New("the signature is wrong")
	}
	if p.nonce != "" && !h.first(p) {
		return "", false, errors.New("the nonce was used before")
	}
	return p.id, covered["content-digest"], nil
}

// first tells whether a nonce comes for the first time. It is known as long as a signature
// lasts.
func (h *handler) first(p params) bool {
	return h.nonces.Claim(h.nonces.Key(p.id, p.nonce), true, h.maxAge+h.leeway)
}

// params are those of a signature (RFC 9421, section 2.3).
type params struct {
	id, algorithm, nonce, tag string
	created, expires          int64 // 0: not told
}

func paramsOf(p *httpsfv.Params) (out params) {
	text := func(name string) string {
		v, _ := p.Get(name)
		s, _ := v.(string)
		return s
	}
	number := func(name string) int64 {
		v, _ := p.Get(name)
		n, _ := v.(int64)
		return n
	}
	return params{text("keyid"), text("alg"), text("nonce"), text("tag"), number("created"), number("expires")}
}

// inTime tells whether a signature is neither too old nor of the future.
func (h *handler) inTime(p params, now time.Time) error {
	created := time.Unix(p.created, 0)
	switch {
	case p.created <= 0:
		return errors.New("the signature does not tell when it was made")
	case created.After(now.Add(h.leeway)):
		return errors.New("the signature is of the future")
	case now.Sub(created) > h.maxAge:
		return errors.New("the signature is too old")
	case p.expires > 0 && now.After(time.Unix(p.expires, 0)):
		return errors.New("the signature has expired")
	}
	return nil
}
