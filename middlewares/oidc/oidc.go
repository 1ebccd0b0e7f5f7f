package oidc

import (
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/sirupsen/logrus"

	"fairway/internal/answer"
	"fairway/internal/bearer"
	"fairway/internal/claims"
	"fairway/internal/consumers"
	"fairway/internal/headername"
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
		h.callback(w, r)
	case h.paths.login:
		h.begin(w, r)
	case h.paths.logout:
		h.logout(w, r)
	case h.paths.backChannel:
		h.backChannel(w, r)
	case h.paths.frontChannel:
		h.frontChannel(w, r)
	default:
		h.serve(w, r)
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
	if v.denied != "" && !skipped {
		answer.Text(w, r, http.StatusForbidden, "oidc: "+v.denied, "You are logged in, but may not see this.")
		return
	}
	rec.SetAuth(true)
	rec.SetIdentity(v.who)
	h.pass(w, r, v)
}

// unavailable says that it cannot be known now who may enter.
func (h *handler) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("Retry-After", "5")
	noStore(w)
	middlewares.Refuse(w, r, http.StatusServiceUnavailable, "oidc: "+err.Error())
}

func noStore(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-store") }

// challenge sends a browser to the provider. Whoever cannot log in there is told that it would
// have to: a script gets no page of another site, which it could not read.
func (h *handler) challenge(w http.ResponseWriter, r *http.Request) {
	if navigates(r) {
		h.login(w, r, h.back(r))
		return
	}
	w.Header().Add("WWW-Authenticate", `Cookie realm="`+bearer.Realm+`"`)
	noStore(w)
	middlewares.Refuse(w, r, http.StatusUnauthorized, "oidc: there is no session")
}

// navigates tells whether a request is one by which a browser shows a page. It says so itself
// (Fetch Metadata), or else asks for HTML by a method that can be asked again.
func navigates(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || r.Header.Get("Upgrade") != "" || r.Header.Get("X-Requested-With") != "" {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		return false
	}
	for _, line := range r.Header["Accept"] {
		for part := range strings.SplitSeq(line, ",") {
			kind, _, _ := strings.Cut(part, ";")
			if kind = strings.ToLower(strings.TrimSpace(kind)); kind == "text/html" || kind == "application/xhtml+xml" {
				return true
			}
		}
	}
	return false
}

// skipped tells whether a request needs no login. A path that a service may understand in
// another way is none of those.
func (h *handler) skipped(r *http.Request) bool {
	p := r.URL.Path
	if len(h.config.SkipPaths) == 0 || r.URL.RawPath != "" || !plainPath(p) {
		return false
	}
	return slices.ContainsFunc(h.config.SkipPaths, func(prefix string) bool {
		rest, ok := strings.CutPrefix(p, strings.TrimSuffix(prefix, "/"))
		return ok && (rest == "" || rest[0] == '/')
	})
}

// plainPath tells whether a path can be understood in one way only.
func plainPath(p string) bool {
	clean := path.Clean(p)
	return strings.HasPrefix(p, "/") && (p == clean || p == clean+"/") && !strings.ContainsAny(p, "\\;%?#") && headername.ValidValue(p)
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
	if h.authorization != nil {
		undo = h.authorization.Put(r.Header, v.bearer, undo)
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
		h.next.ServeHTTP(own, r)
		own.Finish()
	} else {
		h.next.ServeHTTP(w, r)
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
		next, err := h.refreshed(r.Context(), latest)
		var away *awayError
		switch {
		case err == nil:
			latest = next
		case errors.As(err, &away), r.Context().Err() != nil:
			if !now.Before(latest.until) {
				return nil, err
			}
		default:
			return nil, h.end(w, r, latest)
		}
	}
	if idle := time.Duration(h.config.IdleTimeout); idle > 0 && h.vault == nil && now.Sub(latest.seen) > idle/8 {
		latest = latest.renewed(now)
	}
	if latest != s {
		if err := h.hand(w, r, latest); err != nil {
			return nil, err
		}
	}
	return latest, nil
}
