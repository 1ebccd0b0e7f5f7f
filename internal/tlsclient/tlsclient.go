// Package tlsclient has how the gateway itself speaks TLS to the servers that it asks: Docker,
// Redis, Consul, collectors, authentication servers. Their options are the same, with the
// names of Traefik.
package tlsclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"fairway/internal/pemtext"
	"fairway/internal/secret"
)

// Options are how a server is spoken to. Each of the three texts is PEM, or
// the path of a file with it.
type Options struct {
	CA                 string        // the authorities of the server's certificate; empty: those of the system
	Cert               string        // what is shown to the server; empty: nothing
	Key                secret.String // of Cert
	InsecureSkipVerify bool          // takes every certificate for good
}

// Texts are those of Options, read. Those that are not given are nil.
type Texts struct{ CA, Cert, Key []byte }

// Texts reads the texts. Its errors name the option at fault, and show nothing of a key.
func (o Options) Texts() (p Texts, err error) {
	for _, part := range []struct {
		name, text string
		into       *[]byte
	}{{"ca", o.CA, &p.CA}, {"cert", o.Cert, &p.Cert}, {"key", o.Key.Reveal(), &p.Key}} {
		if part.text == "" {
			continue
		}
		if *part.into, err = pemtext.Read(part.text); err != nil {
			return p, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	switch {
	case p.Key != nil && p.Cert == nil:
		return p, errors.New("cert: is missing; key is given")
	case p.Cert != nil && p.Key == nil:
		return p, errors.New("key: is missing; cert is given")
	case p.CA != nil && !x509.NewCertPool().AppendCertsFromPEM(p.CA): // some libraries take that for no CA
		return p, errors.New("ca: there is no certificate in it")
	}
	return p, nil
}

// Settings are those of crypto/tls. Its errors are as those of Texts.
func (o Options) Settings() (*tls.Config, error) {
	p, err := o.Texts()
	if err != nil {
		return nil, err
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.InsecureSkipVerify} //nolint:gosec // if the operator wants it
	if p.CA != nil {
		settings.RootCAs = x509.NewCertPool()
		settings.RootCAs.AppendCertsFromPEM(p.CA)
	}
	if p.Cert != nil {
		pair, err := tls.X509KeyPair(p.Cert, p.Key)
		if err != nil {
			return nil, fmt.Errorf("cert and key: %w", err)
		}
		settings.Certificates = []tls.Certificate{pair}
	}
	return settings, nil
}
