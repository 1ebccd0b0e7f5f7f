// Package jwt lets requests pass that bring a token (JSON Web Token, RFC 7519) which an
// issuer that is trusted has signed, and which says what is asked for.
//
// config.go is what the operator writes. Issuers and their keys are in trust.go; token.go
// verifies a token once, after RFC 8725, and what it said is kept until it expires. jwt.go
// puts a request through all of it.
package jwt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/bearer"
	"fairway/internal/claims"
	"fairway/internal/secret"
	"fairway/internal/sharing"
	"fairway/internal/tokencache"
	"fairway/middlewares"
	"fairway/tls/certs"
)

// Config is the jwt middleware.
type Config struct {
	// Issuer is the claim iss of tokens that are let in, a URL mostly. If no keys are given,
	// they are found by its metadata (OpenID Connect Discovery, RFC 8414). Without it tokens of
	// every issuer are let in that the keys fit, but for those that issuers names.
	Issuer string `json:"issuer,omitempty"`
	// Audiences of which a token has to name one in its claim aud. None is asked for by
	// default, which lets in tokens that the issuer has made for other services.
	Audiences []string `json:"audiences,omitempty"`
	// JWKSURL is where the keys are published (RFC 7517). They are asked for before the first
	// request comes, again when a token names a key that is not among them, every 5 seconds
	// at most, and every 10 minutes; while that fails, those that were there stay.
	JWKSURL string `json:"jwksURL,omitempty"`
	// JWKS are the keys as JSON, or the path of a file with them, which is read again when it
	// changes.
	JWKS string `json:"jwks,omitempty"`
	// PublicKeys are keys or certificates as PEM text, or paths of files with them.
	PublicKeys []string `json:"publicKeys,omitempty"`
	// Secret is shared with an issuer that signs by HS256, HS384 or HS512. It has 32 bytes at
	// least.
	Secret secret.String `json:"secret,omitempty"`
	// SecretFile is the path of a file with the secret, but for a newline at its end.
	SecretFile string `json:"secretFile,omitempty"`
	// Algorithms by which tokens may be signed: RS256, RS384, RS512, PS256, PS384, PS512, ES256,
	// ES384, ES512, EdDSA; with a secret HS256, HS384, HS512. Default: all that the keys fit.
	Algorithms []string `json:"algorithms,omitempty"`
	// Issuers are further ones whose tokens are let in.
	Issuers []Issuer `json:"issuers,omitempty"`
	// Leeway is how far the clock of an issuer may be from this one. Default: 30s.
	Leeway types.Duration `json:"leeway,omitempty"`
	// RequireExpiry refuses tokens that never expire. Default: true.
	RequireExpiry bool `json:"requireExpiry,omitempty"`
	// TokenFrom are the places where a token may be, as header:NAME, cookie:NAME or query:NAME. A
	// request with tokens in several is answered 400. Default: header:Authorization, behind the
	// word Bearer.
	TokenFrom []string `json:"tokenFrom,omitempty"`
	// StripToken keeps the token from the service. Default: false.
	StripToken bool `json:"stripToken,omitempty"`
	// Type is what a token has to name in the field typ of its head, as at+jwt (RFC 9068), so
	// that tokens for something else are not taken for those. Default: any.
	Type string `json:"type,omitempty"`
	// RequiredClaims are what a token has to say: a path, as in "realm_access.roles", for a
	// claim that has to be there; path=value, of a list one value; path=a|b for one of several;
	// path!=value; path~regex for a regular expression that a whole value matches. Else the
	// answer is 403.
	RequiredClaims []string `json:"requiredClaims,omitempty"`
	// Scopes that a token needs, all of them, in its claim scope or scp. Else the answer is 403.
	Scopes []string `json:"scopes,omitempty"`
	// AnyScope are scopes of which a token needs one.
	AnyScope []string `json:"anyScope,omitempty"`
	// ForwardHeaders are headers that tell the service what a token says, by the paths of
	// claims: X-User: sub. A list has commas between its values, one within a value is %2C. What
	// clients send in these headers never reaches the service.
	ForwardHeaders map[string]string `json:"forwardHeaders,omitempty"`
	// GroupsClaim is the path of a claim with the groups of the user, for the middleware acl.
	// Default: none, so that an issuer cannot put anybody into groups of consumers.
	GroupsClaim string `json:"groupsClaim,omitempty"`
	// Optional lets requests pass that bring no token at all; they may bring credentials of
	// another kind. A token that is no good is refused nevertheless. Default: false.
	Optional bool `json:"optional,omitempty"`
	// CertificateBound refuses tokens that are not bound to the certificate of the client (RFC
	// 8705, section 3). One that is bound is only let in with its certificate in any case, and
	// never if it is bound by another method, as DPoP.
	CertificateBound bool `json:"certificateBound,omitempty"`
	// Revocation is a list of tokens that are let in no more.
	Revocation *Revocation `json:"revocation,omitempty"`
	// CAFiles are the authorities of the certificates of those who are asked for keys and for
	// the list of revoked tokens, as PEM files or PEM text. Default: those of the system.
	CAFiles []string `json:"caFiles,omitempty"`
	// InsecureSkipVerify takes every certificate of theirs for good. Default: false.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

// Issuer is one whose tokens are let in, and its keys. The options are those of the middleware.
type Issuer struct {
	// Issuer is the claim iss of its tokens. Required, and no other one's.
	Issuer string `json:"issuer,omitempty"`
	// Audiences of which a token has to name one.
	Audiences []string `json:"audiences,omitempty"`
	// JWKSURL is where the keys are published.
	JWKSURL string `json:"jwksURL,omitempty"`
	// JWKS are the keys as JSON, or the path of a file with them.
	JWKS string `json:"jwks,omitempty"`
	// PublicKeys are keys as PEM text, or paths of files with them.
	PublicKeys []string `json:"publicKeys,omitempty"`
	// Secret is shared with the issuer.
	Secret secret.String `json:"secret,omitempty"`
	// SecretFile is the path of a file with the secret.
	SecretFile string `json:"secretFile,omitempty"`
	// Algorithms by which tokens may be signed.
	Algorithms []string `json:"algorithms,omitempty"`
}

// Revocation is a list of tokens that are let in no more.
type Revocation struct {
	// URL of the list: a JSON array, of texts that are the claim jti of a token, or of objects
	// as {"iss": "https://id.example", "jti": "..."} where issuers may give the same to two
	// tokens. It has 16 MiB at most. Required. Until it could be read once nobody is let in.
	URL string `json:"url,omitempty"`
	// Interval after which it is read again. Default: 1m.
	Interval types.Duration `json:"interval,omitempty"`
	// MaxStale is how old the list may become while it cannot be read. Then nobody is let in
	// until it can. 0: as old as it gets. Default: 1h.
	MaxStale types.Duration `json:"maxStale,omitempty"`
}

const (
	defaultLeeway   = 30 * time.Second
	defaultInterval = time.Minute
	defaultStale    = time.Hour
	cacheBytes      = 16 << 20
)

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() { c.Leeway, c.RequireExpiry = types.Duration(defaultLeeway), true }

// SetDefaults fills in what is not zero by default.
func (r *Revocation) SetDefaults() {
	r.Interval, r.MaxStale = types.Duration(defaultInterval), types.Duration(defaultStale)
}

// New implements middlewares.Config.
func (c *Config) New(ctx context.Context, env middlewares.Env, next http.Handler) (_ http.Handler, err error) {
	h := &handler{next: next, optional: c.Optional, strip: c.StripToken, bound: c.CertificateBound}
	if h.places, err = bearer.NewPlaces(c.TokenFrom); err != nil {
		return nil, fmt.Errorf("tokenFrom: %w", err)
	}
	kept := env.Keep(func() any { return &common{} }).(*common)
	h.verifier, err = kept.verifiers.Use(ctx, sharing.Options(c, c.secrets()...), func(ctx context.Context) (*verifier, error) { return c.verifier(ctx, kept, env) })
	if err != nil {
		return nil, err
	}
	return h, nil
}

func (c *Config) secrets() []secret.String {
	all := []secret.String{c.Secret}
	for i := range c.Issuers {
		all = append(all, c.Issuers[i].Secret)
	}
	return all
}

// verifier makes what the routes share. ctx ends with the last of them.
func (c *Config) verifier(ctx context.Context, kept *common, env middlewares.Env) (_ *verifier, err error) {
	v := &verifier{
		consumers: env.Consumers, groups: c.GroupsClaim, expiry: c.RequireExpiry, leeway: time.Duration(c.Leeway), typ: c.Type,
		cache: tokencache.New[*verified](cacheBytes),
	}
	if c.Leeway < 0 {
		return nil, errors.New("leeway: is less than nothing")
	}
	from := &origin{ctx: ctx, kept: kept, env: env, trusts: sharing.Options([]any{c.CAFiles, c.InsecureSkipVerify})}
	if from.tls, err = certs.Servers(c.CAFiles, c.InsecureSkipVerify); err != nil {
		return nil, err
	}
	if err := v.trustAll(c, from); err != nil {
		return nil, err
	}
	if v.headers, err = claims.NewHeaders(c.ForwardHeaders); err != nil {
		return nil, fmt.Errorf("forwardHeaders: %w", err)
	}
	if v.demands, err = claims.NewDemands(c.RequiredClaims, c.Scopes, c.AnyScope); err != nil {
		return nil, err
	}
	if c.Revocation != nil {
		v.maxStale = time.Duration(c.Revocation.MaxStale)
		if v.revoked, err = from.revocation(c.Revocation); err != nil {
			return nil, fmt.Errorf("revocation: %w", err)
		}
	}
	return v, nil
}

// trustAll takes over the issuers.
func (h *verifier) trustAll(c *Config, from *origin) error {
	first := Issuer{c.Issuer, c.Audiences, c.JWKSURL, c.JWKS, c.PublicKeys, c.Secret, c.SecretFile, c.Algorithms}
	if first.given() || len(c.Issuers) == 0 {
		t, err := first.trust(h, from)
		if err != nil {
			return err
		}
		h.trusted = append(h.trusted, t)
	}
	for i := range c.Issuers {
		name := c.Issuers[i].Issuer
		switch {
		case name == "":
			return fmt.Errorf("issuers[%d]: issuer is required", i)
		case slices.ContainsFunc(h.trusted, func(t *trust) bool { return t.issuer == name }):
			return fmt.Errorf("issuers[%d]: %q is there already: give all its keys and audiences in one", i, name)
		}
		t, err := c.Issuers[i].trust(h, from)
		if err != nil {
			return fmt.Errorf("issuers[%d]: %w", i, err)
		}
		h.trusted = append(h.trusted, t)
	}
	return nil
}

// given tells whether anything is said of an issuer.
func (i *Issuer) given() bool {
	return i.Issuer != "" || i.JWKSURL != "" || i.JWKS != "" || len(i.PublicKeys) > 0 || i.Secret != "" || i.SecretFile != ""
}
