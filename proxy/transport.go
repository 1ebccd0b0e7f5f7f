package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/pemtext"
	"fairway/internal/secret"
	"fairway/tls/certs"
)

// ServersTransport says how servers are talked to.
type ServersTransport struct {
	// ServerName is asked for in TLS (SNI) and expected in the server's certificate.
	// Default: the host of the server's URL.
	ServerName string `json:"serverName,omitempty"`
	// InsecureSkipVerify takes every certificate for good. Default: false.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
	// RootCAs are the authorities that servers' certificates may come from, as PEM
	// files or PEM text. Default: those of the system.
	RootCAs []string `json:"rootCAs,omitempty"`
	// Certificates are shown to servers that ask for one.
	Certificates []ClientCertificate `json:"certificates,omitempty"`
	// CipherSuites that may be used up to TLS 1.2, by their names in the standard. Default:
	// those that are held to be safe.
	CipherSuites []string `json:"cipherSuites,omitempty"`
	// MinVersion of TLS: VersionTLS10, VersionTLS11, VersionTLS12 or VersionTLS13.
	// Default: VersionTLS12.
	MinVersion string `json:"minVersion,omitempty"`
	// MaxVersion of TLS. Default: the newest.
	MaxVersion string `json:"maxVersion,omitempty"`
	// MaxIdleConnsPerHost is how many connections to a server are kept when no request
	// uses them. Default: 200.
	MaxIdleConnsPerHost int `json:"maxIdleConnsPerHost,omitempty"`
	// ForwardingTimeouts bound how long servers may take.
	ForwardingTimeouts *ForwardingTimeouts `json:"forwardingTimeouts,omitempty"`
	// DisableHTTP2 speaks HTTP/1.1 only, to servers that are reached by TLS. Default:
	// false.
	DisableHTTP2 bool `json:"disableHTTP2,omitempty"`
	// PeerCertURI is a URI that has to be among the names of the server's certificate.
	// The name of the host is then not asked for.
	PeerCertURI string `json:"peerCertURI,omitempty"`
}

// ClientCertificate is a certificate with its key.
type ClientCertificate struct {
	// CertFile is a PEM file, or PEM text.
	CertFile string `json:"certFile,omitempty"`
	// KeyFile is a PEM file, or PEM text.
	KeyFile secret.String `json:"keyFile,omitempty"`
}

