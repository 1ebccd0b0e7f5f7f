package jwks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"fairway/internal/secret"
)

const (
	mostBytes  = 512 << 10        // of an answer
	fetchTime  = 10 * time.Second // for an answer
	freshFor   = 10 * time.Minute // then keys are asked for again, aside
	retryAfter = 5 * time.Second  // between two questions, whatever tokens say
)

// Source has the keys of an issuer. It asks for them when they are needed: at first, when
// they are old, and when a token names one that is not among them; but never twice within
// some seconds, so that made-up tokens do not become questions. While the issuer cannot be
// asked, the keys that were there stay (RFC 8414 and OpenID Connect Discovery say where they
// are, RFC 7517 what they look like).
type Source struct {
	// Issuer whose metadata name the address of the keys, if Address is empty.
	Issuer string
	// Address of the keys.
	Address string
	Client  *http.Client
	// Failed is told when keys cannot be had. It may be nil.
	Failed func(error)

	keys atomic.Pointer[got]

	mu     sync.Mutex
	asking chan struct{} // closed when the question under way is over; nil: there is none
	asked  time.Time     // when the last one began
	err    error         // of the last one
	now    func() time.Time
}

type got struct {
	list    []Key
	at      time.Time
	version uint64
}

// Fresh returns a number that is another one when the keys are others. Keys that are old are
// asked for again meanwhile.
func (s *Source) Fresh() uint64 {
	k := s.keys.Load()
	if k == nil {
		return 0
	}
	if s.time().Sub(k.at) > freshFor {
		s.ask()
	}
	return k.version
}

// Keys are those that are known. An old set is asked for again meanwhile. The error says why
// there are none.
func (s *Source) Keys(ctx context.Context) ([]Key, error) {
	k := s.keys.Load()
	if k == nil {
		return s.Again(ctx)
	}
	if s.time().Sub(k.at) > freshFor {
		s.ask()
	}
	return k.list, nil
}

// Again asks for the keys once more, for a token names one that is not there, and waits for
// the answer; too soon after the last question it returns what is known.
func (s *Source) Again(ctx context.Context) ([]Key, error) {
	if wait := s.ask(); wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if k := s.keys.Load(); k != nil {
		return k.list, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return nil, s.err
}

func (s *Source) time() time.Time {
	if s.now != nil {
		return s.now()
	}
	return time.Now()
}

// ask begins with a question, if there is none under way and the last one is not too fresh.
// The channel is closed when the one under way is over; nil: there is none.
func (s *Source) ask() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asking != nil {
		return s.asking
	}
	if now := s.time(); now.Sub(s.asked) < retryAfter {
		return nil
	}
	s.asked, s.asking = s.time(), make(chan struct{})
	go s.answer(s.asking)
	return s.asking
}

// answer gets the keys. It ends within fetchTime, whoever waits for it.
func (s *Source) answer(over chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
	defer cancel()
	list, err := s.fetch(ctx)
	if err == nil {
		next := &got{list: list, at: s.time(), version: 1}
		if old := s.keys.Load(); old != nil && same(old.list, list) {
			next.list, next.version = old.list, old.version
		} else if old != nil {
			next.version = old.version + 1
		}
		s.keys.Store(next)
	}
	s.mu.Lock()
	s.err, s.asking = err, nil
	s.mu.Unlock()
	close(over)
	if err != nil && s.Failed != nil {
		s.Failed(err)
	}
}

func (s *Source) fetch(ctx context.Context) ([]Key, error) {
	address := s.Address
	if address == "" {
		m, err := Discover(ctx, s.Client, s.Issuer)
		if err != nil {
			return nil, err
		}
		address = m.JWKSURI
	}
	text, err := Get(ctx, s.Client, address)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	keys, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", secret.URL(address), err)
	}
	return keys, nil
}

// Metadata are those of an issuer, as far as they are of use here (RFC 8414, section 2).
type Metadata struct {
	Issuer                string `json:"issuer"`
	JWKSURI               string `json:"jwks_uri"`
	IntrospectionEndpoint string `json:"introspection_endpoint"`
	AuthorizationEndpoint string `json:"authorization_endpoint"`
	TokenEndpoint         string `json:"token_endpoint"`
	UserinfoEndpoint      string `json:"userinfo_endpoint"`
	EndSessionEndpoint    string `json:"end_session_endpoint"`
	// TokenEndpointAuthMethods are how clients may show their password; none told: by basic.
	TokenEndpointAuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	// IssParameter tells that answers to the browser name the issuer (RFC 9207).
	IssParameter bool `json:"authorization_response_iss_parameter_supported"`
}

// Discover gets the metadata of an issuer: where OpenID Connect has them, else where RFC 8414
// has them. They have to name the issuer as it was asked for.
func Discover(ctx context.Context, client *http.Client, issuer string) (*Metadata, error) {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" {
		return nil, errors.New("the issuer is no URL, so that its keys cannot be found")
	}
	oauth := *u
	oauth.Path = "/.well-known/oauth-authorization-server" + strings.TrimSuffix(u.Path, "/")
	var errs []error
	for _, address := range []string{strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration", oauth.String()} {
		text, err := Get(ctx, client, address)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		var m Metadata
		switch err := json.Unmarshal(text, &m); {
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: is not JSON", address))
		case m.Issuer != issuer:
			errs = append(errs, fmt.Errorf("%s: is about the issuer %q", address, m.Issuer))
		case m.JWKSURI == "":
			errs = append(errs, fmt.Errorf("%s: names no jwks_uri", address))
		case u.Scheme == "https" && !strings.HasPrefix(m.JWKSURI, "https://"):
			errs = append(errs, fmt.Errorf("%s: its jwks_uri is not protected by TLS", address))
		default:
			return &m, nil
		}
	}
	return nil, errors.Join(errs...)
}

// Get gets a document of a size that is bounded.
func Get(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	return GetUpTo(ctx, client, address, mostBytes)
}

// GetUpTo gets a document of so many bytes at most.
func GetUpTo(ctx context.Context, client *http.Client, address string, most int) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("the address is no URL")
	}
	req.Header.Set("Accept", "application/json")
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err
		}
		return nil, fmt.Errorf("ask %s: %w", secret.URL(address), err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask %s: it answers %s", secret.URL(address), res.Status)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, int64(most)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask %s: %w", secret.URL(address), err)
	case len(text) > most:
		return nil, fmt.Errorf("ask %s: the answer is longer than %d bytes", secret.URL(address), most)
	}
	return text, nil
}
