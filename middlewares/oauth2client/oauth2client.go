// Package oauth2client gives the service a token that the gateway itself gets from an
// authorisation server, by client credentials (RFC 6749, section 4.4): the clients need none,
// and the service lets nobody else in.
package oauth2client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"fairway/internal/answer"
	"fairway/internal/claims"
	"fairway/internal/headername"
	"fairway/internal/oauthclient"
	"fairway/internal/requesthead"
	"fairway/internal/responsehead"
	"fairway/internal/secret"
	"fairway/middlewares"
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
}

const (
	// ahead is how long before its end a token is replaced.
	ahead = 30 * time.Second
	// unknown is how long a token is taken whose end is not told.
	unknown = 5 * time.Minute
	// pause is between two questions that failed.
	pause = time.Second
)

type handler struct {
	header *claims.Headers
	prefix string
	source *source
	next   http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(ctx context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
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
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(c.Scopes) > 0 {
		form.Set("scope", strings.Join(c.Scopes, " "))
	}
	if c.Audience != "" {
		form.Set("audience", c.Audience)
	}
	h.source = &source{client: client, endpoint: c.TokenURL, form: form}
	env.Start(func(ctx context.Context) { _, _ = h.source.token(ctx) }) // before the first request
	return h, nil
}

// source has the token, and gets another one before its end.
type source struct {
	client   *oauthclient.Client
	endpoint string
	form     url.Values

	mu     sync.Mutex
	value  string
	by     string    // the password that it was got by
	fresh  time.Time // until then it is taken without a thought
	until  time.Time // its end
	asking chan struct{}
	asked  time.Time
	err    error
}

// token returns one that is valid. While another one is got the old one is taken, as long as
// it lasts.
func (s *source) token(ctx context.Context) (string, error) {
	s.mu.Lock()
	now := time.Now()
	valid := s.value != "" && now.Before(s.until) && s.by == s.client.Version()
	if valid && now.Before(s.fresh) {
		defer s.mu.Unlock()
		return s.value, nil
	}
	wait := s.begin(now)
	value := s.value
	s.mu.Unlock()
	if valid {
		return value, nil
	}
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return "", s.err
	}
	return s.value, nil
}

// begin asks for a token, if nobody does and the last question is not too fresh. The channel
// is closed when the answer is there; nil: none is under way.
func (s *source) begin(now time.Time) chan struct{} {
	if s.asking == nil && now.Sub(s.asked) >= pause {
		s.asking, s.asked = make(chan struct{}), now
		go s.get(s.asking) // it ends by the client's time
	}
	return s.asking
}

func (s *source) get(over chan struct{}) {
	by := s.client.Version()
	var got struct {
		Token   string      `json:"access_token"`
		Type    string      `json:"token_type"`
		Expires json.Number `json:"expires_in"`
	}
	form := url.Values{}
	for name, values := range s.form {
		form[name] = slices.Clone(values)
	}
	err := s.client.Post(context.Background(), s.endpoint, form, &got)
	if err == nil && (got.Token == "" || !headername.ValidValue(got.Token) || got.Type != "" && !strings.EqualFold(got.Type, "Bearer")) {
		err = fmt.Errorf("ask %s: it answers no token of the type Bearer", secret.URL(s.endpoint))
	}
	lasts := unknown
	if n, e := got.Expires.Int64(); e == nil && n > 0 {
		lasts = time.Duration(min(n, 1<<31)) * time.Second
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.err = err; err == nil {
		s.value, s.by, s.until, s.fresh = got.Token, by, now.Add(lasts), now.Add(lasts-min(ahead, lasts/2))
	}
	s.asking = nil
	close(over)
}

// drop forgets a token that the service has refused.
func (s *source) drop(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.value == value {
		s.value = ""
	}
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
	h.next.ServeHTTP(seen, r)
	seen.Finish()
	for _, f := range slices.Backward(undo) {
		f.PutBack()
	}
	if seen.status == http.StatusUnauthorized {
		h.source.drop(token) // it was taken back: the next request gets another one
	}
}