// ForwardingTimeouts bound how long servers may take. A time of 0s is none.
type ForwardingTimeouts struct {
	// DialTimeout bounds connecting. Default: 5s. It is short so that another server
	// can be tried while the client still waits.
	DialTimeout types.Duration `json:"dialTimeout,omitempty"`
	// ResponseHeaderTimeout bounds the wait for the head of a response, from the end of
	// the request. Default: 0s.
	ResponseHeaderTimeout types.Duration `json:"responseHeaderTimeout,omitempty"`
	// IdleConnTimeout is how long a connection is kept that no request uses.
	// Default: 90s.
	IdleConnTimeout types.Duration `json:"idleConnTimeout,omitempty"`
	// ReadIdleTimeout is how long a connection by HTTP/2 is silent before it is asked
	// whether it is alive. Default: 6m, for servers by gRPC end connections that ask
	// more often.
	ReadIdleTimeout types.Duration `json:"readIdleTimeout,omitempty"`
	// PingTimeout is how long the answer to that may take. Default: 15s.
	PingTimeout types.Duration `json:"pingTimeout,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (c *ServersTransport) SetDefaults() {
	c.MaxIdleConnsPerHost = 200
	c.ForwardingTimeouts = &ForwardingTimeouts{}
	c.ForwardingTimeouts.SetDefaults()
}

// SetDefaults implements the defaults documented at the fields.
func (t *ForwardingTimeouts) SetDefaults() {
	t.DialTimeout = types.Duration(5 * time.Second)
	t.IdleConnTimeout = types.Duration(90 * time.Second)
	t.ReadIdleTimeout = types.Duration(6 * time.Minute)
	t.PingTimeout = types.Duration(15 * time.Second)
}

// Default returns the transport with every option at its default.
func defaultTransport() *ServersTransport {
	c := &ServersTransport{}
	c.SetDefaults()
	return c
}

// New makes the forwarder that talks to servers so. It reads files and does not dial.
func (c *ServersTransport) New() (*Engine, error) {
	t := c.ForwardingTimeouts
	if t == nil {
		t = defaultTransport().ForwardingTimeouts
	}
	for name, d := range map[string]types.Duration{
		"dialTimeout": t.DialTimeout, "responseHeaderTimeout": t.ResponseHeaderTimeout, "idleConnTimeout": t.IdleConnTimeout,
		"readIdleTimeout": t.ReadIdleTimeout, "pingTimeout": t.PingTimeout,
	} {
		if d < 0 {
			return nil, fmt.Errorf("forwardingTimeouts.%s: %s is below 0", name, time.Duration(d))
		}
	}
	if c.MaxIdleConnsPerHost < 0 {
		return nil, fmt.Errorf("maxIdleConnsPerHost: %d is below 0", c.MaxIdleConnsPerHost)
	}
	secure, err := ClientTLS(c)
	if err != nil {
		return nil, err
	}
	return newEngine(c, t, secure), nil
}

// ClientTLS makes the settings for servers that are reached by TLS.
func ClientTLS(c *ServersTransport) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName, InsecureSkipVerify: c.InsecureSkipVerify} //nolint:gosec // as the operator asks
	var err error
	if c.MinVersion != "" {
		if cfg.MinVersion, err = certs.Version("minVersion", c.MinVersion); err != nil {
			return nil, err
		}
	}
	if c.MaxVersion != "" {
		if cfg.MaxVersion, err = certs.Version("maxVersion", c.MaxVersion); err != nil {
			return nil, err
		}
		if cfg.MaxVersion < cfg.MinVersion {
			return nil, fmt.Errorf("maxVersion %s is below the lowest version, %s", c.MaxVersion, tls.VersionName(cfg.MinVersion))
		}
	}
	if cfg.CipherSuites, err = certs.CipherSuites(c.CipherSuites); err != nil {
		return nil, err
	}
	if len(c.RootCAs) > 0 {
		cfg.RootCAs = x509.NewCertPool()
		for i, ca := range c.RootCAs {
			pem, err := pemtext.Read(ca)
			if err != nil {
				return nil, fmt.Errorf("rootCAs[%d]: %w", i, err)
			}
			if !cfg.RootCAs.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("rootCAs[%d]: there is no certificate in it", i)
			}
		}
	}
	for i, pair := range c.Certificates {
		cert, err := pair.load()
		if err != nil {
			return nil, fmt.Errorf("certificates[%d]: %w", i, err)
		}
		cfg.Certificates = append(cfg.Certificates, cert)
	}
	if c.PeerCertURI != "" && !c.InsecureSkipVerify {
		verifyURI(cfg, c.PeerCertURI)
	}
	return cfg, nil
}

func (p ClientCertificate) load() (tls.Certificate, error) {
	cert, err := pemtext.Read(p.CertFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certFile: %w", err)
	}
	key, err := pemtext.Read(p.KeyFile.Reveal())
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("keyFile: %w", err)
	}
	return tls.X509KeyPair(cert, key)
}

// verifyURI makes the settings ask for a URI among the names of a certificate, in
// place of the name of the host. Everything else about it is verified as always.
func verifyURI(cfg *tls.Config, uri string) {
	cfg.InsecureSkipVerify = true // done by VerifyConnection
	roots := cfg.RootCAs
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		leaf := state.PeerCertificates[0]
		between := x509.NewCertPool()
		for _, c := range state.PeerCertificates[1:] {
			between.AddCert(c)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between}); err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
		}
		for _, u := range leaf.URIs {
			if u.String() == uri {
				return nil
			}
		}
		return &tls.CertificateVerificationError{
			UnverifiedCertificates: state.PeerCertificates, Err: fmt.Errorf("the certificate is not for %s", uri),
		}
	}
}
