package certs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"fairway/internal/pemtext"
)

// Servers are the settings by which servers that the gateway itself asks are believed: those
// of the authorities in PEM files or PEM text. nil: those of the system.
func Servers(caFiles []string, insecure bool) (*tls.Config, error) {
	if len(caFiles) == 0 && !insecure {
		return nil, nil
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: insecure} //nolint:gosec // if the operator wants it
	if len(caFiles) == 0 {
		return settings, nil
	}
	var err error
	settings.RootCAs, err = Pool(caFiles)
	return settings, err
}

// Pool are the authorities in the option caFiles.
func Pool(caFiles []string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	for i, text := range caFiles {
		raw, err := pemtext.Read(text)
		if err != nil {
			return nil, fmt.Errorf("caFiles[%d]: %w", i, err)
		}
		if !pool.AppendCertsFromPEM(raw) {
			return nil, fmt.Errorf("caFiles[%d]: has no certificate", i)
		}
	}
	return pool, nil
}
