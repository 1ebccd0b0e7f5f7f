// Package mtls lets clients pass that show a certificate of an authority, and finds out which
// consumer that is.
package mtls

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
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
	// OnlyConsumers lets only certificates in that are those of consumers; others are answered
	// 403. Default: false.
	OnlyConsumers bool `json:"onlyConsumers,omitempty"`
	// Optional lets requests pass that come without a certificate. One that is no good is
	// refused nevertheless. Default: false.
	Optional bool `json:"optional,omitempty"`
}

type handler struct {
	roots     *x509.CertPool
	consumers *consumers.Live
	only      bool
	optional  bool
	known     *tokencache.Cache[time.Time] // until when certificates that were good are
	next      http.Handler
}

const (
	cacheBytes = 4 << 20
	// remember is how long a certificate that was good is taken for good without looking.
	remember = 5 * time.Minute
)

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	h := &handler{
		roots: x509.NewCertPool(), consumers: env.Consumers, only: c.OnlyConsumers, optional: c.Optional,
		known: tokencache.New[time.Time](cacheBytes), next: next,
	}
	if len(c.CAFiles) == 0 {
		return nil, errors.New("caFiles is required")
	}
	for i, text := range c.CAFiles {
		raw, err := certs.PEM(text)
		if err != nil {
			return nil, fmt.Errorf("caFiles[%d]: %w", i, err)
		}
		if !h.roots.AppendCertsFromPEM(raw) {
			return nil, fmt.Errorf("caFiles[%d]: has no certificate", i)
		}
	}
	return h, nil
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
	if c := h.consumers.Now().ByCertificate(cert); c != nil {
		who = c.Of("mtls", cert.Subject.String())
	} else if h.only {
		middlewares.Refuse(w, r, http.StatusForbidden, "mtls: the certificate is that of no consumer: "+cert.Subject.String())
		return
	}
	rec.SetAuth(true)
	rec.SetIdentity(who)
	h.next.ServeHTTP(w, r)
}

// verify tells whether a chain leads to one of the authorities (RFC 5280, section 6).
func (h *handler) verify(chain []*x509.Certificate, now time.Time) error {
	key := string(chain[0].Raw)
	if until, ok := h.known.Get(key); ok && now.Before(until) {
		return nil
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	found, err := chain[0].Verify(x509.VerifyOptions{
		Roots: h.roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
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
