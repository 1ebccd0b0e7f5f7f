package otlp

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// TLS is how a collector is spoken to by TLS.
type TLS struct {
	// CA is a file with the authorities that its certificate may come from. Default:
	// those of the system.
	CA string `json:"ca,omitempty"`
	// Cert is a file with a certificate to show.
	Cert string `json:"cert,omitempty"`
	// Key is the file with its key.
	Key string `json:"key,omitempty"`
	// InsecureSkipVerify takes every certificate for good. Default: false.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

func (t *TLS) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: t.InsecureSkipVerify} //nolint:gosec // as the operator asks
	if t.CA != "" {
		text, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ca: there is no certificate in %s", t.CA)
		}
	}
	if t.Cert != "" || t.Key != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("cert: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
