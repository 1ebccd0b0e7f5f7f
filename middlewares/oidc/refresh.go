package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Tokens are refreshed shortly before they end, by the first request that comes then; others of
// the same session wait for it, for a refresh token is of use once with many providers (RFC
// 9700, section 4.14.2). Requests with the cookie from before, which were under way or whose
// answer was lost, get what came out of it.

// due tells whether the tokens of a session are to be refreshed.
func (h *handler) due(s *session, now time.Time) bool {
	return s.refresh != "" && !s.fresh.IsZero() && !now.Before(s.fresh)
}

// newest is a session as it was refreshed last.
func (h *handler) newest(s *session) *session {
	known, ok := h.shared.latest.Get(s.id)
	switch {
	case !ok || known.turn <= s.turn:
		return s
	case s.seen.After(known.seen):
		return known.renewed(s.seen)
	}
	return known
}

// patienceOfOne is how long a request waits while the tokens are still good.
const patienceOfOne = 2 * time.Second

// renew is what becomes of a session whose tokens are about to end, or have: nil, if the provider
// says that it is over. While it does not answer, they are good to their end.
func (h *handler) renew(w http.ResponseWriter, r *http.Request, s *session, now time.Time) (*session, error) {
	ctx, good := r.Context(), now.Before(s.until)
	if good {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patienceOfOne)
		defer cancel()
	}
	next, err := h.refreshed(ctx, s)
	_, away := errors.AsType[*awayError](err)
	switch {
	case err == nil:
		return next, nil
	case !away && ctx.Err() == nil:
		return nil, h.end(w, r, s)
	case good:
		return s, nil
	}
	return nil, err
}

// refreshTime bounds a refresh, whoever waits for it.
const refreshTime = 15 * time.Second

// refreshed returns the session with new tokens. An error that is no awayError ends it.
func (h *handler) refreshed(ctx context.Context, s *session) (*session, error) {
	result := h.shared.refreshing.DoChan(h.binding+s.id+strconv.FormatUint(s.turn, 10), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.Background(), refreshTime) // for all who wait, of whom the first may be gone
		defer cancel()
		if known := h.newest(s); known != s {
			return known, nil
		}
		if h.vault != nil {
			return h.refreshAlone(ctx, s)
		}
		return h.refresh(ctx, s)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case got := <-result:
		if got.Err != nil {
			return nil, got.Err
		}
		return got.Val.(*session), nil
	}
}

// refreshAlone refreshes a session in Redis, unless another gateway does: then it waits for that.
func (h *handler) refreshAlone(ctx context.Context, s *session) (*session, error) {
	for {
		release, taken, err := h.vault.lock(ctx, s.id)
		if err != nil {
			return nil, err
		}
		if !taken {
			defer release()
		}
		now, err := h.load(ctx, s.id)
		switch {
		case err != nil:
			return nil, err
		case now == nil:
			return nil, errGone
		case now.turn > s.turn:
			return now, nil
		case !taken:
			next, err := h.refresh(ctx, s)
			if err != nil {
				return nil, err
			}
			return next, h.vault.replace(ctx, next, h.left(next))
		}
		select {
		case <-ctx.Done():
			return nil, &awayError{errors.New("another gateway refreshes the session, and does not end")}
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// refresh asks the provider.
func (h *handler) refresh(ctx context.Context, s *session) (*session, error) {
	if h.provider.resting(h.now()) {
		return nil, errResting
	}
	m, err := h.provider.metadata(ctx)
	if err != nil {
		return nil, &awayError{err}
	}
	t, err := h.tokens(ctx, m, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {s.refresh}}, "")
	if err == nil && t.idToken != "" && t.claims["sub"] != s.sub {
		err = errors.New("the ID token is about somebody else")
	}
	var away *awayError
	if err == nil && h.config.UserInfo {
		if t.more, err = h.userInfo(ctx, m, t.access, s.sub); errors.As(err, &away) {
			err = nil // what was known stays: the old refresh token is of no use any more
		}
	}
	if err != nil {
		if errors.As(err, &away) && silent(err) {
			h.provider.failed(h.now())
		}
		h.log.Debugf("oidc: the tokens of a session cannot be refreshed: %v", err)
		return nil, err
	}
	if !h.config.ForwardAccessToken {
		t.access = ""
	}
	next, err := s.with(t)
	if err != nil {
		return nil, fmt.Errorf("the refreshed tokens: %w", err)
	}
	next.seen = h.now()
	h.shared.latest.Put(s.id, next)
	return next, nil
}
