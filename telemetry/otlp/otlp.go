// Package otlp is how collectors are spoken to by the OpenTelemetry protocol. Traces,
// metrics and logs have these options alike; what they send differs, and the path by HTTP.
package otlp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"fairway/internal/secret"
)

// Collector is spoken to by HTTP or by gRPC.
type Collector struct {
	// HTTP sends by HTTP.
	HTTP *HTTP `json:"http,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// GRPC sends by gRPC.
	GRPC *GRPC `json:"grpc,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// HTTP is a collector by HTTP.
type HTTP struct {
	// Endpoint is its URL. One without a path gets the usual one: /v1/traces, /v1/metrics
	// or /v1/logs. Default: http://localhost:4318.
	Endpoint string `json:"endpoint,omitempty"`
	// Headers are sent with each request.
	Headers secret.Headers `json:"headers,omitempty"`
	// TLS is for endpoints by https.
	TLS *TLS `json:"tls,omitempty"`
}

// GRPC is a collector by gRPC.
type GRPC struct {
	// Endpoint is its host and port. Default: localhost:4317.
	Endpoint string `json:"endpoint,omitempty"`
	// Insecure speaks without TLS. Default: false.
	Insecure bool `json:"insecure,omitempty"`
	// Headers are sent with each call.
	Headers secret.Headers `json:"headers,omitempty"`
	// TLS is how TLS is spoken.
	TLS *TLS `json:"tls,omitempty"`
}

// Client is what the exporters of OpenTelemetry need to know of a collector. One of the
// two is there.
type Client struct {
	HTTP *HTTPClient
	GRPC *GRPCClient
}

// HTTPClient is for a collector by HTTP.
type HTTPClient struct {
	URL     string
	Headers map[string]string
	TLS     *tls.Config // nil: as usual
}

// GRPCClient is for a collector by gRPC.
type GRPCClient struct {
	Endpoint string
	Headers  map[string]string
	Dial     []grpc.DialOption
}

// Client checks the options. The path is for a URL that has none. Errors name the option
// at fault.
func (c *Collector) Client(path string) (*Client, error) {
	switch {
	case c != nil && c.GRPC != nil && c.HTTP != nil:
		return nil, errors.New("grpc and http cannot be given together")
	case c != nil && c.GRPC != nil:
		client, err := c.GRPC.client()
		return &Client{GRPC: client}, err
	case c != nil && c.HTTP != nil:
		client, err := c.HTTP.client(path)
		return &Client{HTTP: client}, err
	}
	client, err := (&HTTP{}).client(path)
	return &Client{HTTP: client}, err
}

func (h *HTTP) client(path string) (*HTTPClient, error) {
	endpoint := h.Endpoint
	if endpoint == "" {
		endpoint = "http://localhost:4318"
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("http.endpoint: %q is no URL", secret.URL(endpoint))
	}
	if u.Path == "" {
		u.Path = path
	}
	client := &HTTPClient{URL: u.String(), Headers: h.Headers}
	if h.TLS != nil {
		if client.TLS, err = h.TLS.config(); err != nil {
			return nil, fmt.Errorf("http.tls.%w", err)
		}
		if u.Scheme != "https" {
			return nil, fmt.Errorf("http.tls: the endpoint %s is not spoken to by TLS", endpoint)
		}
	}
	return client, nil
}

// longestPause is how long a collector that is away is left alone, so that it is noticed
// soon when it is back; two minutes would be usual.
const longestPause = 10 * time.Second

func (g *GRPC) client() (*GRPCClient, error) {
	endpoint := g.Endpoint
	if endpoint == "" {
		endpoint = "localhost:4317"
	}
	if strings.HasPrefix(endpoint, "http://") || strings.HasPrefix(endpoint, "https://") {
		return nil, fmt.Errorf("grpc.endpoint: %q is a URL, not a host and port", endpoint)
	}
	pauses := backoff.DefaultConfig
	pauses.MaxDelay = longestPause
	dial := []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{Backoff: pauses, MinConnectTimeout: longestPause})}
	switch {
	case g.Insecure:
		dial = append(dial, grpc.WithTransportCredentials(insecure.NewCredentials()))
	case g.TLS != nil:
		config, err := g.TLS.config()
		if err != nil {
			return nil, fmt.Errorf("grpc.tls.%w", err)
		}
		dial = append(dial, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	}
	return &GRPCClient{Endpoint: endpoint, Headers: g.Headers, Dial: dial}, nil
}

// Resource is what a sender says of itself: what is given, else what the variable
// OTEL_RESOURCE_ATTRIBUTES says, else which machine it is, so that totals of two gateways
// are not taken for those of one.
func Resource(serviceName string, further map[string]string) *resource.Resource {
	attributes := []attribute.KeyValue{attribute.String("service.name", serviceName)}
	for name, value := range further {
		attributes = append(attributes, attribute.String(name, value))
	}
	of := resource.NewSchemaless(attributes...)
	if machine, err := os.Hostname(); err == nil {
		whole := resource.NewSchemaless(attribute.String("host.name", machine), attribute.String("service.instance.id", machine))
		for _, next := range []*resource.Resource{resource.Environment(), of} {
			if whole, err = resource.Merge(whole, next); err != nil { // of several schemas
				return of
			}
		}
		return whole
	}
	return of
}
