package tcp

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/proxy"
)

// LoadBalancer spreads connections over servers.
type LoadBalancer struct {
	// Servers to spread connections over, in turn. One that cannot be reached is left out, and the next
	// one is tried. A container has one server, written server.port and server.tls.
	Servers []Server `json:"servers,omitempty" label-slice-as-struct:"server"`
	// ServersTransport is the name of the serversTransport (of TCP) that says how the servers are reached.
	ServersTransport string `json:"serversTransport,omitempty"`
	// ProxyProtocol tells servers who the client is, by a header in front of the connection.
	ProxyProtocol *ProxyProtocol `json:"proxyProtocol,omitempty" label:"allowEmpty" file:"allowEmpty" deprecated:"write it into a serversTransport"`
	// TerminationDelay is as that of a serversTransport, in milliseconds.
	TerminationDelay *int `json:"terminationDelay,omitempty" deprecated:"write it into a serversTransport"`
	// HealthCheck asks the servers whether they are there.
	HealthCheck *HealthCheck `json:"healthCheck,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// Server is one server behind a load balancer.
type Server struct {
	// Address of the server, as in 10.0.0.2:5432. On a container it replaces port.
	Address string `json:"address,omitempty"`
	// TLS speaks TLS with the server. Default: false.
	TLS bool `json:"tls,omitempty"`
	// Port of the container. Default: the lowest port that the container exposes.
	Port string `json:"-" file:"-"`
}

// ProxyProtocol is a header in front of a connection that tells who the client is (HAProxy's proxy-protocol.txt).
type ProxyProtocol struct {
	// Version is 1 (text) or 2 (binary). Default: 2.
	Version int `json:"version,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (c *ProxyProtocol) SetDefaults() { c.Version = 2 }

// HealthCheck asks servers whether they are there.
type HealthCheck struct {
	// Port to ask at. Default: that of the server.
	Port int `json:"port,omitempty"`
	// Send is what is sent when the connection is there. Default: nothing.
	Send string `json:"send,omitempty"`
	// Expect is what the server has to begin its answer with. Default: to be connected is enough.
	Expect string `json:"expect,omitempty"`
	// Interval between two questions. Default: 30s.
	Interval types.Duration `json:"interval,omitempty"`
	// UnhealthyInterval is that for servers that are not there. Default: as interval.
	UnhealthyInterval types.Duration `json:"unhealthyInterval,omitempty"`
	// Timeout of a question. Default: 5s.
	Timeout types.Duration `json:"timeout,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (c *HealthCheck) SetDefaults() {
	c.Interval, c.Timeout = types.Duration(30*time.Second), types.Duration(5*time.Second)
}

// ServersTransport says how servers are reached.
type ServersTransport struct {
	// DialKeepAlive is how often the other side is asked whether it is there, while nothing is sent. Below 0: never.
	// Default: 15s.
	DialKeepAlive types.Duration `json:"dialKeepAlive,omitempty"`
	// DialTimeout bounds connecting to a server. Default: 5s. It is short so that another server can be tried
	// while the client still waits.
	DialTimeout types.Duration `json:"dialTimeout,omitempty"`
	// TerminationDelay is how long one side may be silent when the other one has said that it has nothing more to
	// say; then the connection is closed. Below 0: as long as it likes. Default: 100ms.
	TerminationDelay types.Duration `json:"terminationDelay,omitempty"`
	// ProxyProtocol tells servers who the client is, by a header in front of the connection.
	ProxyProtocol *ProxyProtocol `json:"proxyProtocol,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// TLS is for servers with tls.
	TLS *ClientTLS `json:"tls,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// ClientTLS is how TLS is spoken with servers.
type ClientTLS struct {
	// ServerName is asked for (SNI) and expected in the server's certificate. Default: the host of its address.
	ServerName string `json:"serverName,omitempty"`
	// InsecureSkipVerify takes every certificate for good. Default: false.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
	// RootCAs are the authorities that servers' certificates may come from, as PEM files or PEM text.
	// Default: those of the system.
	RootCAs []string `json:"rootCAs,omitempty"`
	// Certificates are shown to servers that ask for one.
	Certificates []proxy.ClientCertificate `json:"certificates,omitempty"`
	// PeerCertURI is a URI that has to be among the names of the server's certificate. The name of the host is then
	// not asked for.
	PeerCertURI string `json:"peerCertURI,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (c *ServersTransport) SetDefaults() {
	c.DialKeepAlive = types.Duration(15 * time.Second)
	c.DialTimeout = types.Duration(5 * time.Second)
	c.TerminationDelay = types.Duration(100 * time.Millisecond)
}

// Weighted spreads connections over other services.
type Weighted struct {
	// Services to spread over, by their weights, in turn. One whose servers are all out of use is left out.
	Services []proxy.Part `json:"services,omitempty"`
	// HealthCheck changes nothing: services without a server that is there are always left out.
	HealthCheck *proxy.PartsHealth `json:"healthCheck,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// check looks whether the address can be one.
func (s Server) check() error {
	host, port, err := net.SplitHostPort(s.Address)
	switch {
	case s.Address == "":
		return errors.New("has no address")
	case err != nil || host == "":
		return fmt.Errorf("address %q: is none, as in 10.0.0.2:5432", s.Address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("address %q: has no port from 1 to 65535", s.Address)
	}
	return nil
}

func (c *ProxyProtocol) check() error {
	if c != nil && c.Version != 1 && c.Version != 2 {
		return fmt.Errorf("proxyProtocol.version: %d is neither 1 nor 2", c.Version)
	}
	return nil
}

func (c *HealthCheck) check() error {
	switch {
	case c == nil:
		return nil
	case c.Interval <= 0 || c.Timeout <= 0 || c.UnhealthyInterval < 0:
		return errors.New("healthCheck: interval and timeout have to be above 0")
	case c.Port < 0 || c.Port > 65535:
		return fmt.Errorf("healthCheck.port: %d is no port", c.Port)
	}
	return nil
}
