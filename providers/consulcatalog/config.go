package consulcatalog

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/sirupsen/logrus"
	"github.com/traefik/paerser/types"

	"fairway/config/labels"
	"fairway/internal/freshfile"
	"fairway/internal/secret"
	"fairway/internal/tlsclient"
	"fairway/providers"
)

// Config of the Consul catalog provider.
type Config struct {
	// Endpoint is the Consul agent that is asked.
	Endpoint *Endpoint `json:"endpoint,omitempty"`
	// Prefix of tags, in place of traefik. Those that begin with fairway are read in any case.
	// Default: traefik.
	Prefix string `json:"prefix,omitempty"`
	// Watch follows the changes of the catalog as they happen. Default: true.
	Watch bool `json:"watch"`
	// RefreshInterval after which everything is asked for again, if changes are not followed;
	// else the shortest time between two looks at all services. Default: 15s.
	RefreshInterval types.Duration `json:"refreshInterval,omitempty"`
	// RequireConsistent has answers come from the leader after it has made sure that it is one.
	// Default: false.
	RequireConsistent bool `json:"requireConsistent,omitempty"`
	// Stale lets any server answer, also without a leader. Default: false.
	Stale bool `json:"stale,omitempty"`
	// Cache lets the agent answer what it has heard before. Default: false.
	Cache bool `json:"cache,omitempty"`
	// ExposedByDefault shows services that do not say enable=true. Default: true.
	ExposedByDefault bool `json:"exposedByDefault"`
	// DefaultRule is the rule of routers that have none: a Go template over .Name,
	// .ContainerName and .Labels. Default: Host(`{{ normalize .Name }}`).
	DefaultRule string `json:"defaultRule,omitempty"`
	// Constraints choose instances by their tags: an expression of Tag(`tag`) and
	// TagRegex(`pattern`) with &&, || and !. Default: all.
	Constraints string `json:"constraints,omitempty"`
	// StrictChecks are the states of instances that are routed to: passing, warning, critical,
	// or any. One in maintenance is never routed to, but by any. Default: passing, warning.
	StrictChecks []string `json:"strictChecks,omitempty"`
	// ConnectAware reaches services of the mesh (Consul Connect) through their proxies, by mTLS.
	// Default: false.
	ConnectAware bool `json:"connectAware,omitempty"`
	// ConnectByDefault takes services for ones of the mesh that do not say
	// consulcatalog.connect=false. Default: false.
	ConnectByDefault bool `json:"connectByDefault,omitempty"`
	// ServiceName is the name of fairway in the mesh: intentions go by it. Default: traefik.
	ServiceName string `json:"serviceName,omitempty"`
	// Namespaces that are looked at, each by a provider of its own named consulcatalog-NAME
	// (Consul Enterprise). Default: the one of the token.
	Namespaces []string `json:"namespaces,omitempty"`
	// Partition that is looked at (Consul Enterprise). Default: that of the agent.
	Partition string `json:"partition,omitempty"`
}

// Endpoint is a Consul agent.
type Endpoint struct {
	// Address is host:port. Default: 127.0.0.1:8500.
	Address string `json:"address,omitempty"`
	// Scheme is http or https. Default: http, or https with tls.
	Scheme string `json:"scheme,omitempty"`
	// Datacenter whose services are looked at. Default: that of the agent.
	Datacenter string `json:"datacenter,omitempty"`
	// Token of the ACL system. It has to have service_prefix "" and node_prefix "" with policy
	// read; for the mesh service:write of serviceName as well.
	Token secret.String `json:"token,omitempty"`
	// TokenFile is the path of a file with the token, which is read again when it has changed.
	TokenFile string `json:"tokenFile,omitempty"`
	// TLS is how an agent is spoken to by https.
	TLS *TLS `json:"tls,omitempty"`
	// HTTPAuth is the login of a proxy in front of the agent.
	HTTPAuth *HTTPAuth `json:"httpAuth,omitempty"`
	// EndpointWaitTime is how long a long question waits for a change. Default: 5m.
	EndpointWaitTime types.Duration `json:"endpointWaitTime,omitempty"`
}

