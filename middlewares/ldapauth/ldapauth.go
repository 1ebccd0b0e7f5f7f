package ldapauth

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"fairway/internal/answer"
	"fairway/internal/bearer"
	"fairway/internal/consumers"
	"fairway/internal/headername"
	"fairway/internal/record"
	"fairway/internal/remember"
	"fairway/internal/requesthead"
	"fairway/internal/trailers"
	"fairway/middlewares"
)

type handler struct {
	asker     *asker
	consumers *consumers.Live
	challenge string
	header    string
	remove    bool
	optional  bool
	next      http.Handler
}

// longest bounds names and passwords.
const longest = 1024

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	name, password, given := r.BasicAuth()
	if !given && h.optional && bearer.Elsewhere(r, "Basic") {
		h.pass(w, r, "")
		return
	}
	rec.SetAuth(false)
	// An empty password would bind as nobody, which directories call a success (RFC 4513,
	// section 5.1.2).
	if !given || name == "" || password == "" || len(name)+len(password) > longest {
		h.refuse(w, r, "ldapAuth: no credentials were sent")
		return
	}
	u, err := h.asker.verify(r.Context(), name, password)
	switch {
	case errors.Is(err, errWrong):
		h.refuse(w, r, "ldapAuth: "+err.Error())
		return
	case err != nil && r.Context().Err() != nil:
		middlewares.Refuse(w, r, answer.StatusClientClosedRequest, "ldapAuth: the client has gone before the directory answered")
		return
	case err != nil:
		w.Header().Set("Retry-After", "5")
		middlewares.Refuse(w, r, http.StatusServiceUnavailable, "ldapAuth: "+err.Error())
		return
	}
	who := h.consumers.Now().User("ldapAuth", u.name)
	who.Groups = slices.Concat(who.Groups, u.groups)
	rec.SetAuth(true)
	rec.SetIdentity(who)
	h.pass(w, r, u.name)
}

// asker asks the directory, for all routes that use the middleware.
type asker struct {
	directory *directory
	known     *remember.Cache[*user]
	cacheFor  time.Duration
}

// verify asks the directory, or what it has said within the last time.
func (a *asker) verify(ctx context.Context, name, password string) (*user, error) {
	key := a.known.Key(name, password)
	if u, ok := a.known.Get(key); ok {
		return u, nil
	}
	u, err := a.directory.verify(ctx, name, password)
	if err == nil && a.cacheFor > 0 {
		a.known.Put(key, u, a.cacheFor)
	}
	return u, err
}

func (h *handler) refuse(w http.ResponseWriter, r *http.Request, cause string) {
	w.Header().Set("WWW-Authenticate", h.challenge)
	middlewares.Refuse(w, r, http.StatusUnauthorized, cause)
}

// pass hands a request on, with the name of the user if there is one.
func (h *handler) pass(w http.ResponseWriter, r *http.Request, name string) {
	var room [4]requesthead.Field
	undo := room[:0]
	if h.remove && name != "" {
		undo = append(undo, requesthead.Remove(r.Header, "Authorization"))
	}
	if h.header != "" {
		for other := range r.Header {
			if headername.Plain(other) == h.header {
				undo = append(undo, requesthead.Remove(r.Header, other))
			}
		}
		if name != "" && headername.ValidValue(name) {
			undo = append(undo, requesthead.Set(r.Header, h.header, []string{name}))
		}
		r = trailers.Without(r, headername.Same(h.header))
	}
	h.next.ServeHTTP(w, r)
	for _, f := range slices.Backward(undo) {
		f.PutBack()
	}
}
