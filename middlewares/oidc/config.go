// Package oidc lets people in who have logged in at a provider of OpenID Connect: Keycloak,
// Authentik, Dex, Google, Entra and others. A browser without a session is sent there, and comes
// back to what it asked for. The session is in an encrypted cookie, or in Redis.
//
// config.go is what the operator writes, and oidc.go the way of a request; challenge.go answers
// those without a session. login.go sends browsers to the provider and takes them back;
// attempt.go is what a browser keeps meanwhile. session.go is who has logged in, store.go where
// that is kept, seal.go how it is encrypted and cookies.go how it fits into cookies; redis.go is
// the other place, and endings.go knows what has ended before its time. refresh.go gets new
// tokens before the old ones end. logout.go ends sessions from this side, channel.go from the
// provider's. provider.go, endpoint.go and token.go ask the provider, and believe what is signed.
package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/bearer"
	"fairway/internal/claims"
	"fairway/internal/headername"
	"fairway/internal/oauthclient"
	"fairway/internal/secret"
	"fairway/internal/sharing"
	"fairway/internal/tokencache"
	"fairway/middlewares"
	"fairway/tls/certs"
)

// Config is the oidc middleware.
type Config struct {
	// Issuer is the provider, by the URL that it calls itself. All else about it is found by its
	// metadata (OpenID Connect Discovery), which have to name it exactly so. Required.
	Issuer string `json:"issuer,omitempty"`
	// ClientID is the name of this gateway at the provider. Required.
	ClientID string `json:"clientID,omitempty"`
	// ClientSecret is its password. Without it and clientSecretFile the gateway is a public
	// client. PKCE (RFC 7636, S256) is used in any case.
	ClientSecret secret.String `json:"clientSecret,omitempty"`
	// ClientSecretFile is the path of a file with the password, which is read again when it
	// changes.
	ClientSecretFile string `json:"clientSecretFile,omitempty"`
	// AuthStyle is how the password is sent: basic, in a header, or post, in the form. Default:
	// basic, if the provider takes it.
	AuthStyle string `json:"authStyle,omitempty"`
	// Scopes that are asked for; openid is always among them. With offline_access most providers
	// give a refresh token. Default: openid, profile, email.
	Scopes []string `json:"scopes,omitempty"`
	// AuthorizationParameters are further ones of the request for a login, as prompt: login,
	// acr_values or hd.
	AuthorizationParameters map[string]string `json:"authorizationParameters,omitempty"`
	// UserInfo asks the userinfo endpoint at the login and when tokens are refreshed, for
	// providers that say little in the ID token. Default: false.
	UserInfo bool `json:"userInfo,omitempty"`
	// CallbackPath is where the provider sends browsers back to, on the host that they asked; a
	// router with this middleware has to match it. The provider has to know its URL, as in
	// https://shop.example.com/oauth2/callback. Two of these middlewares on one host need two
	// paths. Default: /oauth2/callback.
	CallbackPath string `json:"callbackPath,omitempty"`
	// LogoutPath ends the session, here and at the provider, if it has an end_session_endpoint.
	// A request by GET that may come from another site is answered with a page that asks.
	// Default: /oauth2/logout.
	LogoutPath string `json:"logoutPath,omitempty"`
	// PostLogoutRedirect is where browsers go after the logout: a URL, or a path on their host,
	// which the provider has to know. Default: a page that says it.
	PostLogoutRedirect string `json:"postLogoutRedirect,omitempty"`
	// BackChannelLogoutPath is where the provider itself says who has logged out (OpenID Connect
	// Back-Channel Logout). Default: /oauth2/backchannel-logout.
	BackChannelLogoutPath string `json:"backChannelLogoutPath,omitempty"`
	// FrontChannelLogoutPath is where the provider has browsers say so, in a frame (OpenID Connect
	// Front-Channel Logout); it has to send iss and sid. Default: /oauth2/frontchannel-logout.
	FrontChannelLogoutPath string `json:"frontChannelLogoutPath,omitempty"`
	// Scheme by which browsers reach the gateway, http or https, where the request does not tell.
	// Default: that of the request, or of X-Forwarded-Proto by a proxy that is trusted.
	Scheme string `json:"scheme,omitempty"`
	// SkipPaths are paths, with all below them, that need no login: /api/public.
	SkipPaths []string `json:"skipPaths,omitempty"`
	// Optional lets requests pass that have no session, as those of nobody. A login begins at
	// none of them, but at loginPath. Default: false.
	Optional bool `json:"optional,omitempty"`
	// LoginPath begins a login, and leads to what its parameter rd names, a path of this host.
	// Default: /oauth2/login.
	LoginPath string `json:"loginPath,omitempty"`
	// RequiredClaims are what the provider has to say of the user: path, path=value, path=a|b,
	// path!=value or path~regex, as groups=admins or email~.*@example\.com. Else the answer is
	// 403.
	RequiredClaims []string `json:"requiredClaims,omitempty"`
	// ForwardHeaders are headers that tell the service what the provider says, by the paths of
	// claims: X-User: preferred_username. A list has commas between its values. What clients send
	// in these headers never reaches the service.
	ForwardHeaders map[string]string `json:"forwardHeaders,omitempty"`
	// ForwardAccessToken gives the access token to the service, in Authorization. What clients
	// send there never reaches it then. Default: false.
	ForwardAccessToken bool `json:"forwardAccessToken,omitempty"`
	// GroupsClaim is the path of a claim with the groups of the user, for the middleware acl.
	// Default: none, so that a provider cannot put anybody into groups of consumers.
	GroupsClaim string `json:"groupsClaim,omitempty"`
	// Lifetime is how long a session lasts at most. A provider that gave a refresh token can end
	// it before. Default: 24h.
	Lifetime types.Duration `json:"lifetime,omitempty"`
	// IdleTimeout ends a session after a time without requests. Default: 0s, none.
	IdleTimeout types.Duration `json:"idleTimeout,omitempty"`
	// CookieName is the name of the session's cookie; browsers see it behind __Host- where they
	// come by https. Default: one for this middleware.
	CookieName string `json:"cookieName,omitempty"`
	// CookieDomain lets the session hold for all hosts of a domain, as example.com. Every one of
	// them gets the cookie. Default: none, the host of the login only.
	CookieDomain string `json:"cookieDomain,omitempty"`
	// SessionSecrets encrypt the cookies. Each has 32 bytes at least; the first is used, the others
	// are for cookies from before. Default: one of the gateway's own, so that logins end when it
	// is started anew, and hold at no other gateway.
	SessionSecrets []secret.String `json:"sessionSecrets,omitempty"`
	// SessionSecretsFile is the path of a file with the secrets, one a line, which is read again
	// when it changes.
	SessionSecretsFile string `json:"sessionSecretsFile,omitempty"`
	// Redis keeps the sessions, in the place of cookies. Several gateways need sessionSecrets
	// nevertheless, for logins under way. Default: none.
	Redis *Redis `json:"redis,omitempty"`
	// CAFiles are the authorities of the provider's certificate, as PEM files or PEM text.
	// Default: those of the system.
	CAFiles []string `json:"caFiles,omitempty"`
	// InsecureSkipVerify takes every certificate of the provider for good. Default: false.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

const (
	defaultLifetime = 24 * time.Hour
	cacheBytes      = 8 << 20
)

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() {
	c.Lifetime = types.Duration(defaultLifetime)
	c.CallbackPath, c.LoginPath, c.LogoutPath = "/oauth2/callback", "/oauth2/login", "/oauth2/logout"
	c.BackChannelLogoutPath, c.FrontChannelLogoutPath = "/oauth2/backchannel-logout", "/oauth2/frontchannel-logout"
}

// New implements middlewares.Config.
func (c *Config) New(ctx context.Context, env middlewares.Env, next http.Handler) (_ http.Handler, err error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	h := &handler{
		config: c, shared: env.Keep(func() any { return newShared() }).(*shared), consumers: env.Consumers, next: next, now: time.Now,
		log: env.Log, cache: tokencache.New[*cached](cacheBytes), binding: fmt.Sprintf("%q %q %q", env.Name, c.Issuer, c.ClientID),
		paths: paths{c.CallbackPath, c.LoginPath, c.LogoutPath, c.BackChannelLogoutPath, c.FrontChannelLogoutPath},
	}
	h.parser = newParser(c.Issuer, c.ClientID, func() time.Time { return h.now() })
	if h.client, err = c.client(ctx, env); err != nil {
		return nil, err
	}
	trusted, err := certs.Servers(c.CAFiles, c.InsecureSkipVerify)
	if err != nil {
		return nil, err
	}
	h.client.Trust(trusted)
	if h.headers, err = claims.NewHeaders(c.ForwardHeaders); err != nil {
		return nil, fmt.Errorf("forwardHeaders: %w", err)
	}
	if c.ForwardAccessToken {
		if h.authorization, err = claims.NewHeaders(map[string]string{"Authorization": "access_token"}); err != nil {
			return nil, err
		}
	}
	if h.demands, err = claims.NewDemands(c.RequiredClaims, nil, nil); err != nil {
		return nil, err
	}
	if h.sealer, err = newSealer(c.SessionSecrets, c.SessionSecretsFile, h.shared.secret, h.binding, env.Log); err != nil {
		return nil, err
	}
	h.jar = newJar(c.cookieName(h.binding), c.CookieDomain, c.Scheme)
	if c.Redis != nil {
		if h.vault, err = c.Redis.open(ctx, &h.shared.clients, h.binding); err != nil {
			return nil, fmt.Errorf("redis: %w", err)
		}
	}
	h.provider = h.shared.providerOf(c.Issuer, sharing.Options([]any{c.CAFiles, c.InsecureSkipVerify}), trusted, env.Log)
	env.Start(h.provider.warm)
	return h, nil
}

// client is the gateway as the provider knows it.
func (c *Config) client(ctx context.Context, env middlewares.Env) (*oauthclient.Client, error) {
	if c.ClientSecret == "" && c.ClientSecretFile == "" {
		return oauthclient.NewPublic(ctx, c.ClientID), nil
	}
	return oauthclient.New(ctx, c.ClientID, c.ClientSecret, c.ClientSecretFile, c.AuthStyle, env.Log)
}

// cookieName is the same for all instances of a middleware, and another for others, so that
// two of them can be on one host.
func (c *Config) cookieName(binding string) string {
	if c.CookieName != "" {
		return c.CookieName
	}
	sum := sha256.Sum256([]byte(binding))
	return "oidc_" + hex.EncodeToString(sum[:4])
}

// reserved are parameters of the authorization request that make it what it is.
var reserved = []string{"response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method", "request", "request_uri"}

// check tells what is wrong with the options.
func (c *Config) check() error {
	if c.Issuer == "" {
		return errors.New("issuer is required")
	}
	if err := oauthclient.ValidEndpoint(c.Issuer); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	if u, _ := url.Parse(c.Issuer); u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("issuer: %q has a user, a query or a fragment, which no issuer has", secret.URL(c.Issuer))
	}
	switch {
	case c.ClientID == "":
		return errors.New("clientID is required")
	case c.Scheme != "" && c.Scheme != "http" && c.Scheme != "https":
		return fmt.Errorf("scheme: %q is neither http nor https", c.Scheme)
	case c.Lifetime < types.Duration(time.Second):
		return errors.New("lifetime: is less than a second")
	case c.IdleTimeout < 0:
		return errors.New("idleTimeout: is less than nothing")
	case c.CookieName != "" && (!headername.Valid(c.CookieName) || strings.HasPrefix(c.CookieName, "__")):
		return fmt.Errorf("cookieName: %q is no name of a cookie, or begins with __", c.CookieName)
	case c.CookieDomain != "" && (&http.Cookie{Name: "a", Domain: c.CookieDomain}).Valid() != nil: //nolint:gosec // no browser gets it
		return fmt.Errorf("cookieDomain: %q is no domain", c.CookieDomain)
	}
	for name := range c.AuthorizationParameters {
		if slices.Contains(reserved, strings.ToLower(name)) {
			return fmt.Errorf("authorizationParameters: %s is up to the gateway", name)
		}
	}
	if age := c.AuthorizationParameters["max_age"]; age != "" {
		if n, err := strconv.Atoi(age); err != nil || n < 0 {
			return fmt.Errorf("authorizationParameters: max_age: %q is no number of seconds", age)
		}
	}
	for _, scope := range c.Scopes {
		if !bearer.ValidScope(scope) {
			return fmt.Errorf("scopes: %q is no scope", scope)
		}
	}
	return c.checkPaths()
}

func (c *Config) checkPaths() error {
	seen := map[string]string{}
	for _, option := range [][2]string{
		{"callbackPath", c.CallbackPath}, {"loginPath", c.LoginPath}, {"logoutPath", c.LogoutPath}, {"backChannelLogoutPath", c.BackChannelLogoutPath}, {"frontChannelLogoutPath", c.FrontChannelLogoutPath},
	} {
		name, path := option[0], option[1]
		if path == "/" || !plainPath(path) {
			return fmt.Errorf("%s: %q is no path of its own", name, path)
		}
		if seen[path] != "" {
			return fmt.Errorf("%s: %q is %s already", name, path, seen[path])
		}
		seen[path] = name
	}
	for _, path := range c.SkipPaths {
		if !plainPath(path) {
			return fmt.Errorf("skipPaths: %q is no path", path)
		}
	}
	if to := c.PostLogoutRedirect; to != "" && !local(to) {
		if u, err := url.Parse(to); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return fmt.Errorf("postLogoutRedirect: %q is neither a URL nor a path", to)
		}
	}
	return nil
}
