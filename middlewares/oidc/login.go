package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairway/internal/answer"
	"fairway/internal/jwks"
	"fairway/internal/record"
	"fairway/middlewares"
)

// login sends a browser to the provider, by the code flow with PKCE (RFC 9700, section 2.1.1).
func (h *handler) login(w http.ResponseWriter, r *http.Request, back string) {
	if !h.jar.keeps(r) { // a login that is over would begin anew, for ever
		answer.Text(w, r, http.StatusInternalServerError, fmt.Sprintf("oidc: the host %.100q is not below the option cookieDomain, so that browsers keep no session", r.Host), saysLater)
		return
	}
	m, err := h.provider.metadata(r.Context())
	if err != nil {
		h.unavailable(w, r, err)
		return
	}
	a := newAttempt(h.jar.origin(r)+h.paths.callback, back, h.now())
	h.keepAttempt(w, r, a)
	noStore(w)
	w.Header().Set("Location", h.authorizationURL(m, a))
	middlewares.Refuse(w, r, http.StatusFound, "oidc: there is no session: sent to the provider")
}

// authorizationURL is the address of the request for a login.
func (h *handler) authorizationURL(m *jwks.Metadata, a *attempt) string {
	query := url.Values{}
	for name, value := range h.config.AuthorizationParameters {
		query.Set(name, value)
	}
	for name, value := range map[string]string{
		"response_type": "code", "client_id": h.config.ClientID, "redirect_uri": a.redirect, "scope": h.config.scope(),
		"state": a.state, "nonce": a.nonce, "code_challenge": a.challenge(), "code_challenge_method": "S256",
	} {
		query.Set(name, value)
	}
	join := "?"
	if strings.Contains(m.AuthorizationEndpoint, "?") {
		join = "&"
	}
	return m.AuthorizationEndpoint + join + query.Encode()
}

// scope is what is asked for.
func (c *Config) scope() string {
	scopes := c.Scopes
	if len(scopes) == 0 {
		scopes = []string{"openid", "profile", "email"}
	}
	if !slices.Contains(scopes, "openid") {
		scopes = append([]string{"openid"}, scopes...)
	}
	return strings.Join(scopes, " ")
}

// begin begins a login that somebody has asked for by the path of its own.
func (h *handler) begin(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		middlewares.Refuse(w, r, http.StatusMethodNotAllowed, "oidc: a login begins by GET")
		return
	}
	back := r.URL.Query().Get("rd")
	if u, err := url.Parse(back); err != nil || !local(back) || h.paths.own(u.Path) {
		back = "/"
	}
	h.login(w, r, back)
}

// refusal is why a login came to nothing, and what the person in front of the browser is told.
type refusal struct {
	status      int
	cause, says string
}

// What people are told: nothing that helps somebody who should not be here.
const (
	saysAgain   = "The login did not work. Open the page that you wanted once more."
	saysExpired = "This login has run out, or was begun in another browser. Open the page that you wanted once more."
	saysDenied  = "The login was refused."
	saysLater   = "The login does not work at the moment. Try again in a while."
)

// callback takes a browser back from the provider.
func (h *handler) callback(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	w.Header().Set("Referrer-Policy", "no-referrer") // the code is in the address
	record.From(r.Context()).SetAuth(false)
	a, s, no := h.finish(w, r)
	if no == nil {
		no = h.take(w, r, s)
	}
	switch {
	case no != nil && r.Context().Err() != nil:
		middlewares.Refuse(w, r, answer.StatusClientClosedRequest, "oidc: the client has gone before the login was over")
	case no != nil:
		if no.status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "5")
		}
		answer.Text(w, r, no.status, "oidc: "+no.cause, no.says)
	default:
		record.From(r.Context()).SetAuth(true)
		record.From(r.Context()).SetIdentity(h.viewOf(s).who)
		w.Header().Set("Location", a.back)
		w.WriteHeader(http.StatusFound)
	}
}

// together is the time in which several tabs log in that were opened together.
const together = time.Minute

// take begins a session, in the place of that which the browser may have. The other one ends,
// unless another tab has begun it just now: parts of its page may be under way.
func (h *handler) take(w http.ResponseWriter, r *http.Request, s *session) *refusal {
	if old, err := h.find(r); err == nil && old != nil && (old.sub != s.sub || s.began.Sub(old.began) > together) {
		_ = h.forget(r.Context(), old) // it ends by itself, too
	}
	err := h.start(w, r, s)
	switch _, away := errors.AsType[*awayError](err); {
	case away:
		return &refusal{http.StatusServiceUnavailable, err.Error(), saysLater}
	case err != nil:
		return &refusal{http.StatusInternalServerError, err.Error(), saysAgain}
	}
	return nil
}

