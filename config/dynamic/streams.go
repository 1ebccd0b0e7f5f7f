package dynamic

import (
	"maps"

	"fairway/internal/oneof"
	"fairway/proxy/tcp"
	"fairway/proxy/udp"
	"fairway/tls/certs"
)

// TCP is the routing of connections that are no HTTP: routers choose, services answer.
type TCP struct {
	// Routers by name.
	Routers map[string]*TCPRouter `json:"routers,omitempty"`
	// Services by name.
	Services map[string]*TCPService `json:"services,omitempty"`
	// Middlewares by name.
	Middlewares map[string]*TCPMiddleware `json:"middlewares,omitempty"`
	// ServersTransports say how servers are reached, by name. Services name them.
	ServersTransports map[string]*tcp.ServersTransport `json:"serversTransports,omitempty"`
}

// TCPRouter chooses connections by a rule and hands them through middlewares to a service.
type TCPRouter struct {
	// EntryPoints are the names of the entry points where the router listens. Default: all entry points, or those
	// marked asDefault when there are any.
	EntryPoints []string `json:"entryPoints,omitempty"`
	// Middlewares are the names of the middlewares (of TCP) in front of the service, in the order in which a
	// connection passes them.
	Middlewares []string `json:"middlewares,omitempty"`
	// Service is the name of the service (of TCP) that answers. On a container it may be left out when the container
	// has one.
	Service string `json:"service,omitempty"`
	// Rule tells which connections the router takes, as in HostSNI(`db.example`): by the name that a client asks for in
	// TLS (HostSNI, HostSNIRegexp), its address (ClientIP) and the protocols that it offers in TLS (ALPN). Without tls
	// there is no name, and only HostSNI(`*`) is of use. Required.
	Rule string `json:"rule,omitempty"`
	// RuleSyntax is v3 (the default) or v2, for rules in the syntax of Traefik v2.
	RuleSyntax string `json:"ruleSyntax,omitempty"`
	// Priority decides when several routers match: the larger wins. Default: the length of the rule; -1 for
	// HostSNI(`*`) alone.
	Priority int `json:"priority,omitempty"`
	// TLS makes the router take connections by TLS, and only those. Without it it takes plain ones only.
	TLS *TCPRouterTLS `json:"tls,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// TCPRouterTLS says how connections for a router are secured.
type TCPRouterTLS struct {
	// Passthrough hands connections on as they come: the service speaks TLS by itself. Default: false, TLS ends here.
	Passthrough bool `json:"passthrough,omitempty"`
	// Options is the name of the TLS options.
	Options string `json:"options,omitempty"`
	// CertResolver is the name of the certificate resolver that gets certificates for the names of the rule.
	CertResolver string `json:"certResolver,omitempty"`
	// Domains are the names that the certificate is requested for, instead of those of the rule.
	Domains []certs.Domain `json:"domains,omitempty"`
}

// TCPService answers connections. It has exactly one kind.
type TCPService struct {
	LoadBalancer *tcp.LoadBalancer `json:"loadBalancer,omitempty"`
	Weighted     *tcp.Weighted     `json:"weighted,omitempty"`
}

// TCPMiddleware stands in front of services of TCP. It has exactly one type.
type TCPMiddleware struct {
	InFlightConn *tcp.InFlightConn `json:"inFlightConn,omitempty"`
	IPAllowList  *tcp.IPAllowList  `json:"ipAllowList,omitempty"`
	IPDenyList   *tcp.IPDenyList   `json:"ipDenyList,omitempty"`
	// Deprecated: IPWhiteList is ipAllowList.
	IPWhiteList *tcp.IPAllowList `json:"ipWhiteList,omitempty" deprecated:"use ipAllowList"`
}

// Kind returns the name and the constructor of the middleware's only type.
func (m *TCPMiddleware) Kind() (string, tcp.MiddlewareConfig, error) {
	name, value, err := oneof.Of(m)
	if err != nil {
		return "", nil, err
	}
	return name, value.(tcp.MiddlewareConfig), nil
}

// UDP is the routing of datagrams.
type UDP struct {
	// Routers by name.
	Routers map[string]*UDPRouter `json:"routers,omitempty"`
	// Services by name.
	Services map[string]*UDPService `json:"services,omitempty"`
}

// UDPRouter hands the datagrams of entry points to a service.
type UDPRouter struct {
	// EntryPoints are the names of the entry points where the router listens: those whose address ends with /udp.
	// Required.
	EntryPoints []string `json:"entryPoints,omitempty"`
	// Service is the name of the service (of UDP) that answers. On a container it may be left out when the container has
	// one.
	Service string `json:"service,omitempty"`
}

// UDPService answers datagrams. It has exactly one kind.
type UDPService struct {
	LoadBalancer *udp.LoadBalancer `json:"loadBalancer,omitempty"`
	Weighted     *udp.Weighted     `json:"weighted,omitempty"`
}

// Kinds of objects of TCP and UDP, as the problems name them.
const (
	KindTCPRouter     = "tcpRouter"
	KindTCPService    = "tcpService"
	KindTCPMiddleware = "tcpMiddleware"
	KindTCPTransport  = "tcpServersTransport"
	KindUDPRouter     = "udpRouter"
	KindUDPService    = "udpService"
)

// NewTCP makes a TCP without objects.
func NewTCP() *TCP {
	return &TCP{
		Routers: map[string]*TCPRouter{}, Services: map[string]*TCPService{}, Middlewares: map[string]*TCPMiddleware{},
		ServersTransports: map[string]*tcp.ServersTransport{},
	}
}

// NewUDP makes a UDP without objects.
func NewUDP() *UDP {
	return &UDP{Routers: map[string]*UDPRouter{}, Services: map[string]*UDPService{}}
}

// empty tells whether there are no objects.
func (t *TCP) empty() bool {
	return t == nil || len(t.Routers)+len(t.Services)+len(t.Middlewares)+len(t.ServersTransports) == 0
}

func (u *UDP) empty() bool { return u == nil || len(u.Routers)+len(u.Services) == 0 }

// qualified has the objects under their qualified names; nil: there are none.
func (t *TCP) qualified(provider string) *TCP {
	if t.empty() {
		return nil
	}
	return &TCP{
		Routers: qualified(t.Routers, provider), Services: qualified(t.Services, provider),
		Middlewares: qualified(t.Middlewares, provider), ServersTransports: qualified(t.ServersTransports, provider),
	}
}

func (u *UDP) qualified(provider string) *UDP {
	if u.empty() {
		return nil
	}
	return &UDP{Routers: qualified(u.Routers, provider), Services: qualified(u.Services, provider)}
}

// add takes the objects of another one, which may be nil.
func (t *TCP) add(other *TCP) {
	if other == nil {
		return
	}
	maps.Copy(t.Routers, other.Routers)
	maps.Copy(t.Services, other.Services)
	maps.Copy(t.Middlewares, other.Middlewares)
	maps.Copy(t.ServersTransports, other.ServersTransports)
}

// add takes the objects of another one, which may be nil.
func (u *UDP) add(other *UDP) {
	if other == nil {
		return
	}
	maps.Copy(u.Routers, other.Routers)
	maps.Copy(u.Services, other.Services)
}

func sameTCP(a, b *TCP) bool {
	if a.empty() || b.empty() {
		return a.empty() == b.empty()
	}
	return sameObjects(a.Routers, b.Routers) && sameObjects(a.Services, b.Services) &&
		sameObjects(a.Middlewares, b.Middlewares) && sameObjects(a.ServersTransports, b.ServersTransports)
}

func sameUDP(a, b *UDP) bool {
	if a.empty() || b.empty() {
		return a.empty() == b.empty()
	}
	return sameObjects(a.Routers, b.Routers) && sameObjects(a.Services, b.Services)
}
