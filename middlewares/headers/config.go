package headers

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"fairway/internal/headername"
)

// Config is the headers middleware. At least one option must be set.
type Config struct {
	// CustomRequestHeaders are set on the request before it is forwarded. An empty
	// value removes the header. "Host" changes the host the service is asked for. What
	// says how a message is sent cannot be set: Connection, Content-Length, Trailer,
	// Transfer-Encoding and Upgrade.
	CustomRequestHeaders map[string]string `json:"customRequestHeaders,omitempty"`
	// CustomResponseHeaders are set on the response, over what the service sent. An
	// empty value removes the header. The same names as in customRequestHeaders cannot be
	// set.
	CustomResponseHeaders map[string]string `json:"customResponseHeaders,omitempty"`

	// AccessControlAllowCredentials lets scripts of allowed origins send cookies and
	// other credentials. Default false.
	AccessControlAllowCredentials bool `json:"accessControlAllowCredentials,omitempty"`
	// AccessControlAllowHeaders lists the request headers such scripts may send.
	AccessControlAllowHeaders []string `json:"accessControlAllowHeaders,omitempty"`
	// AccessControlAllowMethods lists the methods such scripts may use.
	AccessControlAllowMethods []string `json:"accessControlAllowMethods,omitempty"`
	// AccessControlAllowOriginList lists the origins whose scripts may read the
	// response, as in "https://app.example.com", or "*" for all.
	AccessControlAllowOriginList []string `json:"accessControlAllowOriginList,omitempty"`
	// AccessControlAllowOriginListRegex lists expressions (Go syntax) for further
	// allowed origins. An expression matches anywhere in the origin unless it is
	// anchored with "^" and "$".
	AccessControlAllowOriginListRegex []string `json:"accessControlAllowOriginListRegex,omitempty"`
	// AccessControlExposeHeaders lists the response headers such scripts may read.
	AccessControlExposeHeaders []string `json:"accessControlExposeHeaders,omitempty"`
	// AccessControlMaxAge is for how many seconds a browser may keep the answer to a
	// preflight request. Default 0.
	AccessControlMaxAge int64 `json:"accessControlMaxAge,omitempty"`
	// AddVaryHeader adds "Origin" to Vary, so that caches keep one response per
	// origin. Default false.
	AddVaryHeader bool `json:"addVaryHeader,omitempty"`

	// AllowedHosts lists the hosts that are served; a request for any other is refused
	// with 500. Empty, the default, serves all.
	AllowedHosts []string `json:"allowedHosts,omitempty"`
	// HostsProxyHeaders lists headers that may hold the host the client asked for; the
	// first one present is compared with allowedHosts instead of Host.
	HostsProxyHeaders []string `json:"hostsProxyHeaders,omitempty"`
	// SSLProxyHeaders are headers and the values by which a proxy in front says that
	// the client came over TLS, as in X-Forwarded-Proto: https. One match is enough.
	SSLProxyHeaders map[string]string `json:"sslProxyHeaders,omitempty"`

	// STSSeconds is the max-age of Strict-Transport-Security, sent over TLS only.
	// Default 0: not sent.
	STSSeconds int64 `json:"stsSeconds,omitempty"`
	// STSIncludeSubdomains adds includeSubDomains to it. Default false.
	STSIncludeSubdomains bool `json:"stsIncludeSubdomains,omitempty"`
	// STSPreload adds preload to it. Default false.
	STSPreload bool `json:"stsPreload,omitempty"`
	// ForceSTSHeader sends it also when the client did not come over TLS. Default
	// false.
	ForceSTSHeader bool `json:"forceSTSHeader,omitempty"`

	// FrameDeny sends X-Frame-Options: DENY. Default false.
	FrameDeny bool `json:"frameDeny,omitempty"`
	// CustomFrameOptionsValue is the value of X-Frame-Options; it wins over frameDeny.
	CustomFrameOptionsValue string `json:"customFrameOptionsValue,omitempty"`
	// ContentTypeNosniff sends X-Content-Type-Options: nosniff. Default false.
	ContentTypeNosniff bool `json:"contentTypeNosniff,omitempty"`
	// BrowserXSSFilter sends X-XSS-Protection: 1; mode=block. Default false.
	BrowserXSSFilter bool `json:"browserXssFilter,omitempty"`
	// CustomBrowserXSSValue is the value of X-XSS-Protection; it wins over
	// browserXssFilter.
	CustomBrowserXSSValue string `json:"customBrowserXSSValue,omitempty"`
	// ContentSecurityPolicy is the value of Content-Security-Policy.
	ContentSecurityPolicy string `json:"contentSecurityPolicy,omitempty"`
	// ContentSecurityPolicyReportOnly is the value of
	// Content-Security-Policy-Report-Only.
	ContentSecurityPolicyReportOnly string `json:"contentSecurityPolicyReportOnly,omitempty"`
	// PublicKey is the value of Public-Key-Pins, sent over TLS only.
	PublicKey string `json:"publicKey,omitempty"`
	// ReferrerPolicy is the value of Referrer-Policy.
	ReferrerPolicy string `json:"referrerPolicy,omitempty"`
	// PermissionsPolicy is the value of Permissions-Policy.
	PermissionsPolicy string `json:"permissionsPolicy,omitempty"`
	// IsDevelopment turns off what stands in the way on a developer's machine:
	// allowedHosts, sslRedirect, Strict-Transport-Security and Public-Key-Pins.
	// Default false.
	IsDevelopment bool `json:"isDevelopment,omitempty"`

	// Deprecated: FeaturePolicy is the value of Feature-Policy; use permissionsPolicy.
	FeaturePolicy string `json:"featurePolicy,omitempty" deprecated:"use permissionsPolicy"`
	// Deprecated: SSLRedirect sends clients that did not come over TLS to https; use
	// redirectScheme or the redirection of the entry point.
	SSLRedirect bool `json:"sslRedirect,omitempty" deprecated:"use redirectScheme, or the redirection of the entry point"`
	// Deprecated: SSLTemporaryRedirect answers 307 instead of 301; use redirectScheme.
	SSLTemporaryRedirect bool `json:"sslTemporaryRedirect,omitempty" deprecated:"use redirectScheme"`
	// Deprecated: SSLHost is the host sslRedirect sends to; use redirectRegex.
	SSLHost string `json:"sslHost,omitempty" deprecated:"use redirectRegex"`
	// Deprecated: SSLForceHost sends requests for any other host to sslHost; use
	// redirectRegex.
	SSLForceHost bool `json:"sslForceHost,omitempty" deprecated:"use redirectRegex"`
}

