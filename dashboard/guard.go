package dashboard

import (
	"net/http"
	"net/url"
	"strings"

	"fairway/internal/record"
)

// readOnly refuses what could change anything.
func readOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			send(w, http.StatusMethodNotAllowed, message("this API only reads"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ownSite refuses, where the API has no protection, what pages of other sites make a browser
// ask: they could not read the answers, but take all streams. Who follows a link is let in.
func (a *api) ownSite(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, a.base+"/api/") && unprotected(r) && ofAnotherSite(r) {
			send(w, http.StatusForbidden, message("pages of other sites may not ask this API"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// unprotected tells whether a request came by a router of fairway's own, as api.insecure has
// them. Whoever routes to the API himself may let others in, by a middleware.
func unprotected(r *http.Request) bool {
	rec := record.From(r.Context())
	return rec != nil && strings.HasSuffix(rec.Router, "@internal")
}

// ofAnotherSite tells whether a browser says that a page of another site asks: by the fetch
// metadata (W3C), which it has for secure origins only, or by the origin (RFC 6454).
func ofAnotherSite(r *http.Request) bool {
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate" {
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) && !strings.EqualFold(u.Host, r.Header.Get("X-Forwarded-Host"))
}

// toPage leads to the page, also where a middleware has taken a prefix off the path.
func toPage(path string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", prefixOf(r)+path)
		w.WriteHeader(http.StatusFound)
	})
}

// prefixOf is what was taken off the path, as stripPrefix tells it; empty if that is no path
// of this host. Clients may say it themselves, so that it must not lead elsewhere.
func prefixOf(r *http.Request) string {
	prefix := strings.TrimSuffix(r.Header.Get("X-Forwarded-Prefix"), "/")
	if !strings.HasPrefix(prefix, "/") || strings.HasPrefix(prefix, "//") || strings.Contains(prefix, `\`) {
		return ""
	}
	for _, c := range prefix {
		if c <= ' ' || c == 0x7f {
			return ""
		}
	}
	return (&url.URL{Path: prefix}).EscapedPath()
}
