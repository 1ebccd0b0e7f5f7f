// Package introspection lets requests pass whose token an authorisation server calls active
// (RFC 7662): for tokens that say nothing themselves, or that can be taken back at any time.
package introspection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/traefik/paerser/types"
	"golang.org/x/sync/singleflight"

	"fairway/internal/answer"
	"fairway/internal/bearer"
	"fairway/internal/claims"
	"fairway/internal/consumers"
	"fairway/internal/identity"
	"fairway/internal/oauthclient"
	"fairway/internal/record"
	"fairway/internal/requesthead"
	"fairway/internal/secret"
	"fairway/internal/tokencache"
	"fairway/middlewares"
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
	// is taken back meanwhile goes on until then. 0 asks about every request. Default: 30s.
	CacheFor types.Duration `json:"cacheFor,omitempty"`
	// Issuer that the answer has to name, if it is given.
	Issuer string `json:"issuer,omitempty"`
	// Audiences of which the answer has to name one, if they are given.
	Audiences []string `json:"audiences,omitempty"`
	// TokenFrom are the places where a token may be, in the order in which they are looked at,
	// as header:NAME, cookie:NAME or query:NAME. Default: header:Authorization.
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
	// Optional lets requests pass that bring no token at all. Default: false.
	Optional bool `json:"optional,omitempty"`
}

const (
	defaultCache = 30 * time.Second
	refusedCache = 5 * time.Second // so that made-up tokens are not asked about for ever
	cacheBytes   = 8 << 20
	longest      = 16 << 10 // of a token
)

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() { c.CacheFor = types.Duration(defaultCache) }

type handler struct {
	config    *Config
	client    *oauthclient.Client
	places    bearer.Places
	headers   *claims.Headers
	demands   *claims.Demands
	consumers *consumers.Live
	cache     *tokencache.Cache[*said]
	asking    singleflight.Group
	next      http.Handler
}

// said is what the server said of a token.
type said struct {
	until  time.Time
	by     string // the password that it was asked by
	active bool
	cause  string // why the token is no good though it is active
	denied string // why it does not reach
	claims map[string]any
	values [][]string
}

// New implements middlewares.Config.
func (c *Config) New(ctx context.Context, env middlewares.Env, next http.Handler) (_ http.Handler, err error) {
	h := &handler{config: c, consumers: env.Consumers, cache: tokencache.New[*said](cacheBytes), next: next}
	if c.Endpoint == "" {
		return nil, errors.New("endpoint is required")
	}
	if err := oauthclient.ValidEndpoint(c.Endpoint); err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	if c.CacheFor < 0 {
		return nil, errors.New("cacheFor: is less than nothing")
	}
	if h.client, err = oauthclient.New(ctx, c.ClientID, c.ClientSecret, c.ClientSecretFile, c.AuthStyle, env.Log); err != nil {
		return nil, err
	}
	if h.places, err = bearer.NewPlaces(c.TokenFrom); err != nil {
		return nil, fmt.Errorf("tokenFrom: %w", err)
	}
	if h.headers, err = claims.NewHeaders(c.ForwardHeaders); err != nil {
		return nil, fmt.Errorf("forwardHeaders: %w", err)
	}
	if h.demands, err = claims.NewDemands(c.RequiredClaims, c.Scopes, c.AnyScope); err != nil {
		return nil, err
	}
	return h, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	token, at := h.places.Find(r)
	if at < 0 && h.config.Optional {
		h.pass(w, r, -1, nil)
		return
	}
	rec.SetAuth(false)
	switch {
	case at < 0:
		bearer.Missing(w, r, "introspection: no token was sent")
		return
	case len(token) > longest:
		bearer.Invalid(w, r, fmt.Sprintf("introspection: the token has more than %d bytes", longest))
		return
	}
	s, err := h.about(r.Context(), token)
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
	case s.denied != "":
		bearer.Insufficient(w, r, h.demands.Scope(), "introspection: "+s.denied)
	default:
		rec.SetAuth(true)
		rec.SetIdentity(h.who(s))
		h.pass(w, r, at, s.values)
	}
}

// about returns what the server says of a token. Requests with one token ask once.
func (h *handler) about(ctx context.Context, token string) (*said, error) {
	by := h.client.Version()
	if s, ok := h.cache.Get(token); ok && time.Now().Before(s.until) && s.by == by {
		return s, nil
	}
	result := h.asking.DoChan(token, func() (any, error) {
		return h.ask(context.WithoutCancel(ctx), token, by) // for all who wait; it ends by the client's time
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case got := <-result:
		if got.Err != nil {
			return nil, got.Err
		}
		return got.Val.(*said), nil
	}
}

// ask asks the server (RFC 7662, section 2.1), and keeps what it says.
func (h *handler) ask(ctx context.Context, token, by string) (*said, error) {
	var c map[string]any
	if err := h.client.Post(ctx, h.config.Endpoint, url.Values{"token": {token}, "token_type_hint": {"access_token"}}, &c); err != nil {
		return nil, err
	}
	now := time.Now()
	s := &said{by: by, claims: c, until: now.Add(time.Duration(h.config.CacheFor))}
	s.active, _ = c["active"].(bool)
	if !s.active {
		s.until = now.Add(min(refusedCache, time.Duration(h.config.CacheFor)))
		h.cache.Put(token, s)
		return s, nil
	}
	s.cause = h.wrong(c, now)
	if exp, ok := seconds(c["exp"]); ok && exp.Before(s.until) {
		s.until = exp
	}
	s.denied, s.values = h.demands.Missing(c), h.headers.Values(c)
	h.cache.Put(token, s)
	return s, nil
}

// wrong tells why a token is no good here, whatever the server says.
func (h *handler) wrong(c map[string]any, now time.Time) string {
	if exp, ok := seconds(c["exp"]); ok && !now.Before(exp) {
		return "the token has expired"
	}
	if nbf, ok := seconds(c["nbf"]); ok && now.Add(30*time.Second).Before(nbf) {
		return "the token is not valid yet"
	}
	if iss, _ := c["iss"].(string); h.config.Issuer != "" && iss != h.config.Issuer {
		return fmt.Sprintf("the issuer of the token is %q", iss)
	}
	if len(h.config.Audiences) > 0 && !slices.ContainsFunc(h.config.Audiences, func(a string) bool { return claims.Has(c["aud"], a) }) {
		return "the token is for another audience"
	}
	return ""
}

func seconds(v any) (time.Time, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0), true
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
// said of the token at a place; below 0 there is none.
func (h *handler) pass(w http.ResponseWriter, r *http.Request, at int, values [][]string) {
	var room [8]requesthead.Field
	undo := h.headers.Put(r.Header, values, room[:0])
	out := r
	if h.config.StripToken && at >= 0 {
		out, undo = h.places.Strip(r, at, undo)
	}
	h.next.ServeHTTP(w, out)
	for _, f := range slices.Backward(undo) {
		f.PutBack()
	}
}
