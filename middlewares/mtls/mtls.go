// Package mtls lets clients pass that show a certificate of an authority, and finds out which
// consumer that is.
package mtls

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"fairway/internal/consumers"
	"fairway/internal/identity"
	"fairway/internal/record"
	"fairway/internal/tokencache"
	"fairway/middlewares"
	"fairway/tls/certs"
)

// Config is the mtls middleware. That clients are asked for a certificate when they connect is
// said by the TLS options of the router, with any clientAuthType: what they show is verified
// here, so that routers of one host can trust different authorities.
type Config struct {
	// CAFiles are the authorities, as PEM files or PEM text. Required. They are read when the
	// configuration is.
	CAFiles []string `json:"caFiles,omitempty"`
	// Consumers that certificates of these authorities may be of, by name; those of other
	// providers with it, as in acme@file. A certificate that bears another one's name is that of
	// nobody. Default: all, as long as groups are not given either: name them, or groups, unless
	// you trust these authorities with every consumer that has certificates.
	Consumers []string `json:"consumers,omitempty"`
	// Groups whose consumers certificates of these authorities may be of.
	Groups []string `json:"groups,omitempty"`
	// OnlyConsumers lets only certificates in that are those of consumers; others are answered
	// 403. Default: false.
	OnlyConsumers bool `json:"onlyConsumers,omitempty"`
	// Optional lets requests pass that come without a certificate. One that is no good is
	// refused nevertheless. Default: false.
	Optional bool `json:"optional,omitempty"`
}

// NamesConsumers returns those that the authorities are trusted with, with that provider
// where none is written.
func (c *Config) NamesConsumers(provider string) []string {
	return consumers.Qualified(c.Consumers, provider)
}

// Authorities returns those that are trusted, and whether they are with every consumer.
func (c *Config) Authorities() (list string, ofAll bool) {
	return strings.Join(c.CAFiles, "\n"), len(c.Consumers)+len(c.Groups) == 0
}

type handler struct {
	roots     *x509.CertPool
	consumers *consumers.Live
	names     []string // of the consumers that the authorities are trusted with
	groups    []string
	only      bool
	optional  bool
	known     *tokencache.Cache[time.Time] // until when certificates that were good are
	failed    *tokencache.Cache[failure]   // by the hash of a chain
	next      http.Handler
}

// failure is why a chain was no good.
type failure struct {
	err   error
	until time.Time
}

const (
	cacheBytes = 4 << 20
	// remember is how long a certificate that was good is taken for good without looking.
	remember = 5 * time.Minute
	// rememberFailure is how long a chain that was no good is.
	rememberFailure = 10 * time.Second
	// mostBetween bounds the certificates between that of the client and the authority: chains
	// that are made to be tried in all orders cost much.
	mostBetween = 4
)

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	if len(c.CAFiles) == 0 {
		return nil, errors.New("caFiles is required")
	}
	roots, err := certs.Pool(c.CAFiles)
	if err != nil {
		return nil, err
	}
	provider := env.Name[strings.LastIndexByte(env.Name, '@')+1:]
	return &handler{
		roots: roots, consumers: env.Consumers, names: consumers.Qualified(c.Consumers, provider), groups: c.Groups, only: c.OnlyConsumers, optional: c.Optional,
		known: tokencache.New[time.Time](cacheBytes), failed: tokencache.New[failure](cacheBytes), next: next,
	}, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		if h.optional {
			h.next.ServeHTTP(w, r)
			return
		}
		rec.SetAuth(false)
		middlewares.Refuse(w, r, http.StatusForbidden, "mtls: the client has shown no certificate")
		return
	}
	rec.SetAuth(false)
	cert := r.TLS.PeerCertificates[0]
	if err := h.verify(r.TLS.PeerCertificates, time.Now()); err != nil {
		middlewares.Refuse(w, r, http.StatusForbidden, "mtls: "+err.Error())
		return
	}
	who := &identity.Identity{Method: "mtls", Subject: cert.Subject.String()}
	if c := h.consumers.Now().ByCertificate(cert); h.trustedWith(c) {
		who = c.Of("mtls", cert.Subject.String())
	} else if h.only {
		middlewares.Refuse(w, r, http.StatusForbidden, "mtls: the certificate is that of no consumer: "+cert.Subject.String())
		return
	}
	rec.SetAuth(true)
	rec.SetIdentity(who)
	h.next.ServeHTTP(w, r)
}

// trustedWith tells whether the authorities may say of somebody to be this consumer.
func (h *handler) trustedWith(c *identity.Consumer) bool {
	if c == nil || len(h.names)+len(h.groups) == 0 {
		return c != nil
	}
	return slices.Contains(h.names, c.Name) || slices.ContainsFunc(c.Groups, func(g string) bool { return slices.Contains(h.groups, g) })
}

// verify tells whether a chain leads to one of the authorities (RFC 5280, section 6).
func (h *handler) verify(chain []*x509.Certificate, now time.Time) error {
	key := string(chain[0].Raw)
	if until, ok := h.known.Get(key); ok && now.Before(until) {
		return nil
	}
	if len(chain)-1 > mostBetween {
		return fmt.Errorf("the client has shown %d certificates beside its own, more than %d", len(chain)-1, mostBetween)
	}
	whole := hash(chain)
	if f, ok := h.failed.Get(whole); ok && now.Before(f.until) {
		return f.err
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	found, err := chain[0].Verify(x509.VerifyOptions{
		Roots: h.roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		h.failed.Put(whole, failure{err, now.Add(rememberFailure)})
		return err
	}
	until := now.Add(remember)
	for _, c := range found[0] {
		if c.NotAfter.Before(until) {
			until = c.NotAfter
		}
	}
	h.known.Put(key, until)
	return nil
}

func hash(chain []*x509.Certificate) string {
	sum := sha256.New()
	for _, c := range chain {
		_, _ = sum.Write(c.Raw) // DER tells its length
	}
	return string(sum.Sum(nil))
}
