package oidc

import (
	"context"
	"crypto"
	_ "crypto/sha256" // for at_hash
	_ "crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"fairway/internal/claims"
	"fairway/internal/jwks"
)

// Tokens are verified as OpenID Connect Core, section 3.1.3.7, has it, whoever brought them:
// signature by one of the issuer's keys and an algorithm that fits it, issuer, audience, time,
// nonce.

const (
	leeway  = time.Minute // that clocks may differ by
	longest = 16 << 10    // of a token
)

var algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// parser verifies tokens of an issuer for a client.
func newParser(issuer, clientID string, now func() time.Time) *jwt.Parser {
	return jwt.NewParser(
		jwt.WithValidMethods(algorithms), jwt.WithStrictDecoding(), jwt.WithJSONNumber(), jwt.WithLeeway(leeway), jwt.WithIssuedAt(),
		jwt.WithIssuer(issuer), jwt.WithAudience(clientID), jwt.WithTimeFunc(now),
	)
}

// patience is how long is waited for a key that is not published yet, while it is not asked for
// again: for tokens that the provider itself has just given, not for those that anybody can send.
const patience = 6

// verify returns what a token of the issuer for this client says.
func (h *handler) verify(ctx context.Context, token string, patience int) (said map[string]any, alg string, err error) {
	if len(token) > longest {
		return nil, "", fmt.Errorf("the token has more than %d bytes", longest)
	}
	parsed, err := h.parser.ParseWithClaims(token, jwt.MapClaims{}, func(token *jwt.Token) (any, error) {
		for _, name := range []string{"crit", "b64"} {
			if _, ok := token.Header[name]; ok {
				return nil, fmt.Errorf("the head has %s", name)
			}
		}
		return h.provider.candidates(ctx, token, patience)
	})
	var away *awayError
	switch {
	case errors.As(err, &away):
		return nil, "", away
	case err != nil:
		return nil, "", err
	}
	return map[string]any(parsed.Claims.(jwt.MapClaims)), parsed.Method.Alg(), nil
}

// candidates are the keys that a token may be verified by.
func (p *provider) candidates(ctx context.Context, token *jwt.Token, patience int) (any, error) {
	kid, _ := token.Header["kid"].(string)
	list, err := p.keys.Keys(ctx)
	if err != nil {
		return nil, &awayError{err}
	}
	if set := fitting(list, token.Method.Alg(), kid); len(set.Keys) > 0 {
		return set, nil
	}
	for ; ; patience-- {
		if list, err = p.keys.Again(ctx); err != nil {
			return nil, &awayError{err}
		}
		if set := fitting(list, token.Method.Alg(), kid); len(set.Keys) > 0 {
			return set, nil
		}
		if patience <= 0 {
			return nil, errors.New("the issuer has no key of that name and kind")
		}
		select {
		case <-ctx.Done():
			return nil, &awayError{ctx.Err()}
		case <-time.After(time.Second):
		}
	}
}

// fitting are the keys for an algorithm that have a name; where one of both has none, all.
func fitting(list []jwks.Key, alg, kid string) (set jwt.VerificationKeySet) {
	for i := range list {
		if k := &list[i]; k.Fits(alg) && (kid == "" || k.ID == "" || k.ID == kid) {
			set.Keys = append(set.Keys, k.Public)
		}
	}
	return set
}

// verifyIDToken checks an ID token. nonce and access are compared where they are given.
func (h *handler) verifyIDToken(ctx context.Context, token, nonce, access string) (map[string]any, error) {
	said, alg, err := h.verify(ctx, token, patience)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"exp", "iat"} {
		if _, ok := said[name].(json.Number); !ok {
			return nil, fmt.Errorf("it has no %s", name)
		}
	}
	if sub, _ := said["sub"].(string); sub == "" {
		return nil, errors.New("it names nobody")
	}
	if _, is := said["events"]; is {
		return nil, errors.New("it is no ID token: it has events")
	}
	azp, has := said["azp"]
	switch {
	case has && azp != h.config.ClientID:
		return nil, errors.New("it was made for another client (azp)")
	case !has && len(claims.Texts(said["aud"])) > 1:
		return nil, errors.New("it is for several audiences, and does not say for which client (azp)")
	}
	if got, _ := said["nonce"].(string); nonce != "" && subtle.ConstantTimeCompare([]byte(got), []byte(nonce)) != 1 {
		return nil, errors.New("it belongs to another login (nonce)")
	}
	if hash, ok := said["at_hash"].(string); ok && access != "" && !hashes(alg, access, hash) {
		return nil, errors.New("it does not belong to the access token (at_hash)")
	}
	return said, nil
}

// hashes tells whether a hash is that of an access token (OpenID Connect Core, section 3.1.3.6).
// It is taken for right where it is not said which one would be.
func hashes(alg, access, hash string) bool {
	by, known := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[alg[len(alg)-3:]]
	if !known {
		return true
	}
	sum := by.New()
	_, _ = sum.Write([]byte(access))
	half := sum.Sum(nil)[:by.Size()/2]
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(half)), []byte(hash)) == 1
}
