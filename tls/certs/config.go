package certs

import "fairway/internal/secret"

// Domain is the set of names of one certificate.
type Domain struct {
	// Main is the main name of the certificate.
	Main string `json:"main,omitempty"`
	// SANs are further names of the certificate.
	SANs []string `json:"sans,omitempty"`
}

// Certificate shows clients who answers. Files that change are read again within
// seconds.
type Certificate struct {
	// CertFile is a PEM file, or PEM text: the certificate, and those between it and the
	// root. Required.
	CertFile string `json:"certFile,omitempty"`
	// KeyFile is a PEM file, or PEM text. Required.
	KeyFile secret.String `json:"keyFile,omitempty"`
	// Stores are the stores that the certificate is for. There is one, "default".
	Stores []string `json:"stores,omitempty"`
}

// Store is what is answered with where no certificate has the name.
type Store struct {
	// DefaultCertificate is used for names that no certificate has, and for clients that
	// name none. Default: one that fairway signs itself.
	DefaultCertificate *Certificate `json:"defaultCertificate,omitempty" label:"-"`
	// DefaultGeneratedCert has a certificate resolver get the default certificate.
	DefaultGeneratedCert *GeneratedCert `json:"defaultGeneratedCert,omitempty"`
}

// GeneratedCert is a certificate that a resolver gets.
type GeneratedCert struct {
	// Resolver is the name of the certificate resolver.
	Resolver string `json:"resolver,omitempty"`
	// Domain is what the certificate is for.
	Domain *Domain `json:"domain,omitempty"`
}

// Options are a way to speak TLS, with the hosts of the routers that name them. Those called
// "default" are for all others.
type Options struct {
	// MinVersion of TLS: VersionTLS10, VersionTLS11, VersionTLS12 or VersionTLS13.
	// Default: VersionTLS12.
	MinVersion string `json:"minVersion,omitempty"`
	// MaxVersion of TLS. Default: the newest.
	MaxVersion string `json:"maxVersion,omitempty"`
	// CipherSuites that may be used up to TLS 1.2, by their names in the standard. Default:
	// those with forward secrecy that are held to be safe.
	CipherSuites []string `json:"cipherSuites,omitempty"`
	// CurvePreferences are the key exchanges that may be used, as X25519MLKEM768, X25519,
	// CurveP256, CurveP384 and CurveP521. Default: those that are held to be safe, the one
	// that withstands quantum computers first.
	CurvePreferences []string `json:"curvePreferences,omitempty"`
	// ClientAuth asks clients for certificates.
	ClientAuth ClientAuth `json:"clientAuth,omitzero"`
	// SniStrict refuses clients that name no host, or one that there is no certificate for,
	// instead of answering with the default certificate. Default: false.
	SniStrict bool `json:"sniStrict,omitempty"`
	// ALPNProtocols are the protocols that may be spoken, the best first. Default: h2,
	// http/1.1, acme-tls/1; the last one changes nothing, challenges are answered anyway.
	ALPNProtocols []string `json:"alpnProtocols,omitempty"`
	// DisableSessionTickets makes every connection begin with a whole handshake. Default:
	// false.
	DisableSessionTickets bool `json:"disableSessionTickets,omitempty"`
	// Deprecated: PreferServerCipherSuites has no effect, Go chooses.
	PreferServerCipherSuites bool `json:"preferServerCipherSuites,omitempty" deprecated:"it has no effect"`
}

// ClientAuth asks clients for certificates (mutual TLS). The handshake asks for what all
// routers of a host have in common; each router lets only those in that its own
// options accept, and answers others with 403.
type ClientAuth struct {
	// CAFiles are the authorities that clients' certificates may come from, as PEM files or
	// PEM text. Files that change are read again within seconds.
	CAFiles []string `json:"caFiles,omitempty"`
	// ClientAuthType is NoClientCert, RequestClientCert, RequireAnyClientCert,
	// VerifyClientCertIfGiven or RequireAndVerifyClientCert. Default:
	// RequireAndVerifyClientCert with caFiles, else NoClientCert.
	ClientAuthType string `json:"clientAuthType,omitempty"`
	// CRLFiles are lists of revoked certificates (RFC 5280), as PEM files, DER files or PEM
	// text. A certificate is refused that the list of its issuer has. Files that change are
	// read again within seconds.
	CRLFiles []string `json:"crlFiles,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (o *Options) SetDefaults() {
	o.MinVersion = "VersionTLS12"
	o.ALPNProtocols = []string{"h2", "http/1.1", "acme-tls/1"}
}
