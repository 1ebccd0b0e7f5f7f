package loadbalancer

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/balance"
	"fairway/internal/nearest"
	"fairway/internal/secret"
	"fairway/proxy"
)

// Config of a load balancer.
type Config struct {
	// Servers to spread requests over. A container has one server, written
	// server.port, server.scheme and so on; the servers of the replicas of a
	// service are put together.
	Servers []Server `json:"servers,omitempty" label-slice-as-struct:"server"`
	// Strategy chooses the server of a request. All strategies honour weights:
	// wrr hands out the servers in turn; p2c takes the one with fewer requests under
	// way, of two that are drawn by lot; hrw sends each client to the same server, by its
	// address; leasttime prefers servers that answer sooner, and have less to do.
	// Default: wrr.
	Strategy string `json:"strategy,omitempty"`
	// Sticky keeps a client at the server that it had first.
	Sticky *balance.Sticky `json:"sticky,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// HealthCheck asks the servers whether they are well.
	HealthCheck *HealthCheck `json:"healthCheck,omitempty"`
	// PassiveHealthCheck leaves out servers that fail with requests.
	PassiveHealthCheck *PassiveHealthCheck `json:"passiveHealthCheck,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// SlowStart is for how long a server that comes in, or is well again, gets less than
	// its share, more and more of it. Default: 0s, it gets all of it at once.
	SlowStart types.Duration `json:"slowStart,omitempty"`
	// PassHostHeader sends the client's Host header to the server. Default:
	// true. With false the server sees its own address.
	PassHostHeader *bool `json:"passHostHeader,omitempty"`
	// ServersTransport is the name of the serversTransport that says how the servers are
	// talked to. Default: that of the install configuration.
	ServersTransport string `json:"serversTransport,omitempty"`
	// ResponseForwarding says how responses are passed on.
	ResponseForwarding *ResponseForwarding `json:"responseForwarding,omitempty"`
}

// Server is one server behind a load balancer.
type Server struct {
	// URL of the server, as in http://10.0.0.2:8080, https://10.0.0.2:8443 or
	// h2c://10.0.0.2:50051. On a container it replaces port and scheme.
	URL string `json:"url,omitempty"`
	// Weight is the server's share of requests in relation to the others.
	// Default: 1. A server of weight 0 gets none.
	Weight *int `json:"weight,omitempty"`
	// PreservePath puts the path of the URL in front of the request's path.
	// Default: false, the path of the URL is not used.
	PreservePath bool `json:"preservePath,omitempty"`
	// Port of the container. Default: the lowest port that the container exposes.
	Port string `json:"-" file:"-"`
	// Scheme for talking to the container: http, https or h2c. By https HTTP/2 is
	// spoken where the container offers it. h2c is HTTP/2 without TLS, as servers by
	// gRPC speak it. Default: http.
	Scheme string `json:"-" file:"-"`
}

// ResponseForwarding says how responses are passed on to the client.
type ResponseForwarding struct {
	// FlushInterval is the longest time that a part of a response may be held back.
	// It changes nothing: fairway sends every part on as it comes. Default: 100ms.
	FlushInterval types.Duration `json:"flushInterval,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (c *ResponseForwarding) SetDefaults() { c.FlushInterval = types.Duration(defaultFlushInterval) }

const defaultFlushInterval = 100 * time.Millisecond

// target finds the server that s describes, and its weight.
func (s Server) target() (*proxy.Target, int, error) {
	shown := secret.URL(s.URL)
	u, err := url.Parse(s.URL)
	if wrong, ok := errors.AsType[*url.Error](err); ok {
		return nil, 0, fmt.Errorf("url %q: %w", shown, wrong.Err) // the rest repeats the URL
	} else if err != nil {
		return nil, 0, fmt.Errorf("url %q is not valid", shown)
	}
	switch {
	case s.URL == "":
		return nil, 0, errors.New("has no url")
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "h2c":
		return nil, 0, fmt.Errorf("url %q: the scheme is none of http, https and h2c", shown)
	case u.Host == "":
		return nil, 0, fmt.Errorf("url %q: has no host", shown)
	}
	weight := 1
	if s.Weight != nil {
		weight = *s.Weight
	}
	if weight < 0 {
		return nil, 0, fmt.Errorf("weight %d: is below 0", weight)
	}
	return &proxy.Target{URL: u, PreservePath: s.PreservePath}, weight, nil
}

// oneOf tells in words that an option has a value that it cannot have.
func oneOf(option, value string, allowed ...string) error {
	last := len(allowed) - 1
	text := fmt.Sprintf("%s: %q is none of %s and %s", option, value, strings.Join(allowed[:last], ", "), allowed[last])
	if near := nearest.Name(value, allowed); near != "" {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	return errors.New(text)
}
