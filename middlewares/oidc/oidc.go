package oidc

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/sirupsen/logrus"

	"fairway/internal/answer"
	"fairway/internal/claims"
	"fairway/internal/consumers"
	"fairway/internal/identity"
	"fairway/internal/oauthclient"
	"fairway/internal/record"
	"fairway/internal/requesthead"
	"fairway/internal/responsehead"
	"fairway/internal/tokencache"
	"fairway/middlewares"
)

type handler struct {
	config        *Config
	shared        *shared
	provider      *provider
	client        *oauthclient.Client
	parser        *jwt.Parser
	jar           *jar
	sealer        *sealer
	vault         *vault // nil: sessions are in cookies
	cache         *tokencache.Cache[*cached]
	headers       *claims.Headers
	authorization *claims.Headers // nil: the service gets no access token
	demands       *claims.Demands
	consumers     *consumers.Live
	paths         paths
	binding       string
	log           logrus.FieldLogger
	now           func() time.Time
	next          http.Handler
}

// paths are those that the middleware serves itself.
type paths struct{ callback, login, logout, backChannel, frontChannel string }

func (p *paths) own(path string) bool {
	return path == p.callback || path == p.login || path == p.logout || path == p.backChannel || path == p.frontChannel
}

// view is what a session is to a handler.
type view struct {
	by       *handler
	registry *consumers.Registry
	who      *identity.Identity
	values   [][]string // of the headers that are forwarded
	bearer   [][]string // of Authorization
	denied   string     // why the user is not let in; empty: he is
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case h.paths.callback:
		h.hide(r, "code", "state")
		h.callback(w, r)
	case h.paths.login:
		h.begin(w, r)
	case h.paths.logout:
		h.logout(w, r)
	case h.paths.backChannel:
		h.backChannel(w, r)
	case h.paths.frontChannel:
		h.hide(r, "sid")
		h.frontChannel(w, r)
	default:
		h.serve(w, r)
	}
}

// hide keeps what a provider sends by the browser out of the access log.
func (h *handler) hide(r *http.Request, names ...string) {
	for _, name := range names {
		record.From(r.Context()).Hide(name)
	}
}

// serve hands a request on, if somebody has logged in.
func (h *handler) serve(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	s, err := h.current(w, r)
	skipped := h.skipped(r)
	if s == nil && (skipped || h.config.Optional) {
		h.pass(w, r, nil)
		return
	}
	rec.SetAuth(false)
	switch {
	case err != nil && r.Context().Err() != nil:
		middlewares.Refuse(w, r, answer.StatusClientClosedRequest, "oidc: the client has gone before it was known who it is")
		return
	case err != nil:
		h.unavailable(w, r, err)
		return
	case s == nil:
		h.challenge(w, r)
		return
	}
	v := h.viewOf(s)
	if v.denied != "" && skipped { // whoever may not see the rest is nobody here
		rec.NotAsked()
		h.pass(w, r, nil)
		return
	}
	if v.denied != "" {
		answer.Text(w, r, http.StatusForbidden, "oidc: "+v.denied, "You are logged in, but may not see this.")
		return
	}
	rec.SetAuth(true)
	rec.SetIdentity(v.who)
	h.pass(w, r, v)
}

// viewOf finds out who a session is, and whether that is enough.
func (h *handler) viewOf(s *session) *view {
	registry := h.consumers.Now()
	if v := s.view.Load(); v != nil && v.by == h && v.registry == registry {
		return v
	}
	who := &identity.Identity{Method: "oidc", Subject: s.sub, Claims: s.claims}
	if who.Consumer = registry.ByClaims(s.claims); who.Consumer != nil {
		who.Groups = append(who.Groups, who.Consumer.Groups...)
	}
	if h.config.GroupsClaim != "" {
		who.Groups = append(who.Groups, claims.Texts(claims.Lookup(s.claims, h.config.GroupsClaim))...)
	}
	v := &view{by: h, registry: registry, who: who, values: h.headers.Values(s.claims), denied: h.demands.Missing(s.claims)}
	if h.authorization != nil && s.access != "" {
		v.bearer = [][]string{{"Bearer " + s.access}}
	}
	s.view.Store(v)
	return v
}

// pass hands a request on: without the cookies of this middleware and the headers that only
// the gateway sets, and with what is known of the user; nil: nothing.
func (h *handler) pass(w http.ResponseWriter, r *http.Request, v *view) {
	var room [8]requesthead.Field
	undo, none := room[:0], view{}
	if v == nil {
		v = &none
	}
	undo = h.headers.Put(r.Header, v.values, undo)
	out := h.headers.Clean(r)
	if h.authorization != nil {
		undo = h.authorization.Put(r.Header, v.bearer, undo)
		out = h.authorization.Clean(out)
	}
	if lines := r.Header["Cookie"]; len(lines) > 0 {
		switch rest, changed := h.jar.others(lines); {
		case changed && len(rest) == 0:
			undo = append(undo, requesthead.Remove(r.Header, "Cookie"))
		case changed:
			undo = append(undo, requesthead.Set(r.Header, "Cookie", rest))
		}
	}
	if w.Header()["Set-Cookie"] != nil {
		own := responsehead.New(w, responsehead.Edit(forOne))
		h.next.ServeHTTP(own, out)
		own.Finish()
	} else {
		h.next.ServeHTTP(w, out)
	}
	for _, f := range slices.Backward(undo) {
		f.PutBack()
	}
}

// forOne keeps a response that brings a session to a browser out of the caches of others: they
// may keep it with its cookies (RFC 9111, section 7.3).
func forOne(head responsehead.Head) {
	kept := []string{"private"}
	for _, line := range head.Values("Cache-Control") {
		for part := range strings.SplitSeq(line, ",") {
			name, _, _ := strings.Cut(strings.TrimSpace(part), "=")
			switch strings.ToLower(name) {
			case "no-store", "private":
				return
			case "", "public", "s-maxage":
			default:
				kept = append(kept, strings.TrimSpace(part))
			}
		}
	}
	head.Set("Cache-Control", strings.Join(kept, ", "))
}

// current returns the session of a request; nil: there is none. The error says why that cannot
// be known now.
func (h *handler) current(w http.ResponseWriter, r *http.Request) (*session, error) {
	s, err := h.find(r)
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		h.jar.drop(w, r) // what is no good need not come again
		return nil, nil
	}
	now := h.now()
	latest := h.newest(s)
	if h.over(latest, now) != "" {
		h.jar.drop(w, r)
		return nil, nil
	}
	if h.due(latest, now) {
		if latest, err = h.renew(w, r, latest, now); err != nil || latest == nil {
			return nil, err
		}
	}
	if idle := time.Duration(h.config.IdleTimeout); idle > 0 && h.vault == nil && now.Sub(latest.seen) > idle/8 {
		latest = latest.renewed(now)
	}
	if latest != s {
		if err := h.hand(w, r, latest); err != nil {
			h.log.Debugf("oidc: what a session has become is known here only: %v", err)
		}
	}
	return latest, nil
}
