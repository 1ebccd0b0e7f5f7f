package httpendpoint

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/traefik/paerser/types"

	"fairway/internal/headername"
	"fairway/internal/secret"
	"fairway/internal/tlsclient"
	"fairway/providers"
)

// Config of the HTTP provider.
type Config struct {
	// Endpoint is the URL that answers with the configuration. The Content-Type of the
	// answer says whether it is JSON, YAML or TOML, else the ending of the URL's path; else
	// it is read as YAML, which includes JSON.
	Endpoint string `json:"endpoint,omitempty"`
	// PollInterval is the time between two requests. Default: 5s.
	PollInterval types.Duration `json:"pollInterval,omitempty"`
	// PollTimeout is the longest time for one request, with its answer. Default: 5s.
	PollTimeout types.Duration `json:"pollTimeout,omitempty"`
	// Headers are sent with each request, by name. They are not shown.
	Headers secret.Headers `json:"headers,omitempty"`
	// TLS is for endpoints by https.
	TLS *TLS `json:"tls,omitempty"`
	// MaxResponseBodySize is the most bytes that an answer may have, after it has been
	// unpacked; -1: no limit. Default: 33554432 (32 MiB).
	MaxResponseBodySize int64 `json:"maxResponseBodySize,omitempty"`
}

// TLS are the keys for talking to an endpoint, as files or as PEM text.
type TLS struct {
	// CA is the authority that signed the endpoint's certificate. Default: those of the
	// system.
	CA string `json:"ca,omitempty"`
	// Cert is the certificate to show to the endpoint.
	Cert string `json:"cert,omitempty"`
	// Key is the private key of cert.
	Key secret.String `json:"key,omitempty"`
	// InsecureSkipVerify accepts any certificate of the endpoint. Default: false.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

const (
	defaultPoll = 5 * time.Second
	defaultMost = 32 << 20
)

// SetDefaults implements the defaults documented at the fields.
func (c *Config) SetDefaults() {
	c.PollInterval, c.PollTimeout, c.MaxResponseBodySize = types.Duration(defaultPoll), types.Duration(defaultPoll), defaultMost
}

// New implements providers.Config.
func (c *Config) New(log logrus.FieldLogger) (providers.Provider, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("the standard transport of this program is another one")
	}
	transport = transport.Clone()
	if c.TLS != nil {
		var err error
		if transport.TLSClientConfig, err = c.TLS.config(); err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
	}
	client := &http.Client{Transport: transport, Timeout: time.Duration(c.PollTimeout), CheckRedirect: sameServer}
	return &provider{config: c, client: client, source: secret.URL(c.Endpoint), log: log}, nil
}

func (c *Config) check() error {
	u, err := url.Parse(c.Endpoint)
	switch {
	case c.Endpoint == "":
		return errors.New("endpoint: none is given")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("endpoint: %q is no URL with http:// or https://", secret.URL(c.Endpoint))
	case c.PollInterval <= 0:
		return errors.New("pollInterval: is no time")
	case c.PollTimeout <= 0:
		return errors.New("pollTimeout: is no time")
	case c.MaxResponseBodySize < -1 || c.MaxResponseBodySize == 0:
		return errors.New("maxResponseBodySize: is neither a number of bytes nor -1, for no limit")
	}
	for name, value := range c.Headers {
		if !headername.Valid(name) {
			return fmt.Errorf("headers: %q is no name of a header", name)
		}
		if !headername.ValidValue(value) {
			return fmt.Errorf("headers: the value of %s has characters that no header may have", name)
		}
	}
	return nil
}

// sameServer follows redirects within a server only: the headers of the configuration are
// credentials mostly.
func sameServer(next *http.Request, before []*http.Request) error {
	first := before[0].URL
	switch {
	case len(before) > 5:
		return errors.New("more than 5 redirects")
	case next.URL.Hostname() != first.Hostname() || port(next.URL) != port(first) && !(port(first) == "80" && port(next.URL) == "443"):
		return fmt.Errorf("the redirect to %s leads to another server: name that one", secret.Place(next.URL))
	case first.Scheme == "https" && next.URL.Scheme != "https":
		return fmt.Errorf("the redirect to %s leads away from https", secret.Place(next.URL))
	}
	return nil
}

// port is the one that a URL leads to. Another port of a machine is another server; that for
// https, where a server leads from http, is the same.
func port(u *url.URL) string {
	if port := u.Port(); port != "" || u.Scheme != "https" {
		return cmp.Or(port, "80")
	}
	return "443"
}

func (t *TLS) config() (*tls.Config, error) {
	return tlsclient.Options{CA: t.CA, Cert: t.Cert, Key: t.Key, InsecureSkipVerify: t.InsecureSkipVerify}.Settings()
}
