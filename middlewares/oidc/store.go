package oidc

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// A session is in cookies, or in Redis with its id in the cookie. What is asked here is the same
// for both.

// cached is what a text was when it was opened.
type cached struct {
	session *session
	version uint64 // of the secrets
}

// idBytes are random, so that nobody guesses them: with Redis they are all that a browser has.
const idBytes = 32

func newID() string { return randomText(idBytes) }

const idLength = (idBytes*8 + 5) / 6

// find returns the session that a browser brings; nil: none that is good.
func (h *handler) find(r *http.Request) (*session, error) {
	text := h.jar.find(r)
	switch {
	case text == "":
		return nil, nil
	case h.vault == nil:
		return h.open(h.sealer, text, text), nil
	case len(text) != idLength:
		return nil, nil
	}
	return h.load(r.Context(), text)
}

// load returns the session of an id in Redis.
func (h *handler) load(ctx context.Context, id string) (*session, error) {
	text, err := h.vault.get(ctx, id, time.Duration(h.config.IdleTimeout))
	if err != nil || text == "" {
		return nil, err
	}
	key := id + text // not by the text alone: it is good for this id only
	if known, ok := h.cache.Get(key); ok {
		return known.session, nil
	}
	s := h.open(h.vault.sealerOf(id), key, text)
	if s != nil && s.id != id {
		return nil, nil
	}
	return s, nil
}

// open reads a sealed session, or knows it from before by a key.
func (h *handler) open(by *sealer, key, text string) *session {
	version := by.version()
	if known, ok := h.cache.Get(key); ok && known.version == version {
		return known.session
	}
	raw, err := by.open(forSession, text)
	if err != nil {
		return nil
	}
	s, err := readSession(raw)
	if err != nil {
		return nil
	}
	h.cache.Put(key, &cached{s, version})
	return s
}

// left is how long a session is kept, if nobody uses it.
func (h *handler) left(s *session) time.Duration {
	left := s.began.Add(time.Duration(h.config.Lifetime)).Sub(h.now())
	if idle := time.Duration(h.config.IdleTimeout); idle > 0 {
		left = min(left, idle)
	}
	return max(left, time.Second)
}

// start keeps a new session, and gives it to the browser.
func (h *handler) start(w http.ResponseWriter, r *http.Request, s *session) error {
	if h.vault == nil {
		return h.hand(w, r, s)
	}
	if err := h.vault.add(r.Context(), s, h.left(s), time.Duration(h.config.Lifetime)); err != nil {
		return err
	}
	h.jar.put(w, r, s.id, time.Duration(h.config.Lifetime))
	return nil
}

// hand gives what a session has become to the browser.
func (h *handler) hand(w http.ResponseWriter, r *http.Request, s *session) error {
	if h.vault == nil && !h.jar.put(w, r, h.sealer.seal(forSession, s.write()), h.left(s)) {
		return errors.New("the session does not fit into cookies: redis has room for it")
	}
	return nil
}

// over tells why a session is none any more; empty: it is one.
func (h *handler) over(s *session, now time.Time) string {
	idle := time.Duration(h.config.IdleTimeout)
	switch {
	case now.Sub(s.began) >= time.Duration(h.config.Lifetime):
		return "the session has lasted its time"
	case idle > 0 && h.vault == nil && now.Sub(s.seen) >= idle:
		return "the session was not used for too long"
	case h.config.ForwardAccessToken && s.refresh == "" && !s.until.IsZero() && !now.Before(s.until):
		return "the access token has expired, and there is no other"
	case h.shared.ended.has(h.config.Issuer, s), h.shared.framed.has(h.config.Issuer, s):
		return "the session was ended"
	}
	return ""
}

// end ends a session: the browser forgets it, and its cookie is good no more.
func (h *handler) end(w http.ResponseWriter, r *http.Request, s *session) error {
	h.jar.drop(w, r)
	return h.forget(r.Context(), s)
}

// forget has the cookie of a session be good no more, whoever has it.
func (h *handler) forget(ctx context.Context, s *session) error {
	h.shared.ended.add(ending{byID, h.config.Issuer, s.id}, h.now(), time.Duration(h.config.Lifetime))
	if h.vault == nil {
		return nil
	}
	return h.vault.remove(ctx, s)
}

// endAll ends the session that the provider has a name for, or all of a user.
func (h *handler) endAll(ctx context.Context, sub, sid string) error {
	what := ending{bySID, h.config.Issuer, sid}
	if sid == "" {
		what = ending{bySub, h.config.Issuer, sub}
	}
	if h.vault != nil {
		return h.vault.removeAll(ctx, what.kind, what.name)
	}
	h.shared.ended.add(what, h.now(), time.Duration(h.config.Lifetime))
	return nil
}

// endFramed ends the session that the provider has a name for. Those whom anybody can name are
// kept apart, so that they push out nobody else.
func (h *handler) endFramed(ctx context.Context, sid string) error {
	if h.vault != nil {
		return h.vault.removeAll(ctx, bySID, sid)
	}
	h.shared.framed.add(ending{bySID, h.config.Issuer, sid}, h.now(), time.Duration(h.config.Lifetime))
	return nil
}

// once tells whether something is used for the first time within a while.
func (h *handler) once(ctx context.Context, what, id string, within time.Duration) (bool, error) {
	if h.vault != nil {
		return h.vault.once(ctx, what, id, within)
	}
	return h.shared.once(what, id, within), nil
}

// again undoes once.
func (h *handler) again(ctx context.Context, what, id string) error {
	if h.vault != nil {
		return h.vault.again(ctx, what, id)
	}
	h.shared.used.Drop(h.shared.used.Key(what, id))
	return nil
}
