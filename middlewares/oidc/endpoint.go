package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"fairway/internal/headername"
	"fairway/internal/jwks"
	"fairway/internal/oauthclient"
	"fairway/internal/secret"
)

// tokens are what the provider gives for a code or a refresh token.
type tokens struct {
	idToken string // empty: none, which may be so when they are refreshed
	access  string // empty: it is not kept
	refresh string
	more    string    // of the userinfo endpoint
	fresh   time.Time // from then on they are refreshed
	until   time.Time
	claims  map[string]any
}

// ahead is how long before their end tokens are refreshed, at most.
const ahead = time.Minute

// clientFor is who asks, in the way that the provider takes.
func (h *handler) clientFor(m *jwks.Metadata) *oauthclient.Client {
	methods := m.TokenEndpointAuthMethods
	if h.config.AuthStyle == "" && len(methods) > 0 && !slices.Contains(methods, "client_secret_basic") && slices.Contains(methods, "client_secret_post") {
		return h.client.InForm()
	}
	return h.client
}

// exchange gets tokens for a code (OpenID Connect Core, section 3.1.3).
func (h *handler) exchange(ctx context.Context, m *jwks.Metadata, a *attempt, code string) (*tokens, error) {
	leave, ok := h.provider.enter()
	if !ok {
		return nil, errBusy
	}
	defer leave()
	return h.tokens(ctx, m, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {a.redirect}, "code_verifier": {a.verifier}}, a.nonce)
}

// given is an answer of the token endpoint (RFC 6749, section 5.1).
type given struct {
	Access  string      `json:"access_token"`
	Type    string      `json:"token_type"`
	Expires json.Number `json:"expires_in"`
	ID      string      `json:"id_token"`
	Refresh string      `json:"refresh_token"`
}

// check tells why an answer is none, as far as that can be seen from outside.
func (g *given) check(withID bool) error {
	switch {
	case g.Type != "" && !strings.EqualFold(g.Type, "Bearer"):
		return fmt.Errorf("the access token is of the type %.20q", g.Type)
	case withID && g.ID == "":
		return errors.New("it answers no ID token")
	case !headername.ValidValue(g.Access) || len(g.Access)+len(g.Refresh) > 4*longest:
		return errors.New("it answers no token that can be kept")
	}
	return nil
}

// refusesGrant tells whether an error is about the code or the refresh token, and not about the
// gateway: a secret that has changed, or too many questions, is nothing that users can mend (RFC
// 6749, section 5.2).
func refusesGrant(err error) bool {
	refused, ok := errors.AsType[*oauthclient.RefusedError](err)
	switch {
	case !ok || refused.Status < 400 || refused.Status > 499 || refused.Status == http.StatusTooManyRequests:
		return false
	case refused.Code == "invalid_grant":
		return true
	}
	return refused.Status == http.StatusBadRequest && refused.Code != "invalid_client" && refused.Code != "unauthorized_client"
}

// silent tells whether a provider does not answer at all, or has enough to do: then it is left
// alone for a while.
func silent(err error) bool {
	refused, answered := errors.AsType[*oauthclient.RefusedError](err)
	return !answered || refused.Status >= 500 || refused.Status == http.StatusTooManyRequests
}

// tokens asks the token endpoint, and verifies what it answers. With a nonce there has to be an
// ID token.
func (h *handler) tokens(ctx context.Context, m *jwks.Metadata, form url.Values, nonce string) (*tokens, error) {
	var got given
	err := h.clientFor(m).Post(ctx, m.TokenEndpoint, form, &got)
	switch {
	case refusesGrant(err):
		return nil, err
	case err != nil: // it does not answer, or not to this gateway
		return nil, &awayError{err}
	}
	if err := got.check(nonce != ""); err != nil {
		return nil, fmt.Errorf("ask %s: %w", secret.URL(m.TokenEndpoint), err)
	}
	now := h.now()
	t := &tokens{idToken: got.ID, access: got.Access, refresh: got.Refresh}
	if n, e := got.Expires.Int64(); e == nil && n > 0 {
		t.until = now.Add(time.Duration(min(n, 1<<31)) * time.Second)
	}
	if got.ID != "" {
		err := h.readIDToken(ctx, t, nonce)
		var away *awayError
		if errors.As(err, &away) && nonce == "" { // the one before stays; the refresh token before is of no use any more
			t.idToken, err = "", nil
		}
		if err != nil {
			return nil, fmt.Errorf("the ID token: %w", err)
		}
	}
	if !t.until.IsZero() {
		t.fresh = t.until.Add(-min(ahead, t.until.Sub(now)/5))
	}
	return t, nil
}

// readIDToken verifies the ID token among new tokens. It tells when they end, where they do not.
func (h *handler) readIDToken(ctx context.Context, t *tokens, nonce string) (err error) {
	if t.claims, err = h.verifyIDToken(ctx, t.idToken, nonce, t.access); err != nil {
		return err
	}
	if exp, e := t.claims["exp"].(json.Number).Float64(); e == nil && t.until.IsZero() && exp < 1<<40 {
		t.until = time.Unix(int64(exp), 0)
	}
	return nil
}

// mostUserInfo is what a user may be told about, in bytes.
const mostUserInfo = 16 << 10

// userInfo asks what the provider knows of the user (OpenID Connect Core, section 5.3).
func (h *handler) userInfo(ctx context.Context, m *jwks.Metadata, access, sub string) (string, error) {
	if m.UserinfoEndpoint == "" {
		return "", errors.New("the provider has no userinfo_endpoint")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.UserinfoEndpoint, nil)
	if err != nil {
		return "", errors.New("the userinfo_endpoint is no URL")
	}
	req.Header.Set("Authorization", "Bearer "+access)
	req.Header.Set("Accept", "application/json")
	res, err := h.provider.client.Do(req)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err
		}
		return "", &awayError{fmt.Errorf("ask %s: %w", secret.URL(m.UserinfoEndpoint), err)}
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, mostUserInfo+1))
	switch {
	case err != nil:
		return "", &awayError{fmt.Errorf("ask %s: %w", secret.URL(m.UserinfoEndpoint), err)}
	case res.StatusCode != http.StatusOK:
		return "", &awayError{fmt.Errorf("ask %s: it answers %s", secret.URL(m.UserinfoEndpoint), res.Status)}
	case len(text) > mostUserInfo:
		return "", fmt.Errorf("ask %s: the answer is longer than %d bytes", secret.URL(m.UserinfoEndpoint), mostUserInfo)
	}
	said, err := object(text)
	if err != nil {
		return "", fmt.Errorf("ask %s: the answer %w", secret.URL(m.UserinfoEndpoint), err)
	}
	if said["sub"] != sub {
		return "", fmt.Errorf("ask %s: the answer is about somebody else", secret.URL(m.UserinfoEndpoint))
	}
	short, err := json.Marshal(said)
	return string(short), err
}
