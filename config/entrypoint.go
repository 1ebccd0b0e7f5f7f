package config

import (
	"time"

	"github.com/traefik/paerser/types"

	"fairway/config/dynamic"
)

// EntryPoint is one address where requests come in.
type EntryPoint struct {
	// Address to listen on: [host]:port, with /tcp at the end if you like. With /udp
	// it is for datagrams, and has routers of UDP. A socket that
	// systemd hands over under the name of the entry point (FileDescriptorName= of
	// the socket unit) is used in place of the address.
	Address string `json:"address,omitempty"`
	// AsDefault makes this one of the entry points of routers that name none. When
	// no entry point says so, all are, but for the one of the API. Default: false.
	AsDefault bool `json:"asDefault,omitempty"`
	// Engine serves HTTP/1.1: fairway (the default), or std for that of Go's standard
	// library, which costs several times as much.
	Engine string `json:"engine,omitempty"`
	// ReusePort lets several processes of one user listen at the address
	// (SO_REUSEPORT): a new one can begin before the old one ends. Default: false.
	ReusePort bool `json:"reusePort,omitempty"`
	// ProxyProtocol takes the address of the client from a load balancer in front
	// that works below HTTP. Default: off.
	ProxyProtocol *ProxyProtocol `json:"proxyProtocol,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// ForwardedHeaders tells whose X-Forwarded headers are believed.
	ForwardedHeaders *ForwardedHeaders `json:"forwardedHeaders,omitempty"`
	// Transport has the limits of connections.
	Transport *Transport `json:"transport,omitempty"`
	// AllowACMEByPass changes nothing: a challenge that no resolver has asked for goes to
	// the routers in any case.
	AllowACMEByPass bool `json:"allowACMEByPass,omitempty"`
	// HTTP says which requests are served and how, and has defaults for the routers
	// of this entry point.
	HTTP *EntryPointHTTP `json:"http,omitempty"`
	// Observability says who is told of requests, where routers do not say it themselves.
	Observability *dynamic.Observability `json:"observability,omitempty"`
	// HTTP2 has the limits of connections that speak HTTP/2.
	HTTP2 *HTTP2 `json:"http2,omitempty"`
	// HTTP3 serves HTTP/3 as well (RFC 9114), by UDP at the same port, to routers
	// that answer TLS. Default: off.
	HTTP3 *HTTP3 `json:"http3,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// UDP has the limits of sessions, of an entry point for datagrams.
	UDP *UDP `json:"udp,omitempty"`
}

// UDP has the limits of sessions.
type UDP struct {
	// Timeout ends a session in which nothing has come or gone for so long. Default: 3s.
	Timeout types.Duration `json:"timeout,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (u *UDP) SetDefaults() { u.Timeout = types.Duration(3 * time.Second) }

// SetDefaults implements the defaults documented at the fields.
func (e *EntryPoint) SetDefaults() {
	e.ForwardedHeaders = &ForwardedHeaders{}
	e.Transport = &Transport{}
	e.Transport.SetDefaults()
	e.HTTP = &EntryPointHTTP{}
	e.HTTP.SetDefaults()
	e.UDP = &UDP{}
	e.UDP.SetDefaults()
	e.HTTP2 = &HTTP2{}
	e.HTTP2.SetDefaults()
}

// ProxyProtocol takes the address of the client from the header of the PROXY
// protocol, version 1 or 2, that a load balancer puts in front of a connection.
// It is for those who are trusted, and each of them may leave it out; what anybody
// else sends is taken for a request. That address counts for everything then: rules,
// ipAllowList, the log, and whether forwardedHeaders trusts it.
type ProxyProtocol struct {
	// Insecure believes everybody: any client can claim any address. Default: false.
	Insecure bool `json:"insecure,omitempty"`
	// TrustedIPs are the addresses and networks (CIDR) of the load balancers that are
	// believed.
	TrustedIPs []string `json:"trustedIPs,omitempty"`
}

// ForwardedHeaders tells whose X-Forwarded headers are believed. Those of all
// others are removed, and set anew.
type ForwardedHeaders struct {
	// Insecure believes everybody. Default: false.
	Insecure bool `json:"insecure,omitempty"`
	// TrustedIPs are the addresses and networks (CIDR) of the proxies that are
	// believed.
	TrustedIPs []string `json:"trustedIPs,omitempty"`
	// Connection are headers that middlewares get to see although the Connection
	// header of the client names them. Headers named there are removed, for they
	// concern that connection only (RFC 9110, section 7.6.1); these are removed when
	// the request is sent on.
	Connection []string `json:"connection,omitempty"`
	// NotAppendXForwardedFor leaves X-Forwarded-For as it came from a trusted proxy:
	// the address of the peer is not added. Default: false.
	NotAppendXForwardedFor bool `json:"notAppendXForwardedFor,omitempty"`
}

// HTTP2 has the limits of connections that speak HTTP/2 (RFC 9113).
type HTTP2 struct {
	// MaxConcurrentStreams is how many requests of one connection are served at a
	// time. Default: 250.
	MaxConcurrentStreams int `json:"maxConcurrentStreams,omitempty"`
	// MaxDecoderHeaderTableSize is how many bytes of headers a connection keeps to
	// understand later ones that refer to them (RFC 7541, section 4). Default: 4096.
	MaxDecoderHeaderTableSize int `json:"maxDecoderHeaderTableSize,omitempty"`
	// MaxEncoderHeaderTableSize is the same for the headers of responses. Default: 4096.
	MaxEncoderHeaderTableSize int `json:"maxEncoderHeaderTableSize,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (h *HTTP2) SetDefaults() {
	h.MaxConcurrentStreams, h.MaxDecoderHeaderTableSize, h.MaxEncoderHeaderTableSize = 250, 4096, 4096
}

// HTTP3 serves HTTP/3 at an entry point. Clients learn of it from the Alt-Svc
// header of responses that come by TLS (RFC 7838).
type HTTP3 struct {
	// AdvertisedPort is the port in Alt-Svc, for when another is open to the world
	// than fairway listens at. Default: 0, that of the entry point.
	AdvertisedPort int `json:"advertisedPort,omitempty"`
}
