package oidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"fairway/internal/answer"
	"fairway/middlewares"
)

// The provider says who has logged out: to the gateway itself, by a token that it signs (OpenID
// Connect Back-Channel Logout), or by the browser, in a frame (Front-Channel Logout).

const (
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
	logoutFresh = 10 * time.Minute // that a logout token may be old
)

// backChannel takes a logout token.
func (h *handler) backChannel(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		middlewares.Refuse(w, r, http.StatusMethodNotAllowed, "oidc: a logout token is sent by POST")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 2*longest)
	if err := r.ParseForm(); err != nil || len(r.PostForm["logout_token"]) != 1 {
		middlewares.Refuse(w, r, http.StatusBadRequest, "oidc: there is no logout token")
		return
	}
	sub, sid, jti, err := h.verifyLogout(r, r.PostForm.Get("logout_token"))
	var away *awayError
	switch {
	case errors.As(err, &away):
		h.unavailable(w, r, err)
		return
	case err != nil:
		middlewares.Refuse(w, r, http.StatusBadRequest, "oidc: the logout token: "+err.Error())
		return
	}
	if err := h.endAll(r.Context(), sub, sid); err != nil {
		_ = h.again(r.Context(), "jti", jti) // the provider may send it once more
		h.unavailable(w, r, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// verifyLogout tells whose sessions a logout token ends (section 2.6).
func (h *handler) verifyLogout(r *http.Request, token string) (sub, sid, jti string, err error) {
	said, _, err := h.verify(r.Context(), token, 0)
	if err != nil {
		return "", "", "", err
	}
	events, _ := said["events"].(map[string]any)
	if _, ok := events[logoutEvent].(map[string]any); !ok {
		return "", "", "", errors.New("it is about no logout")
	}
	if _, is := said["nonce"]; is {
		return "", "", "", errors.New("it has a nonce, as ID tokens have")
	}
	n, ok := said["iat"].(json.Number)
	iat, _ := n.Float64()
	if age := h.now().Sub(time.Unix(int64(iat), 0)); !ok || age > logoutFresh+leeway {
		return "", "", "", errors.New("it does not say when it was made, or that was long ago")
	}
	sub, _ = said["sub"].(string)
	sid, _ = said["sid"].(string)
	jti, _ = said["jti"].(string)
	switch {
	case sub == "" && sid == "":
		return "", "", "", errors.New("it says of nobody that he has logged out")
	case jti == "":
		return "", "", "", errors.New("it has no jti, so that it could be sent twice")
	}
	first, err := h.once(r.Context(), "jti", jti, logoutFresh+2*leeway)
	if err == nil && !first {
		err = errors.New("it was sent before")
	}
	return sub, sid, jti, err
}

// frontChannel takes what a frame says. Cookies do not come with it, for it is on a page of
// another site, but the name that the provider has for a session nobody else knows.
func (h *handler) frontChannel(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	query, err := url.ParseQuery(r.URL.RawQuery)
	iss, sid := query.Get("iss"), query.Get("sid")
	if r.Method != http.MethodGet || err != nil || iss != h.config.Issuer || sid == "" || len(sid) > 256 {
		middlewares.Refuse(w, r, http.StatusBadRequest, fmt.Sprintf("oidc: a logout by a frame names the issuer %.100q, and a session or not", iss))
		return
	}
	if err := h.endFramed(r.Context(), sid); err != nil {
		h.unavailable(w, r, err)
		return
	}
	answer.Text(w, r, http.StatusOK, "", "You are logged out.")
}
