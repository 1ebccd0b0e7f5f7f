// Package certs has the certificates that entry points answer with.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// NewDefault makes the self-signed certificate that stands in where there is no
// other. Browsers warn of it; it keeps connections private from onlookers only.
func NewDefault() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of the default certificate: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("number the default certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "FAIRWAY DEFAULT CERT"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"fairway.invalid"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign the default certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// KeptDefault is NewDefault for a file: who has taken the certificate for good once does
// not have to do so after each start. It is made anew when it soon runs out. The error
// says why it could not be kept; the certificate can be used all the same.
func KeptDefault(file string) (*tls.Certificate, error) {
	if text, err := os.ReadFile(file); err == nil {
		if cert, err := tls.X509KeyPair(text, text); err == nil && time.Now().Before(cert.Leaf.NotAfter.Add(-keptUntil)) {
			return &cert, nil
		}
	}
	cert, err := NewDefault()
	if err != nil {
		return nil, err
	}
	return cert, keepDefault(file, cert)
}

// keptUntil is how long before its end a kept certificate is replaced.
const keptUntil = 30 * 24 * time.Hour

func keepDefault(file string, cert *tls.Certificate) error {
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return fmt.Errorf("write the key of the default certificate: %w", err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("keep the default certificate: %w", err)
	}
	// Written beside and put in its place, so that nobody finds half of it.
	fresh := file + ".new"
	if err := os.WriteFile(fresh, text, 0o600); err != nil {
		return fmt.Errorf("keep the default certificate: %w", err)
	}
	if err := os.Rename(fresh, file); err != nil {
		return fmt.Errorf("keep the default certificate: %w", err)
	}
	return nil
}
