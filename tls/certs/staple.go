package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"
)

// A certificate may demand that whoever shows it shows as well, fresh and signed by its
// issuer, that it is not revoked (RFC 7633, section 4.2.3.1; RFC 6066, section 8).
// Clients take such a certificate for bad without. For all others nothing is fetched:
// authorities are giving these answers up.

var (
	tlsFeature    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}
	statusRequest = 5 // the extension of TLS that has the answer
)

func demandsStaple(leaf *x509.Certificate) bool {
	for _, e := range leaf.Extensions {
		var features []int
		if e.Id.Equal(tlsFeature) {
			if _, err := asn1.Unmarshal(e.Value, &features); err == nil && slices.Contains(features, statusRequest) {
				return true
			}
		}
	}
	return false
}

const (
	stapleTimeout = 10 * time.Second
	stapleBytes   = 64 << 10
	stapleRetry   = 5 * time.Minute
)

// staple fetches the answer for a certificate. until is when it is to be fetched again.
func staple(ctx context.Context, cert *tls.Certificate, now time.Time) (answer []byte, until time.Time, err error) {
	if len(cert.Certificate) < 2 {
		return nil, now.Add(stapleRetry), errors.New("the file has no certificate of its issuer")
	}
	issuer, err := x509.ParseCertificate(cert.Certificate[1])
	if err != nil {
		return nil, now.Add(stapleRetry), fmt.Errorf("read the certificate of its issuer: %w", err)
	}
	if len(cert.Leaf.OCSPServer) == 0 {
		return nil, now.Add(stapleRetry), errors.New("it does not say where to ask (OCSP)")
	}
	answer, err = ask(ctx, cert.Leaf, issuer)
	if err != nil {
		return nil, now.Add(stapleRetry), fmt.Errorf("ask %s: %w", cert.Leaf.OCSPServer[0], err)
	}
	parsed, err := ocsp.ParseResponseForCert(answer, cert.Leaf, issuer)
	switch {
	case err != nil:
		return nil, now.Add(stapleRetry), fmt.Errorf("the answer of %s: %w", cert.Leaf.OCSPServer[0], err)
	case parsed.Status == ocsp.Revoked:
		return answer, now.Add(stapleRetry), errors.New("it is revoked")
	case !parsed.NextUpdate.IsZero() && now.After(parsed.NextUpdate):
		return nil, now.Add(stapleRetry), errors.New("the answer of its issuer is out of date")
	case parsed.Status != ocsp.Good:
		return nil, now.Add(stapleRetry), errors.New("its issuer does not know it")
	}
	// Half way to its end, so that there is time for errors.
	return answer, now.Add(max(parsed.NextUpdate.Sub(now)/2, stapleRetry)), nil
}

func ask(ctx context.Context, leaf, issuer *x509.Certificate) ([]byte, error) {
	question, err := ocsp.CreateRequest(leaf, issuer, nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, stapleTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, leaf.OCSPServer[0], bytes.NewReader(question))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/ocsp-request")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, errors.New(res.Status)
	}
	return io.ReadAll(io.LimitReader(res.Body, stapleBytes))
}

// keepStapled works until ctx ends.
func (c *Certificates) keepStapled(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		c.stapled(ctx, time.Now())
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// stapled gives the certificates that demand it their answers, where it is time for new
// ones. Only the network is waited for without the lock.
func (c *Certificates) stapled(ctx context.Context, now time.Time) {
	c.mu.Lock()
	var due []*pair
	for _, p := range c.pairs {
		if p.cert != nil && demandsStaple(p.cert.Leaf) && !now.Before(p.stapleAt) {
			due = append(due, p)
		}
	}
	c.mu.Unlock()
	for _, p := range due {
		c.mu.Lock()
		cert := p.cert
		c.mu.Unlock()
		answer, until, err := staple(ctx, cert, now)
		c.mu.Lock()
		if p.stapleAt = until; p.cert != cert {
			p.stapleAt = time.Time{} // it has changed meanwhile
		}
		if p.stapleErr = err; answer != nil && p.cert == cert {
			fresh := *cert
			fresh.OCSPStaple = answer
			p.cert = &fresh
			c.publish()
		}
		c.mu.Unlock()
		if err != nil {
			c.log.WithError(err).WithField("names", namesOf(cert.Leaf)).Warn("a certificate demands to be shown with an answer of its issuer, which cannot be had")
		}
	}
}
