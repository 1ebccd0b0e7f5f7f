package otlp

import (
	"crypto/tls"

	"fairway/internal/secret"
	"fairway/internal/tlsclient"
)

// TLS is how a collector is spoken to by TLS.
type TLS struct {
	// CA has the authorities that its certificate may come from, as a PEM file or PEM text.
	// Default: those of the system.
	CA string `json:"ca,omitempty"`
	// Cert is a certificate to show, as a PEM file or PEM text.
	Cert string `json:"cert,omitempty"`
	// Key is the private key of cert, as a PEM file or PEM text.
	Key secret.String `json:"key,omitempty"`
	// InsecureSkipVerify takes every certificate for good. Default: false.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

func (t *TLS) config() (*tls.Config, error) {
	return tlsclient.Options{CA: t.CA, Cert: t.Cert, Key: t.Key, InsecureSkipVerify: t.InsecureSkipVerify}.Settings()
}
