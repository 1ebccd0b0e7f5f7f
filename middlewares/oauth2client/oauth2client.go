// Package oauth2client gives the service a token that the gateway itself gets from an
// authorisation server, by client credentials (RFC 6749, section 4.4): the clients need none,
// and the service lets nobody else in.
package oauth2client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"fairway/internal/answer"
	"fairway/internal/claims"
	"fairway/internal/headername"
	"fairway/internal/oauthclient"
	"fairway/internal/requesthead"
	"fairway/internal/responsehead"
	"fairway/internal/secret"
	"fairway/internal/sharing"
	"fairway/middlewares"
	"fairway/tls/certs"
)

// Config is the oauth2Client middleware.
type Config struct {
	// TokenURL is the URL of the server where tokens are. Required.
	TokenURL string `json:"tokenURL,omitempty"`
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
	// Scopes that are asked for.
	Scopes []string `json:"scopes,omitempty"`
	// Audience that is asked for, where the server has that parameter.
	Audience string `json:"audience,omitempty"`
	// Header in which the service gets the token; in Authorization it stands behind the word
	// Bearer. What clients send in it never reaches the service. Default: Authorization.
	Header string `json:"header,omitempty"`
	// CAFiles are the authorities of the server's certificate, as PEM files or PEM text. Default:
	// those of the system.
	CAFiles []string `json:"caFiles,omitempty"`
	// InsecureSkipVerify takes every certificate of the server for good. Default: false.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

type handler struct {
	header *claims.Headers
	prefix string
	source *source
	next   http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(ctx context.Context, env middlewares.Env, next http.Handler) (_ http.Handler, err error) {
	name := c.Header
	if name == "" {
		name = "Authorization"
	}
	h := &handler{next: next}
	if h.header, err = claims.NewHeaders(map[string]string{name: "token"}); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if headername.Plain(name) == "Authorization" {
		h.prefix = "Bearer "
	}
	shared := env.Keep(func() any { return &sharing.ByOptions[*source]{} }).(*sharing.ByOptions[*source])
	if h.source, err = shared.Use(ctx, sharing.Options(c, c.ClientSecret), func(ctx context.Context) (*source, error) { return c.source(ctx, env) }); err != nil {
		return nil, err
	}
	env.Start(func(ctx context.Context) { _, _ = h.source.token(ctx) }) // before the first request
	return h, nil
}

// source makes what the routes share.
func (c *Config) source(ctx context.Context, env middlewares.Env) (*source, error) {
	if c.TokenURL == "" {
		return nil, errors.New("tokenURL is required")
	}
	if err := oauthclient.ValidEndpoint(c.TokenURL); err != nil {
		return nil, fmt.Errorf("tokenURL: %w", err)
	}
	client, err := oauthclient.New(ctx, c.ClientID, c.ClientSecret, c.ClientSecretFile, c.AuthStyle, env.Log)
	if err != nil {
		return nil, err
	}
	settings, err := certs.Servers(c.CAFiles, c.InsecureSkipVerify)
	if err != nil {
		return nil, err
	}
	client.Trust(settings)
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(c.Scopes) > 0 {
		form.Set("scope", strings.Join(c.Scopes, " "))
	}
	if c.Audience != "" {
		form.Set("audience", c.Audience)
	}
	return &source{client: client, endpoint: c.TokenURL, form: form}, nil
}

// statusSeen notes the status that the service answers.
type statusSeen struct {
	responsehead.Writer
	status int
}

// Forward implements responsehead.Forwarder.
func (s *statusSeen) Forward(r responsehead.Received) error {
	s.status = r.StatusCode()
	return s.Writer.Forward(r)
}

// WriteHeader implements http.ResponseWriter.
func (s *statusSeen) WriteHeader(status int) {
	s.status = status
	s.Writer.WriteHeader(status)
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, err := h.source.token(r.Context())
	switch {
	case err != nil && r.Context().Err() != nil:
		middlewares.Refuse(w, r, answer.StatusClientClosedRequest, "oauth2Client: the client has gone before there was a token")
		return
	case err != nil:
		w.Header().Set("Retry-After", "1")
		middlewares.Refuse(w, r, http.StatusServiceUnavailable, "oauth2Client: "+err.Error())
		return
	}
	var room [4]requesthead.Field
	undo := h.header.Put(r.Header, [][]string{{h.prefix + token}}, room[:0])
	seen := &statusSeen{}
	seen.Init(w, responsehead.Edit(func(responsehead.Head) {}))
	h.next.ServeHTTP(seen, h.header.Clean(r))
	seen.Finish()
	for _, f := range slices.Backward(undo) {
		f.PutBack()
	}
	if seen.status == http.StatusUnauthorized {
		h.source.doubt(token) // it may have been taken back, or the service means something else
	}
}
