package oidc

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// cached is what a text was when it was opened.
type cached struct {
	session *session
	version uint64 // of the secrets
}

// find returns the session that a browser brings; nil: none that is good.
func (h *handler) find(r *http.Request) *session {
	text := h.jar.find(r)
	if text == "" {
		return nil
	}
	version := h.sealer.version()
	if known, ok := h.cache.Get(text); ok && known.version == version {
		return known.session
	}
	raw, err := h.sealer.open(forSession, text)
	if err != nil {
		return nil
	}
	s, err := readSession(raw)
	if err != nil {
		return nil
	}
	h.cache.Put(text, &cached{s, version})
	return s
}

// hand gives a session to the browser.
func (h *handler) hand(w http.ResponseWriter, r *http.Request, s *session) error {
	left := s.began.Add(time.Duration(h.config.Lifetime)).Sub(h.now())
	if idle := time.Duration(h.config.IdleTimeout); idle > 0 {
		left = min(left, idle)
	}
	if !h.jar.put(w, r, h.sealer.seal(forSession, s.write()), max(left, time.Second)) {
		return errors.New("the session does not fit into cookies")
	}
	return nil
}

// over tells why a session is none any more; empty: it is one.
func (h *handler) over(s *session, now time.Time) string {
	idle := time.Duration(h.config.IdleTimeout)
	switch {
	case now.Sub(s.began) >= time.Duration(h.config.Lifetime):
		return "the session has lasted its time"
	case idle > 0 && now.Sub(s.seen) >= idle:
		return "the session was not used for too long"
	case h.config.ForwardAccessToken && s.refresh == "" && !s.until.IsZero() && !now.Before(s.until):
		return "the access token has expired, and there is no other"
	case h.shared.ended.has(h.config.Issuer, s), h.shared.framed.has(h.config.Issuer, s):
		return "the session was ended"
	}
	return ""
}

// end ends a session: the browser forgets it, and its cookie is good no more.
func (h *handler) end(w http.ResponseWriter, r *http.Request, s *session) {
	h.jar.drop(w, r)
	h.forget(r.Context(), s)
}

// forget has the cookie of a session be good no more, whoever has it.
func (h *handler) forget(_ context.Context, s *session) {
	h.shared.ended.add(ending{byID, h.config.Issuer, s.id}, h.now(), time.Duration(h.config.Lifetime))
}

// endAll ends the session that the provider has a name for, or all of a user.
func (h *handler) endAll(_ context.Context, sub, sid string) error {
	what := ending{bySID, h.config.Issuer, sid}
	if sid == "" {
		what = ending{bySub, h.config.Issuer, sub}
	}
	h.shared.ended.add(what, h.now(), time.Duration(h.config.Lifetime))
	return nil
}

// endFramed ends the session that the provider has a name for. Those whom anybody can name are
// kept apart, so that they push out nobody else.
func (h *handler) endFramed(_ context.Context, sid string) error {
	h.shared.framed.add(ending{bySID, h.config.Issuer, sid}, h.now(), time.Duration(h.config.Lifetime))
	return nil
}

// once tells whether something is used for the first time within a while.
func (h *handler) once(_ context.Context, what, id string, within time.Duration) (bool, error) {
	return h.shared.once(what, id, within), nil
}
