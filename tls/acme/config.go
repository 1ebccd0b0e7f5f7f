package acme

import (
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/secret"
)

// Config is certificatesResolvers.<name>.acme: an authority, and how to prove to it that a
// name is ours. One of httpChallenge, tlsChallenge and dnsChallenge is needed.
type Config struct {
	// Email is where the authority writes to. Most need none any more. Default: none.
	Email string `json:"email,omitempty"`
	// CAServer is the directory URL of the authority. While trying things out use
	// "https://acme-staging-v02.api.letsencrypt.org/directory", whose limits are wide.
	// After a change everything is ordered anew at the new authority, and the old
	// certificates serve until then. Default: Let's Encrypt,
	// "https://acme-v02.api.letsencrypt.org/directory".
	CAServer string `json:"caServer,omitempty"`
	// PreferredChain is the common name of the root that the chain should lead to, where
	// the authority offers several. Default: the authority's first.
	PreferredChain string `json:"preferredChain,omitempty"`
	// Profile is the kind of certificate to order, by the authority's own name, as in
	// "shortlived". Default: the authority's choice.
	Profile string `json:"profile,omitempty"`
	// EmailAddresses are put into the certificate. Few authorities allow it. Default: none.
	EmailAddresses []string `json:"emailAddresses,omitempty"`
	// DisableCommonName leaves the common name out of the request. Default: false.
	DisableCommonName bool `json:"disableCommonName,omitempty"`
	// Storage is where accounts, keys and certificates are kept: a folder, which several
	// instances may share. A name that ends in ".json" means the folder of that name
	// without it. If it is an acme.json of Traefik's, what it has for this resolver is
	// taken over once; the file itself is only read. Default: acme.json, hence the folder
	// "acme".
	Storage string `json:"storage,omitempty"`
	// KeyType of new certificates: EC256, EC384, RSA2048, RSA4096 or RSA8192. Default:
	// EC256.
	KeyType string `json:"keyType,omitempty"`
	// EAB binds the account to one that you have at the authority already (RFC 8555,
	// section 7.3.4).
	EAB *EAB `json:"eab,omitempty"`
	// CertificatesDuration is how many hours certificates of the authority are valid. It
	// is Traefik's, and of no account: the lifetime is read from each certificate, and
	// where a third of it is left, or when the authority says (RFC 9773), it is renewed.
	// Default: 2160.
	CertificatesDuration int `json:"certificatesDuration,omitempty"`
	// ClientTimeout is how long a request to the authority may take. Default: 2m.
	ClientTimeout types.Duration `json:"clientTimeout,omitempty"`
	// ClientResponseHeaderTimeout is how long its answer may be awaited. Default: 30s.
	ClientResponseHeaderTimeout types.Duration `json:"clientResponseHeaderTimeout,omitempty"`
	// CertificateTimeout is how long the authority may take to sign, once all names are
	// proved. Default: 30s.
	CertificateTimeout types.Duration `json:"certificateTimeout,omitempty"`
	// CACertificates are the roots that the authority's own server is trusted by, as files
	// or as PEM text. Default: those of the system, or of the variable
	// LEGO_CA_CERTIFICATES.
	CACertificates []string `json:"caCertificates,omitempty"`
	// CASystemCertPool trusts the roots of the system as well. Default: false.
	CASystemCertPool bool `json:"caSystemCertPool,omitempty"`
	// CAServerName is the name that the certificate of the authority's own server must
	// have. Default: the host of caServer.
	CAServerName string `json:"caServerName,omitempty"`
	// HTTPChallenge proves names by an answer on port 80 (HTTP-01).
	HTTPChallenge *HTTPChallenge `json:"httpChallenge,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// TLSChallenge proves names by a handshake on port 443 (TLS-ALPN-01, RFC 8737). It
	// comes before httpChallenge where both are set.
	TLSChallenge *TLSChallenge `json:"tlsChallenge,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// DNSChallenge proves names by records (DNS-01): the only one for wildcards, and for
	// machines that the authority cannot reach.
	DNSChallenge *DNSChallenge `json:"dnsChallenge,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// OnDemand gets certificates for names that no router has, when the first visitor
	// comes.
	OnDemand *OnDemand `json:"onDemand,omitempty"`
}

// EAB is an account that you have at the authority.
type EAB struct {
	// Kid is the identifier of the key. Required.
	Kid string `json:"kid,omitempty"`
	// HmacEncoded is the key itself, in Base64 (URL alphabet). Required.
	HmacEncoded secret.String `json:"hmacEncoded,omitempty"`
}

// HTTPChallenge answers at /.well-known/acme-challenge/ (RFC 8555, section 8.3).
type HTTPChallenge struct {
	// EntryPoint that port 80 of the public name leads to. Required.
	EntryPoint string `json:"entryPoint,omitempty"`
	// Delay before the authority is told to look. Default: 0.
	Delay types.Duration `json:"delay,omitempty"`
}

// TLSChallenge answers in the handshake (RFC 8737), at every entry point with TLS.
type TLSChallenge struct {
	// Delay before the authority is told to look. Default: 0.
	Delay types.Duration `json:"delay,omitempty"`
}

// DNSChallenge writes TXT records (RFC 8555, section 8.4). The credentials for the service
// come from the environment, by the names in the manual of lego, with which it is done.
type DNSChallenge struct {
	// Provider is the DNS service: acme-dns, cloudflare, desec, digitalocean, dnsimple,
	// duckdns, exec, gandiv5, godaddy, hetzner, httpreq, inwx, ionos, linode, namecheap,
	// netcup, ovh, pdns, porkbun, rfc2136, route53 or vultr. Required.
	Provider string `json:"provider,omitempty"`
	// Resolvers are the name servers that are asked where the zone is and whether the
	// record is there, as in "1.1.1.1:53". Default: those of the system.
	Resolvers []string `json:"resolvers,omitempty"`
	// Propagation says how to wait until the record can be seen.
	Propagation *Propagation `json:"propagation,omitempty"`
	// Deprecated: DelayBeforeCheck is now propagation.delayBeforeChecks.
	DelayBeforeCheck types.Duration `json:"delayBeforeCheck,omitempty" deprecated:"use propagation.delayBeforeChecks"`
	// Deprecated: DisablePropagationCheck is now propagation.disableChecks.
	DisablePropagationCheck bool `json:"disablePropagationCheck,omitempty" deprecated:"use propagation.disableChecks"`
}

// Propagation says how to wait until a record can be seen.
type Propagation struct {
	// DisableChecks tells the authority to look without a look of our own before. Default:
	// false.
	DisableChecks bool `json:"disableChecks,omitempty"`
	// DisableANSChecks does not ask the zone's own name servers, which a firewall may hide.
	// Default: false.
	DisableANSChecks bool `json:"disableANSChecks,omitempty"`
	// RequireAllRNS waits until all of resolvers have the record as well. Default: false.
	RequireAllRNS bool `json:"requireAllRNS,omitempty"`
	// DelayBeforeChecks is a time to wait before the first look. Default: 0.
	DelayBeforeChecks types.Duration `json:"delayBeforeChecks,omitempty"`
}

// OnDemand gets certificates in the handshake of the first visitor, for names that a
// program of yours allows. It needs httpChallenge or tlsChallenge.
type OnDemand struct {
	// Ask is the URL that is asked, with "?domain=NAME" added, before a certificate is
	// ordered or renewed: 200 allows it, anything else does not. Without it anybody could
	// have certificates ordered for any name that leads here. Required.
	Ask string `json:"ask,omitempty"`
}

const defaultCA = "https://acme-v02.api.letsencrypt.org/directory"

// SetDefaults implements the defaults documented at the fields.
func (c *Config) SetDefaults() {
	c.CAServer, c.Storage, c.KeyType = defaultCA, "acme.json", "EC256"
	c.CertificatesDuration = 2160
	c.ClientTimeout = types.Duration(2 * time.Minute)
	c.ClientResponseHeaderTimeout = types.Duration(30 * time.Second)
	c.CertificateTimeout = types.Duration(30 * time.Second)
}