// custom returns the headers of an option without the line breaks that a block of YAML
// leaves around a value, or says what is wrong with them. Values may be secret: no error
// has one.
func custom(option string, values map[string]string) (map[string]string, error) {
	fit := make(map[string]string, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := strings.Trim(values[name], "\r\n")
		switch {
		case !headername.Valid(name):
			return nil, fmt.Errorf("%s: %q is no name of a header", option, name)
		case value != "" && framing(name):
			return nil, fmt.Errorf("%s: %q cannot be set: it says how a message is sent, which is up to the gateway", option, name)
		case !headername.ValidValue(value):
			return nil, fmt.Errorf("%s: the value of %q has a line break or another control character", option, name)
		}
		fit[name] = value
	}
	return fit, nil
}

// framing tells of the fields by which a reader finds the end of a message, or takes a
// connection for something else (RFC 9112, sections 6, 7.1.2 and 9; RFC 9110, section
// 7.8).
func framing(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Connection", "Content-Length", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// empty reports whether no option is set at all; an empty list is not set.
func (c *Config) empty() bool {
	v := reflect.ValueOf(*c)
	for _, f := range v.Fields() {
		switch f.Kind() {
		case reflect.Map, reflect.Slice:
			if f.Len() > 0 {
				return false
			}
		default:
			if !f.IsZero() {
				return false
			}
		}
	}
	return true
}