// TLS are the keys for talking to an agent, as files or as PEM text.
type TLS struct {
	// CA is the authority that signed the agent's certificate.
	CA string `json:"ca,omitempty"`
	// Cert is the certificate to show to the agent.
	Cert string `json:"cert,omitempty"`
	// Key is the private key of cert.
	Key secret.String `json:"key,omitempty"`
	// InsecureSkipVerify accepts any certificate of the agent. Default: false.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

// HTTPAuth is a login by HTTP basic authentication.
type HTTPAuth struct {
	// Username of the login.
	Username string `json:"username,omitempty"`
	// Password of the login.
	Password secret.String `json:"password,omitempty"`
}

// Name is that of the provider.
const Name = "consulcatalog"

const (
	defaultPrefix  = "traefik"
	defaultAddress = "127.0.0.1:8500"
	defaultWait    = 5 * time.Minute
	defaultRefresh = 15 * time.Second
)

// SetDefaults implements the defaults documented at the fields.
func (c *Config) SetDefaults() {
	c.Endpoint = &Endpoint{}
	c.Endpoint.SetDefaults()
	c.Prefix, c.Watch, c.RefreshInterval = defaultPrefix, true, types.Duration(defaultRefresh)
	c.ExposedByDefault, c.DefaultRule, c.StrictChecks, c.ServiceName = true, labels.DefaultRule, []string{api.HealthPassing, api.HealthWarning}, defaultPrefix
}

// SetDefaults implements the defaults documented at the fields.
func (e *Endpoint) SetDefaults() {
	e.Address, e.EndpointWaitTime = defaultAddress, types.Duration(defaultWait)
}

// address is the agent, as problems name it.
func (c *Config) address() string { return c.Endpoint.Address }

// New implements providers.Config, for the namespace of the token.
func (c *Config) New(log logrus.FieldLogger) (providers.Provider, error) {
	return c.build(Name, "", log)
}

// Each returns the providers by their names: one, or one for each namespace.
func (c *Config) Each() map[string]providers.Config {
	if len(c.Namespaces) == 0 {
		return map[string]providers.Config{Name: c}
	}
	all := map[string]providers.Config{}
	for _, ns := range c.Namespaces {
		all[Name+"-"+ns] = &namespaced{c, ns}
	}
	return all
}

// namespaced is the provider of one namespace.
type namespaced struct {
	config *Config
	name   string
}

// New implements providers.Config.
func (n *namespaced) New(log logrus.FieldLogger) (providers.Provider, error) {
	return n.config.build(Name+"-"+n.name, n.name, log)
}

func (c *Config) build(name, namespace string, log logrus.FieldLogger) (providers.Provider, error) {
	for _, state := range c.StrictChecks {
		if !slices.Contains([]string{api.HealthPassing, api.HealthWarning, api.HealthCritical, api.HealthMaint, api.HealthAny}, state) {
			return nil, fmt.Errorf("strictChecks: %q is none of passing, warning, critical, maintenance and any", state)
		}
	}
	switch {
	case len(c.StrictChecks) == 0:
		return nil, errors.New("strictChecks: with no state nothing is routed to")
	case c.RequireConsistent && c.Stale:
		return nil, errors.New("requireConsistent and stale: only one of both can be asked for")
	case c.RefreshInterval <= 0:
		return nil, errors.New("refreshInterval: is no time")
	case strings.Trim(c.Prefix, ".") == "" || strings.Contains(c.Prefix, "="):
		return nil, fmt.Errorf("prefix: %q is none", c.Prefix)
	}
	admits, err := labels.ParseTags(c.Constraints)
	if err != nil {
		return nil, err
	}
	decoder, err := labels.New(labels.Options{Provider: name, ExposedByDefault: c.ExposedByDefault, DefaultRule: c.DefaultRule})
	if err != nil {
		return nil, err
	}
	client, err := c.client(namespace)
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	token, err := c.Endpoint.token(log)
	if err != nil {
		return nil, fmt.Errorf("endpoint: tokenFile: %w", err)
	}
	return &provider{config: c, name: name, namespace: namespace, client: client, token: token, decoder: decoder, admits: admits, log: log, patience: defaultPatience, every: defaultEvery}, nil
}

func (c *Config) client(namespace string) (*api.Client, error) {
	e := c.Endpoint
	if e == nil {
		e = &Endpoint{}
		e.SetDefaults()
		c.Endpoint = e
	}
	if e.Token != "" && e.TokenFile != "" {
		return nil, errors.New("only one of token and tokenFile can be given")
	}
	cfg := &api.Config{
		Address: e.Address, Scheme: e.Scheme, Datacenter: e.Datacenter, Token: e.Token.Reveal(), WaitTime: time.Duration(e.EndpointWaitTime),
		Namespace: namespace, Partition: c.Partition, Transport: api.DefaultConfig().Transport,
	}
	if _, err := url.Parse("http://" + e.Address); err != nil {
		return nil, fmt.Errorf("address: %q is no host and port", e.Address)
	}
	if e.HTTPAuth != nil {
		cfg.HttpAuth = &api.HttpBasicAuth{Username: e.HTTPAuth.Username, Password: e.HTTPAuth.Password.Reveal()}
	}
	if e.TLS != nil {
		if cfg.Scheme == "" {
			cfg.Scheme = "https"
		}
		var err error
		if cfg.TLSConfig, err = e.TLS.config(); err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
	}
	return api.NewClient(cfg)
}

// token is that of the file, as it is now; without a file that of the client counts.
func (e *Endpoint) token(log logrus.FieldLogger) (func() string, error) {
	if e.TokenFile == "" {
		return func() string { return "" }, nil
	}
	file, err := freshfile.Open(e.TokenFile, func(text []byte) (secret.String, error) {
		token := strings.TrimSpace(string(text))
		if token == "" {
			return "", errors.New("is empty")
		}
		return secret.String(token), nil
	}, log)
	if err != nil {
		return nil, err
	}
	return func() string { return file.Value().Reveal() }, nil
}

func (t *TLS) config() (api.TLSConfig, error) {
	texts, err := tlsclient.Options{CA: t.CA, Cert: t.Cert, Key: t.Key, InsecureSkipVerify: t.InsecureSkipVerify}.Texts()
	return api.TLSConfig{CAPem: texts.CA, CertPEM: texts.Cert, KeyPEM: texts.Key, InsecureSkipVerify: t.InsecureSkipVerify}, err
}
