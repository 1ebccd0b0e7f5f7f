package oidc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/internal/jwks"
)

// provider is the issuer: what its metadata say (OpenID Connect Discovery), and its keys. The
// metadata are asked for before the first request comes, and every hour; while it does not
// answer, what was known stays.
type provider struct {
	issuer string
	client *http.Client
	keys   *jwks.Source
	log    logrus.FieldLogger
	known  atomic.Pointer[metadata]
	logins atomic.Int64 // whose codes are exchanged at the moment
	rest   atomic.Int64 // until then its token endpoint is not asked again; nanoseconds since the epoch

	mu     sync.Mutex
	asking chan struct{} // closed when the question under way is over; nil: there is none
	asked  time.Time
	err    error
}

type metadata struct {
	*jwks.Metadata
	at time.Time
}

const (
	freshFor   = time.Hour
	retryAfter = 5 * time.Second
	askTime    = 10 * time.Second
)

// clientOf asks those whose certificates are of authorities that are trusted.
func clientOf(trusted *tls.Config) *http.Client {
	c := &http.Client{Timeout: askTime}
	if trusted != nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = trusted.Clone()
		c.Transport = transport
	}
	return c
}

func newProvider(issuer string, client *http.Client, log logrus.FieldLogger) *provider {
	return &provider{issuer: issuer, log: log, client: client, keys: &jwks.Source{Issuer: issuer, Client: client, Failed: func(err error) {
		log.Warnf("oidc: the keys of the issuer cannot be had, those that are known stay: %v", err)
	}}}
}

// warm asks until there is an answer, more and more rarely.
func (p *provider) warm(ctx context.Context) {
	for wait := retryAfter; ; wait = min(2*wait, time.Minute) {
		_, err := p.metadata(ctx)
		if err == nil {
			if _, err = p.keys.Keys(ctx); err == nil {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// metadata returns what the issuer says of itself. The error says why that is not known.
func (p *provider) metadata(ctx context.Context) (*jwks.Metadata, error) {
	m := p.known.Load()
	if m != nil {
		if time.Since(m.at) > freshFor {
			p.ask()
		}
		return m.Metadata, nil
	}
	if wait := p.ask(); wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if m := p.known.Load(); m != nil {
		return m.Metadata, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return nil, p.err
}

// ask begins with a question, if none is under way and the last one is not too fresh.
func (p *provider) ask() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asking != nil {
		return p.asking
	}
	if time.Since(p.asked) < retryAfter {
		return nil
	}
	p.asked, p.asking = time.Now(), make(chan struct{})
	go p.answer(p.asking)
	return p.asking
}

// answer asks. It ends within askTime, whoever waits for it.
func (p *provider) answer(over chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	m, err := jwks.Discover(ctx, p.client, p.issuer)
	if err == nil {
		err = usable(m, strings.HasPrefix(p.issuer, "https://"))
	}
	if err == nil {
		p.known.Store(&metadata{m, time.Now()})
	}
	p.mu.Lock()
	p.err, p.asking = err, nil
	p.mu.Unlock()
	close(over)
	if err != nil {
		p.log.Warnf("oidc: the metadata of the issuer cannot be had: %v", err)
	}
}

// usable tells what is missing in metadata.
func usable(m *jwks.Metadata, protected bool) error {
	for name, address := range map[string]string{"authorization_endpoint": m.AuthorizationEndpoint, "token_endpoint": m.TokenEndpoint} {
		if address == "" {
			return fmt.Errorf("the metadata name no %s", name)
		}
	}
	for name, address := range map[string]string{
		"authorization_endpoint": m.AuthorizationEndpoint, "token_endpoint": m.TokenEndpoint, "userinfo_endpoint": m.UserinfoEndpoint, "end_session_endpoint": m.EndSessionEndpoint,
	} {
		if address == "" {
			continue
		}
		u, err := url.Parse(address)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
			return fmt.Errorf("the metadata have a %s that is no URL", name)
		case protected && u.Scheme != "https":
			return fmt.Errorf("the metadata have a %s that is not protected by TLS", name)
		}
	}
	return nil
}

// awayError is a reason that is neither the client's nor its token's: somebody does not answer.
type awayError struct{ error }

func (e *awayError) Unwrap() error { return e.error }

// resting tells whether the token endpoint has failed just now.
func (p *provider) resting(now time.Time) bool { return now.UnixNano() < p.rest.Load() }

// failed has the token endpoint rest for a while.
func (p *provider) failed(now time.Time) { p.rest.Store(now.Add(retryAfter).UnixNano()) }

// mostLogins bounds the codes that are exchanged at the same time: anybody can send one that is
// made up.
const mostLogins = 32

var errBusy = &awayError{fmt.Errorf("%d logins are under way already", mostLogins)}

// enter begins with the exchange of a code; leave ends it.
func (p *provider) enter() (leave func(), ok bool) {
	if p.logins.Add(1) > mostLogins {
		p.logins.Add(-1)
		return nil, false
	}
	return func() { p.logins.Add(-1) }, true
}

var errResting = &awayError{errors.New("the provider did not answer a moment ago")}
