// Package introspection lets requests pass whose token an authorisation server calls active
// (RFC 7662): for tokens that say nothing themselves, or that can be taken back at any time.
package introspection

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/answer"
	"fairway/internal/bearer"
	"fairway/internal/claims"
	"fairway/internal/consumers"
	"fairway/internal/identity"
	"fairway/internal/oauthclient"
	"fairway/internal/record"
	"fairway/internal/requesthead"
	"fairway/internal/secret"
	"fairway/internal/sharing"
	"fairway/middlewares"
	"fairway/tls/certs"
)

// Config is the introspection middleware.
type Config struct {
	// Endpoint is the URL of the server where tokens are asked about. Required.
	Endpoint string `json:"endpoint,omitempty"`
	// ClientID is the name of this gateway at the server. Required.
	ClientID string `json:"clientID,omitempty"`
	// ClientSecret is its password. This or clientSecretFile is required.
	ClientSecret secret.String `json:"clientSecret,omitempty"`
	// ClientSecretFile is the path of a file with the password, which is read again when it
	// changes.
	ClientSecretFile string `json:"clientSecretFile,omitempty"`
	// AuthStyle is how the password is sent: basic, in a header, or post, in the form. Default:
	// basic.
	AuthStyle string `json:"authStyle,omitempty"`
	// CacheFor is how long an answer is kept, though never longer than the token is valid. What
	// is taken back meanwhile goes on until then. 0 asks about every request. A token that is
	// not active is known as such for 5 seconds in any case. Default: 30s.
	CacheFor types.Duration `json:"cacheFor,omitempty"`
	// Issuer that the answer has to name, if it is given.
	Issuer string `json:"issuer,omitempty"`
	// Audiences of which the answer has to name one, if they are given.
	Audiences []string `json:"audiences,omitempty"`
	// TokenFrom are the places where a token may be, as header:NAME, cookie:NAME or query:NAME. A
	// request with tokens in several is answered 400. Default: header:Authorization.
	TokenFrom []string `json:"tokenFrom,omitempty"`
	// StripToken keeps the token from the service. Default: false.
	StripToken bool `json:"stripToken,omitempty"`
	// RequiredClaims are what the answer has to say, as path, path=value, path=a|b, path!=value
	// or path~regex. Else the answer is 403.
	RequiredClaims []string `json:"requiredClaims,omitempty"`
	// Scopes that a token needs, all of them. Else the answer is 403.
	Scopes []string `json:"scopes,omitempty"`
	// AnyScope are scopes of which a token needs one.
	AnyScope []string `json:"anyScope,omitempty"`
	// ForwardHeaders are headers that tell the service what the answer says, by the paths of
	// its members: X-User: sub. What clients send in these headers never reaches the service.
	ForwardHeaders map[string]string `json:"forwardHeaders,omitempty"`
	// GroupsClaim is the path of a member with the groups of the user, for the middleware acl.
	GroupsClaim string `json:"groupsClaim,omitempty"`
	// Optional lets requests pass that bring no token at all; they may bring credentials of
	// another kind. Default: false.
	Optional bool `json:"optional,omitempty"`
	// CertificateBound refuses tokens that are not bound to the certificate of the client (RFC
	// 8705, section 3). One that is bound is only let in with its certificate in any case.
	CertificateBound bool `json:"certificateBound,omitempty"`
	// CAFiles are the authorities of the server's certificate, as PEM files or PEM text. Default:
	// those of the system.
	CAFiles []string `json:"caFiles,omitempty"`
	// InsecureSkipVerify takes every certificate of the server for good. Default: false.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

const defaultCache = 30 * time.Second

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() { c.CacheFor = types.Duration(defaultCache) }

type handler struct {
	config    *Config
	asker     *asker
	places    bearer.Places
	headers   *claims.Headers
	consumers *consumers.Live
	next      http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(ctx context.Context, env middlewares.Env, next http.Handler) (_ http.Handler, err error) {
	h := &handler{config: c, consumers: env.Consumers, next: next}
	if h.places, err = bearer.NewPlaces(c.TokenFrom); err != nil {
		return nil, fmt.Errorf("tokenFrom: %w", err)
	}
	shared := env.Keep(func() any { return &sharing.ByOptions[*asker]{} }).(*sharing.ByOptions[*asker])
	if h.asker, err = shared.Use(ctx, sharing.Options(c, c.ClientSecret), func(ctx context.Context) (*asker, error) { return c.asker(ctx, env) }); err != nil {
		return nil, err
	}
	h.headers = h.asker.headers
	return h, nil
}

// asker makes what the routes share.
func (c *Config) asker(ctx context.Context, env middlewares.Env) (*asker, error) {
	if c.Endpoint == "" {
		return nil, errors.New("endpoint is required")
	}
	if err := oauthclient.ValidEndpoint(c.Endpoint); err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	if c.CacheFor < 0 {
		return nil, errors.New("cacheFor: is less than nothing")
	}
	a := newAsker(c)
	var err error
	if a.client, err = oauthclient.New(ctx, c.ClientID, c.ClientSecret, c.ClientSecretFile, c.AuthStyle, env.Log); err != nil {
		return nil, err
	}
	settings, err := certs.Servers(c.CAFiles, c.InsecureSkipVerify)
	if err != nil {
		return nil, err
	}
	a.client.Trust(settings)
	if a.headers, err = claims.NewHeaders(c.ForwardHeaders); err != nil {
		return nil, fmt.Errorf("forwardHeaders: %w", err)
	}
	a.demands, err = claims.NewDemands(c.RequiredClaims, c.Scopes, c.AnyScope)
	return a, err
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	token, at := h.places.Find(r)
	if at == bearer.None && h.config.Optional {
		h.pass(w, r, nil)
		return
	}
	rec.SetAuth(false)
	switch {
	case at == bearer.Several:
		bearer.Ambiguous(w, r, "introspection: more than one token was sent, or one that is not written as such")
		return
	case at < 0:
		bearer.Missing(w, r, "introspection: no token was sent")
		return
	case len(token) > longest:
		bearer.Invalid(w, r, fmt.Sprintf("introspection: the token has more than %d bytes", longest))
		return
	}
	s, err := h.asker.about(r.Context(), token)
	switch {
	case err != nil && r.Context().Err() != nil:
		middlewares.Refuse(w, r, answer.StatusClientClosedRequest, "introspection: the client has gone before the server answered")
	case err != nil:
		w.Header().Set("Retry-After", "5")
		middlewares.Refuse(w, r, http.StatusServiceUnavailable, "introspection: "+err.Error())
	case !s.active:
		bearer.Invalid(w, r, "introspection: the token is not active")
	case s.cause != "":
		bearer.Invalid(w, r, "introspection: "+s.cause)
	case s.cert == "" && h.config.CertificateBound, s.cert != "" && !bearer.ComesWith(r, s.cert):
		bearer.Invalid(w, r, "introspection: the token is not bound to the certificate of the client")
	case s.denied != "":
		bearer.Insufficient(w, r, h.asker.demands.Scope(), "introspection: "+s.denied)
	default:
		rec.SetAuth(true)
		rec.SetIdentity(h.who(s))
		h.pass(w, r, s)
	}
}

func (h *handler) who(s *said) *identity.Identity {
	who := &identity.Identity{Method: "introspection", Claims: s.claims}
	if who.Subject, _ = s.claims["sub"].(string); who.Subject == "" {
		who.Subject, _ = s.claims["username"].(string)
	}
	if who.Consumer = h.consumers.Now().ByClaims(s.claims); who.Consumer != nil {
		who.Groups = append(who.Groups, who.Consumer.Groups...)
	}
	if h.config.GroupsClaim != "" {
		who.Groups = append(who.Groups, claims.Texts(claims.Lookup(s.claims, h.config.GroupsClaim))...)
	}
	return who
}

// pass hands a request on: without the headers that only the gateway sets, and with what is
// said of its token; nil: it has none.
func (h *handler) pass(w http.ResponseWriter, r *http.Request, s *said) {
	var room [8]requesthead.Field
	var values [][]string
	if s != nil {
		values = s.values
	}
	undo := h.headers.Put(r.Header, values, room[:0])
	out := h.headers.Clean(r)
	if h.config.StripToken {
		out, undo = h.places.Strip(out, undo)
	}
	h.next.ServeHTTP(w, out)
	for _, f := range slices.Backward(undo) {
		f.PutBack()
	}
}
