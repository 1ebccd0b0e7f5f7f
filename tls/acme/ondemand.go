package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	legoacme "github.com/go-acme/lego/v4/acme"
	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// On-demand issuance is what autocert is made for: a handshake waits for a certificate.
// It orders the first one of a name; then the loop of Run renews it like any other. What
// autocert does on its own, renewing by timers, comes to nothing: its client is closed when
// the first order has ended.

const (
	mostFlights    = 256             // names that handshakes wait for at a time
	handshakeWaits = 2 * time.Minute // for an order
)

// What a handshake may be told beside the authority's reasons. The values are always the
// same, so that a log can bound them.
var (
	errNotRunning = errors.New("no certificates are ordered at the moment")
	errTooMany    = errors.New("too many names wait for a certificate")
	errLeft       = errors.New("the client did not wait for its certificate")
)

// flight is one name that handshakes wait for.
type flight struct {
	done chan struct{}
	cert *tls.Certificate
	err  error
}

// OnDemand gets a certificate at the handshake. Both results are nil when that is not
// configured, or the name is not allowed.
func (r *Resolver) OnDemand(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if r.ask == nil {
		return nil, nil
	}
	name, err := normal(hello.ServerName)
	if err != nil || r.cfg.refuse(name) != "" || strings.HasPrefix(name, "*.") || !strings.Contains(name, ".") {
		return nil, nil
	}
	if _, err := netip.ParseAddr(name); err == nil || r.env.Covered != nil && r.env.Covered(name) {
		return nil, nil
	}
	if cert := r.valid(name); cert != nil {
		return cert, nil
	}
	f, err := r.flight(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var gone <-chan struct{}
	if ctx := hello.Context(); ctx != nil {
		gone = ctx.Done()
	}
	select {
	case <-f.done:
		return f.cert, f.err
	case <-gone:
		return nil, fmt.Errorf("%s: %w", name, errLeft)
	}
}

// valid is a certificate for the name that is not expired.
func (r *Resolver) valid(name string) *tls.Certificate {
	if cert := r.Certificate(name); cert != nil && time.Now().Before(cert.Leaf.NotAfter) {
		return cert
	}
	return nil
}

// flight joins those who wait for the name already, or begins. It goes on when the client
// goes away: the next one will want it too.
func (r *Resolver) flight(name string) (*flight, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.flights[name]; f != nil {
		return f, nil
	}
	run := r.run
	switch {
	case run == nil || run.ctx.Err() != nil:
		return nil, errNotRunning
	case len(r.flights) >= mostFlights:
		return nil, errTooMany
	}
	f := &flight{done: make(chan struct{})}
	r.flights[name] = f
	run.work.Go(func() {
		ctx, cancel := context.WithTimeout(run.ctx, handshakeWaits)
		defer cancel()
		f.cert, f.err = r.fly(ctx, run, name)
		r.mu.Lock()
		delete(r.flights, name)
		r.mu.Unlock()
		close(f.done)
	})
	return f, nil
}

// fly asks whether the name is allowed, and orders.
func (r *Resolver) fly(ctx context.Context, run *running, name string) (*tls.Certificate, error) {
	allowed, err := r.ask.allows(ctx, name)
	if err != nil || !allowed {
		return nil, err
	}
	for {
		ended, err := r.depart(run, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if ended != nil {
			select {
			case <-ended:
			case <-ctx.Done():
			}
		} else if sleep(ctx, r.pace.poll/4) != nil {
			return nil, fmt.Errorf("%s: %w", name, ctx.Err())
		}
		if cert := r.valid(name); cert != nil {
			return cert, nil
		}
	}
}

// depart begins an order, whose end closes the channel; nil if there is no worker, or
// somebody else is at it. An order that failed lately is the error.
func (r *Resolver) depart(run *running, name string) (<-chan struct{}, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	names, held := []string{name}, r.holds()
	if p := held.pause(names); p != nil {
		return nil, fmt.Errorf("no certificate until %s: %s", p.Until.Format(time.RFC3339), p.Text)
	}
	e := r.entries[keyOf(names)]
	if e == nil {
		e = &entry{key: keyOf(names), file: fileOf(names), names: names, onDemand: true}
		r.entries[e.key] = e
	}
	e.onDemand = true
	if at, ok := r.dueForVisitor(e, held); ok && at.After(held.now) {
		if s := r.status(e, held); s.Error != "" {
			return nil, fmt.Errorf("no certificate until %s: %s", at.Format(time.RFC3339), s.Error)
		}
		return nil, nil
	}
	ended := make(chan struct{})
	if !r.begin(run, e, func() {
		defer close(ended)
		r.work(run.ctx, e, names, r.obtainInHandshake)
	}) {
		return nil, nil
	}
	return ended, nil
}

// dueForVisitor is when an order may be placed. r.mu is held.
func (r *Resolver) dueForVisitor(e *entry, held holds) (time.Time, bool) {
	if e.active {
		return time.Time{}, false
	}
	return latest(e.rec.NextTry, e.retry, r.hourly(e.names, held)), true
}

// obtainIfAllowed renews a certificate that a visitor had asked for, if that is still
// allowed.
func (r *Resolver) obtainIfAllowed(ctx context.Context, names []string, replaces *x509.Certificate) outcome {
	allowed, err := r.ask.allows(ctx, names[0])
	switch {
	case err != nil:
		return outcome{err: err}
	case !allowed:
		return outcome{err: errors.New("onDemand.ask does not allow this name any more"), after: 24 * time.Hour}
	}
	return r.obtain(ctx, names, replaces)
}

// obtainInHandshake orders by autocert.
func (r *Resolver) obtainInHandshake(ctx context.Context, names []string, _ *x509.Certificate) outcome {
	account, failed := r.account.get(ctx)
	if failed.err != nil {
		return failed
	}
	heard := &onlooker{}
	// Half a minute more is for autocert to let go of authorizations.
	session, cancel := context.WithTimeout(ctx, handshakeWaits)
	defer time.AfterFunc(30*time.Second, cancel)
	transport := &bound{ctx: session, base: r.base, see: heard.see}
	manager := &autocert.Manager{
		Prompt: autocert.AcceptTOS,
		Email:  r.cfg.Email,
		Cache:  cache{r},
		HostPolicy: func(ctx context.Context, host string) error {
			if allowed, err := r.ask.allows(ctx, host); err != nil || !allowed {
				return errors.Join(errors.New("the name is not allowed"), err)
			}
			return nil
		},
		Client: &acme.Client{
			Key: account.signer, KID: acme.KeyID(account.URI), DirectoryURL: r.cfg.CAServer, UserAgent: "fairway",
			HTTPClient:   &http.Client{Transport: transport, Timeout: time.Duration(r.cfg.ClientTimeout)},
			RetryBackoff: retryBackoff,
		},
	}
	if eab := r.cfg.EAB; eab != nil {
		key, _ := base64.RawURLEncoding.DecodeString(strings.TrimRight(eab.HmacEncoded.Reveal(), "=")) // checked by New
		manager.ExternalAccountBinding = &acme.ExternalAccountBinding{KID: eab.Kid, Key: key}
	}
	if r.cfg.HTTPChallenge != nil {
		manager.HTTPHandler(nil) // it then tries HTTP-01 too
	}
	// One certificate for a name is enough, whatever the client can do: ECDSA.
	cert, err := manager.GetCertificate(&tls.ClientHelloInfo{
		ServerName: names[0], CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	})
	if err != nil {
		_, network := errors.AsType[*url.Error](err)
		err = heard.reason(err)
		return outcome{err: err, reached: !network || ctx.Err() != nil, after: transport.refusedFor(), pause: r.pauseFor(err, names, transport)}
	}
	key, err := encodeKey(cert.PrivateKey)
	return outcome{chain: encodeChain(cert), key: key, err: err, reached: true}
}

// retryBackoff lets autocert try again a few times, as after a rejected nonce.
func retryBackoff(n int, _ *http.Request, resp *http.Response) time.Duration {
	if n > 8 || resp != nil && (resp.StatusCode == http.StatusTooManyRequests || retryAfter(resp.Header.Get("Retry-After"), time.Now()) > 0) {
		return 0
	}
	return time.Duration(n) * 100 * time.Millisecond
}

// onlooker hears what the authority says: autocert tells only that nothing has worked.
type onlooker struct {
	mu      sync.Mutex
	invalid *problem // why a name could not be proved
	refused *problem // the first refusal of anything else
}

func (o *onlooker) see(body []byte) {
	var answer struct {
		legoacme.ProblemDetails
		Status     any                  `json:"status"`
		Challenges []legoacme.Challenge `json:"challenges"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range answer.Challenges {
		if c.Error != nil {
			o.invalid = said(c.Error)
		}
	}
	if o.refused == nil && strings.HasPrefix(answer.Type, "urn:ietf:params:acme:error:") && answer.Type != legoacme.BadNonceErr {
		o.refused = said(&answer.ProblemDetails)
	}
}

func (o *onlooker) reason(err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.invalid != nil:
		return o.invalid
	case o.refused != nil:
		return o.refused
	}
	return err
}

// cache is the storage as autocert sees it: names, "NAME+token" for TLS-ALPN-01, and
// "TOKEN+http-01".
type cache struct{ r *Resolver }

// Get implements autocert.Cache.
func (c cache) Get(_ context.Context, key string) ([]byte, error) {
	if strings.Contains(key, "+") {
		return nil, autocert.ErrCacheMiss
	}
	_, cert, err := c.r.read(fileOf([]string{key}))
	if err != nil || cert == nil {
		return nil, autocert.ErrCacheMiss
	}
	return encodePair(cert)
}

// Put implements autocert.Cache. The certificate itself is stored where the order ends.
func (c cache) Put(_ context.Context, key string, data []byte) error {
	if token, ok := strings.CutSuffix(key, "+http-01"); ok {
		return c.r.tokens.putText(token, string(data))
	}
	name, ok := strings.CutSuffix(key, "+token")
	if !ok {
		return nil
	}
	cert, err := pair(data, data)
	if err != nil {
		return err
	}
	return c.r.tokens.putCert(name, cert)
}

// Delete implements autocert.Cache.
func (c cache) Delete(_ context.Context, key string) error {
	if token, ok := strings.CutSuffix(key, "+http-01"); ok {
		return c.r.tokens.drop(httpToken(token))
	}
	if name, ok := strings.CutSuffix(key, "+token"); ok {
		return c.r.tokens.drop(tlsToken(name))
	}
	return nil
}
