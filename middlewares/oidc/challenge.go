package oidc

import (
	"net/http"
	"path"
	"slices"
	"strings"

	"fairway/internal/bearer"
	"fairway/internal/headername"
	"fairway/middlewares"
)

// What a request without a session is answered with depends on who asks: a person in front of a
// browser can log in, a script cannot.

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
