package oidc

import (
	"net/http"
	"net/url"
	"strings"

	"fairway/internal/answer"
	"fairway/middlewares"
)

// logout ends the session of a browser, here and at the provider (OpenID Connect RP-Initiated
// Logout). No other site may do that to somebody: a request that may come from one is answered
// with a page that asks, and its button sends what only this host can send.
func (h *handler) logout(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if !h.ownSite(r) {
			h.askFirst(w, r)
			return
		}
	case http.MethodPost:
		if !h.ownSite(r) {
			middlewares.Refuse(w, r, http.StatusForbidden, "oidc: another site asks for the logout")
			return
		}
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		middlewares.Refuse(w, r, http.StatusMethodNotAllowed, "oidc: a logout is asked for by GET or POST")
		return
	}
	s, err := h.find(r)
	switch {
	case err == nil && s != nil:
		s = h.newest(s)
		err = h.end(w, r, s)
	case err == nil:
		h.jar.drop(w, r)
	}
	if err != nil { // the session would go on: it is not said that it has ended
		h.unavailable(w, r, err)
		return
	}
	if to := h.afterLogout(r, s); to != "" {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	answer.Text(w, r, http.StatusOK, "", "You are logged out.")
}

// ownSite tells whether a request comes from a page of this host, or from nobody's page. The
// browser says so by Fetch Metadata, or, where it does not, as by http, by Origin or Referer.
func (h *handler) ownSite(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin" || site == "none"
	}
	from := r.Header.Get("Origin")
	if from == "" {
		from = r.Header.Get("Referer")
	}
	u, err := url.Parse(from)
	return err == nil && from != "" && u.Scheme+"://"+u.Host == h.jar.origin(r)
}

// askFirst is a page with a button. It is shown in no frame.
func (h *handler) askFirst(w http.ResponseWriter, r *http.Request) {
	const page = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<title>Log out?</title></head>
<body style="font:1.1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:20vh auto;padding:0 1rem"><h1 style="font-size:1.4rem">Log out?</h1>
<form method="post"><button style="font:inherit;padding:.3rem 1rem">Log out</button></form></body></html>
`
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	// What the button leads to may be another site: form-action is left open.
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(page))
	}
}

// afterLogout is where the browser goes to; empty: nowhere.
func (h *handler) afterLogout(r *http.Request, s *session) string {
	to := h.config.PostLogoutRedirect
	if s == nil {
		return to
	}
	m, err := h.provider.metadata(r.Context())
	if err != nil || m.EndSessionEndpoint == "" {
		return to
	}
	if strings.HasPrefix(to, "/") {
		to = h.jar.origin(r) + to
	}
	query := url.Values{"id_token_hint": {s.idToken}, "client_id": {h.config.ClientID}}
	if to != "" {
		query.Set("post_logout_redirect_uri", to)
	}
	join := "?"
	if strings.Contains(m.EndSessionEndpoint, "?") {
		join = "&"
	}
	return m.EndSessionEndpoint + join + query.Encode()
}