// finish verifies what the provider sends by the browser, and gets the tokens.
func (h *handler) finish(w http.ResponseWriter, r *http.Request) (*attempt, *session, *refusal) {
	query, no := answerIn(r)
	if no != nil {
		return nil, nil, no
	}
	a, err := h.takeAttempt(w, r, query.Get("state"))
	if err != nil {
		return nil, nil, &refusal{http.StatusBadRequest, err.Error(), saysExpired}
	}
	switch first, err := h.once(r.Context(), "state", a.state, attemptTime); {
	case err != nil:
		return nil, nil, &refusal{http.StatusServiceUnavailable, err.Error(), saysLater}
	case !first:
		return nil, nil, &refusal{http.StatusBadRequest, "the login was over already", saysExpired}
	}
	m, err := h.provider.metadata(r.Context())
	if err != nil {
		return nil, nil, &refusal{http.StatusServiceUnavailable, err.Error(), saysLater}
	}
	if no := h.mixedUp(m, query); no != nil {
		return nil, nil, no
	}
	if code := query.Get("error"); code != "" {
		return nil, nil, refusedBy(code)
	}
	if query.Get("code") == "" {
		return nil, nil, &refusal{http.StatusBadRequest, "the provider has sent no code", saysAgain}
	}
	s, err := h.session(r.Context(), m, a, query.Get("code"))
	var away *awayError
	switch {
	case errors.As(err, &away):
		return nil, nil, &refusal{http.StatusServiceUnavailable, err.Error(), saysLater}
	case err != nil:
		return nil, nil, &refusal{http.StatusUnauthorized, err.Error(), saysAgain}
	}
	return a, s, nil
}

// answerIn are the parameters that the provider has sent. Of those that count each is there once.
func answerIn(r *http.Request) (url.Values, *refusal) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if r.Method != http.MethodGet || err != nil {
		return nil, &refusal{http.StatusBadRequest, "what came back from the provider is not understood", saysAgain}
	}
	for _, name := range []string{"state", "code", "iss", "error"} {
		if len(query[name]) > 1 {
			return nil, &refusal{http.StatusBadRequest, "the provider has sent " + name + " twice", saysAgain}
		}
	}
	return query, nil
}

// mixedUp refuses an answer that another issuer gave than was asked (RFC 9207, section 2.4): a
// code of theirs must not be sent to this one, or the other way round.
func (h *handler) mixedUp(m *jwks.Metadata, query url.Values) *refusal {
	iss, is := query["iss"]
	switch {
	case is && iss[0] != h.config.Issuer:
		return &refusal{http.StatusUnauthorized, fmt.Sprintf("the answer is by the issuer %.100q", iss[0]), saysAgain}
	case !is && m.IssParameter:
		return &refusal{http.StatusUnauthorized, "the answer does not name its issuer", saysAgain}
	}
	return nil
}

// refusedBy is what an error of the provider comes to (RFC 6749, section 4.1.2.1; OpenID Connect
// Core, section 3.1.2.6).
func refusedBy(code string) *refusal {
	cause := "the provider refuses the login"
	if len(code) < 64 && !strings.ContainsFunc(code, func(c rune) bool { return c != '_' && (c < 'a' || c > 'z') }) {
		cause += ": " + code
	}
	switch code {
	case "access_denied":
		return &refusal{http.StatusForbidden, cause, saysDenied}
	case "server_error", "temporarily_unavailable":
		return &refusal{http.StatusServiceUnavailable, cause, saysLater}
	}
	return &refusal{http.StatusUnauthorized, cause, saysAgain}
}

// recent checks what the parameter max_age asks for, if the operator has it sent (OpenID Connect
// Core, section 3.1.2.1).
func (h *handler) recent(said map[string]any) error {
	asked := h.config.AuthorizationParameters["max_age"]
	if asked == "" {
		return nil
	}
	most, err := strconv.Atoi(asked)
	if err != nil {
		return err // which New has told before
	}
	n, _ := said["auth_time"].(json.Number)
	at, err := n.Int64()
	if err != nil || h.now().Sub(time.Unix(at, 0)) > time.Duration(most)*time.Second+leeway {
		return errors.New("the ID token: the password was asked for too long ago (auth_time)")
	}
	return nil
}

// session is made of the tokens for a code.
func (h *handler) session(ctx context.Context, m *jwks.Metadata, a *attempt, code string) (*session, error) {
	t, err := h.exchange(ctx, m, a, code)
	if err != nil {
		return nil, err
	}
	if err := h.recent(t.claims); err != nil {
		return nil, err
	}
	sub, _ := t.claims["sub"].(string)
	if h.config.UserInfo {
		if t.more, err = h.userInfo(ctx, m, t.access, sub); err != nil {
			return nil, err
		}
	}
	if !h.config.ForwardAccessToken {
		t.access = ""
	}
	now := h.now().Truncate(time.Millisecond)
	s := &session{id: newID(), began: now, seen: now, fresh: t.fresh, until: t.until, idToken: t.idToken, access: t.access, refresh: t.refresh, more: t.more}
	return s, s.understand()
}
