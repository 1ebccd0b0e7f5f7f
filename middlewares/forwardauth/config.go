package forwardauth

import (
	"crypto/tls"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/secret"
	"fairway/internal/tlsclient"
)

// Config is the forwardAuth middleware.
type Config struct {
	// Address is the URL of the authentication server, as in
	// "http://auth:9091/api/verify". Required.
	Address string `json:"address,omitempty"`
	// TLS says how an https address is spoken to. Unset: the server must have a
	// certificate of an authority that the system knows.
	TLS *TLS `json:"tls,omitempty"`
	// Timeout is how long the authentication server may take to answer, to the last
	// byte. 0 waits as long as the client does. Default 30s.
	Timeout types.Duration `json:"timeout,omitempty"`
	// TrustForwardHeader sends X-Forwarded-Method, -Proto, -Host, -Uri and -For as the
	// request has them, where it has them: for a gateway that stands behind another
	// which is trusted. Default false: they tell of the request as it came in here.
	TrustForwardHeader bool `json:"trustForwardHeader,omitempty"`
	// AuthResponseHeaders lists headers of the authentication server's answer that are
	// set on the request for the service, as in "Remote-User". The client's own headers
	// of these names are removed, also when the answer has none.
	AuthResponseHeaders []string `json:"authResponseHeaders,omitempty"`
	// AuthResponseHeadersRegex is an expression (Go syntax) for the names of further
	// such headers. It matches anywhere in a name unless it is anchored with "^" and
	// "$".
	AuthResponseHeadersRegex string `json:"authResponseHeadersRegex,omitempty"`
	// AuthRequestHeaders lists the headers of the request that the authentication
	// server gets. Empty, the default: all but conditions such as If-None-Match, and
	// Range, which are about what the service has.
	AuthRequestHeaders []string `json:"authRequestHeaders,omitempty"`
	// AddAuthCookiesToResponse lists the names of cookies that the authentication
	// server may set at the client when it lets a request pass. They replace those of
	// the same name that the service sets.
	AddAuthCookiesToResponse []string `json:"addAuthCookiesToResponse,omitempty"`
	// HeaderField is the name of the header in the authentication server's answer that
	// has the name of the user, for the log. Empty, the default: none.
	HeaderField string `json:"headerField,omitempty"`
	// ForwardBody sends the body of the request to the authentication server too. It is
	// kept in memory for that. Default false.
	ForwardBody bool `json:"forwardBody,omitempty"`
	// MaxBodySize is the length of a body in bytes up to which forwardBody sends it; a
	// request with a longer one is refused with 401. -1, the default, is no limit: set
	// one wherever forwardBody is true.
	MaxBodySize *int64 `json:"maxBodySize,omitempty"`
	// MaxResponseBodySize is the length in bytes that the body of a refusal by the
	// authentication server may have; instead of a longer one the client gets a plain
	// 401. -1, the default, is no limit: the body is passed on as it comes.
	MaxResponseBodySize *int64 `json:"maxResponseBodySize,omitempty"`
	// PreserveLocationHeader leaves the Location of a refusal as it is. Default false: a
	// relative one is completed by the address of the authentication server.
	PreserveLocationHeader bool `json:"preserveLocationHeader,omitempty"`
	// PreserveRequestMethod asks with the method of the request. Default false: with GET.
	PreserveRequestMethod bool `json:"preserveRequestMethod,omitempty"`
	// AuthSigninURL is where a client is sent, with 302, when the authentication server
	// answers 401. Empty, the default: the client gets the 401.
	AuthSigninURL string `json:"authSigninURL,omitempty"`
	// Cache keeps decisions to let pass for a short time, so that not every request
	// needs to be asked about.
	Cache *Cache `json:"cache,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// Cache keeps decisions to let pass, over reloads too, for the same client, method,
// scheme, host and path with query. Refusals, and answers with Set-Cookie or
// Cache-Control: no-store, are never kept.
type Cache struct {
	// TTL is how long a decision holds, hence how long somebody gets in who has just
	// been locked out. Default 0: nothing is kept.
	TTL types.Duration `json:"ttl,omitempty"`
	// Headers lists the headers by which requests are told apart: all that the
	// authentication server decides by. Those in authRequestHeaders, and what
	// passTLSClientCert tells of a certificate, always count as well; a request that has
	// none of all these is always asked about. Unset, the default: the headers in
	// authRequestHeaders; if that is not set either, all that the server gets but Accept,
	// Accept-Charset, Accept-Encoding, Accept-Language, Cache-Control, Pragma,
	// Traceparent, Tracestate, Upgrade-Insecure-Requests and X-Request-Id, and a request
	// without Authorization, Cookie and certificate is always asked about.
	Headers []string `json:"headers,omitempty"`
	// MaxEntries is how many decisions are kept; the oldest gives way. Default 10000.
	MaxEntries int `json:"maxEntries,omitempty"`
}

// TLS says how the authentication server is spoken to by https.
type TLS struct {
	// CA is the authority that signed the server's certificate, as a file or as PEM
	// text. Default: those that the system knows.
	CA string `json:"ca,omitempty"`
	// Cert is the certificate to show to the server, as a file or as PEM text.
	Cert string `json:"cert,omitempty"`
	// Key is the private key of cert, as a file or as PEM text.
	Key secret.String `json:"key,omitempty"`
	// InsecureSkipVerify accepts any certificate of the server. Default false.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
	// Deprecated: CAOptional has no effect.
	CAOptional bool `json:"caOptional,omitempty" deprecated:"it has no effect"`
}

const (
	defaultTimeout    = 30 * time.Second
	defaultMaxEntries = 10000
)

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() { c.Timeout = types.Duration(defaultTimeout) }

// SetDefaults fills in what is not zero by default.
func (c *Cache) SetDefaults() { c.MaxEntries = defaultMaxEntries }

// config makes the settings of crypto/tls. It accepts a nil TLS.
func (t *TLS) config() (*tls.Config, error) {
	if t == nil {
		return tlsclient.Options{}.Settings()
	}
	return tlsclient.Options{CA: t.CA, Cert: t.Cert, Key: t.Key, InsecureSkipVerify: t.InsecureSkipVerify}.Settings()
}
