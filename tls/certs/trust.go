package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"fairway/internal/pemtext"
)

// trust are the authorities of clients, and what they have revoked.
type trust struct {
	roots   *x509.CertPool
	revoked map[string]map[string]bool // by raw subject of the issuer, then serial number
	notes   []string                   // what the operator should know

	mu   sync.Mutex
	seen map[*x509.Certificate]verdict
}

// verdict is what was found of a client's certificate.
type verdict struct {
	err   error
	until time.Time
}

const (
	verdictFor   = time.Minute // a certificate may run out on an open connection
	mostVerdicts = 4096
)

// remembered is verify for each request of a connection, whose certificate is the same
// object for all of them.
func (t *trust) remembered(chain []*x509.Certificate, now time.Time) error {
	t.mu.Lock()
	v, known := t.seen[chain[0]]
	t.mu.Unlock()
	if known && now.Before(v.until) {
		return v.err
	}
	v = verdict{err: t.verify(chain), until: now.Add(verdictFor)}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == nil || len(t.seen) >= mostVerdicts {
		t.seen = map[*x509.Certificate]verdict{}
	}
	t.seen[chain[0]] = v
	return v.err
}

func (c *ClientAuth) load() (*trust, error) {
	t := &trust{revoked: map[string]map[string]bool{}}
	var issuers []*x509.Certificate
	for i, ca := range c.CAFiles {
		text, err := pemtext.Read(ca)
		if err != nil {
			return nil, fmt.Errorf("caFiles[%d]: %w", i, err)
		}
		list, err := certificatesIn(text)
		if err != nil {
			return nil, fmt.Errorf("caFiles[%d]: %w", i, err)
		}
		if t.roots == nil {
			t.roots = x509.NewCertPool()
		}
		for _, cert := range list {
			t.roots.AddCert(cert)
		}
		issuers = append(issuers, list...)
	}
	for i, file := range c.CRLFiles {
		if err := t.revoke(file, issuers); err != nil {
			return nil, fmt.Errorf("crlFiles[%d]: %w", i, err)
		}
	}
	return t, nil
}

// verify checks a chain that a client has shown: the leaf first.
func (t *trust) verify(chain []*x509.Certificate) error {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	verified, err := chain[0].Verify(x509.VerifyOptions{Roots: t.roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return fmt.Errorf("the certificate of the client: %w", err)
	}
	if len(t.revoked) == 0 {
		return nil
	}
	for _, path := range verified {
		if !t.anyRevoked(path) {
			return nil
		}
	}
	return errors.New("the certificate of the client is revoked")
}

func (t *trust) anyRevoked(path []*x509.Certificate) bool {
	return slices.ContainsFunc(path, func(c *x509.Certificate) bool { return t.revoked[string(c.RawIssuer)][c.SerialNumber.String()] })
}
