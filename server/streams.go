package server

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/config"
	"fairway/config/dynamic"
	"fairway/proxy/udp"
	"fairway/router"
	"fairway/router/rule"
	tcprouter "fairway/router/tcp"
	udprouter "fairway/router/udp"
	"fairway/tls/certs"
)

// otherTables are what is routed beside HTTP, at one moment.
type otherTables struct {
	tcp *tcprouter.Table
	udp *udprouter.Table
	web map[string]*webNames // by entry point, where there are routers of TCP by TLS
}

// tables are those of t, which may be nil.
func (t *otherTables) tables() otherTables {
	if t == nil {
		return otherTables{}
	}
	return *t
}

// origin is where an object was written.
func (s *Server) origin(kind, name string) string { return s.router.Table().Source(kind, name) }

// webNames are those that routers of HTTP answer by TLS.
type webNames struct {
	exact    map[string]bool // "*.x" for wildcards
	anything bool
}

func (w *webNames) none() bool { return w == nil || len(w.exact) == 0 && !w.anything }

// goesFirst tells whether routers of HTTP have a host, and not the router of TCP that matches: those that name it go before
// others that name it, these before wildcards, and those before routers for any host.
func (w *webNames) goesFirst(host string, of *rule.Rule) bool {
	switch {
	case w == nil:
		return false
	case host != "" && w.exact[host]:
		return true
	case slices.Contains(of.Hosts(), host):
		return false
	case w.wildcard(host):
		return true
	}
	return of.OnlyAnyHost() && w.anything
}

// wildcard tells whether a router names a host by a wildcard.
func (w *webNames) wildcard(host string) bool {
	at := strings.IndexByte(host, '.')
	return at > 0 && w.exact["*"+host[at:]]
}

// applyOthers puts what is said of TCP and UDP in force. Connections that are there go on.
func (s *Server) applyOthers(cfg *dynamic.Configuration, table *router.Table) {
	before := s.others.Load()
	if before == nil {
		before = &otherTables{}
	}
	env := tcprouter.Env{
		EntryPoints: map[string]bool{}, Policy: table.PolicyNamed, Resolvers: s.https.names, Pages: pagesOf(table), Transport: s.tcpTransport,
		Precedence: s.config.Providers.Precedence,
	}
	var datagrams []string
	for _, e := range s.routerEntryPoints() {
		env.EntryPoints[e.Name] = e.Default
	}
	for name, c := range s.config.EntryPoints {
		if c.Datagrams() {
			datagrams = append(datagrams, name)
		}
	}
	slices.Sort(datagrams)
	next := &otherTables{tcp: tcprouter.Build(cfg, before.tcp, env), udp: udprouter.Build(cfg, before.udp, datagrams, s.config.Providers.Precedence), web: map[string]*webNames{}}
	for name := range env.EntryPoints {
		if next.tcp.At(name) != nil {
			next.web[name] = webNamesAt(name, table)
		}
	}
	s.others.Store(next)
	next.tcp.RetireFrom(before.tcp)
	for _, d := range s.datagrams {
		d.sessions.Leave() // servers that are gone
	}
}

// pagesOf are the entry points where somebody has routers of HTTP for plain requests.
func pagesOf(table *router.Table) map[string]bool {
	all := map[string]bool{}
	for _, rt := range table.Routes() {
		if rt.TLS != nil || dynamic.ProviderOf(rt.Name) == "internal" {
			continue
		}
		for _, name := range rt.EntryPoints {
			all[name] = true
		}
	}
	return all
}

func webNamesAt(entryPoint string, table *router.Table) *webNames {
	w := &webNames{exact: map[string]bool{}}
	for _, rt := range table.Routes() {
		if rt.TLS == nil || rt.Rule == nil || !slices.Contains(rt.EntryPoints, entryPoint) {
			continue
		}
		for _, host := range rt.Rule.Hosts() {
			w.exact[host] = true
		}
		w.anything = w.anything || rt.Rule.AnyHost()
	}
	return w
}

// otherProblems are those of TCP and UDP.
func (s *Server) otherProblems() []dynamic.Problem {
	t := s.others.Load()
	if t == nil {
		return nil
	}
	return slices.Concat(t.tcp.Problems(), t.udp.Problems())
}

// configOf is for connections of a router of TCP. Where its options name no protocols (ALPN), the first one that the client
// offers is spoken: the gateway does not know them.
func (h *https) configOf(policy *certs.Policy, hello *tls.ClientHelloInfo) *tls.Config {
	cfg := h.certs.Config(func(string) *certs.Policy { return policy })
	if len(hello.SupportedProtos) == 0 || policy.Speaks() {
		return cfg
	}
	choose := cfg.GetConfigForClient
	cfg.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		c, err := choose(h)
		if err != nil || c == nil {
			return c, err
		}
		c = c.Clone()
		c.NextProtos = hello.SupportedProtos[:1]
		return c, nil
	}
	return cfg
}

// asked tells whether one of the resolvers waits for the challenge of an authority (RFC 8737). Others are for servers behind
// routers that hand TLS on.
func (h *https) asked(hello *tls.ClientHelloInfo) bool {
	for _, r := range h.resolvers {
		if r.Challenge(hello) != nil {
			return true
		}
	}
	return false
}

// datagramPoint is an entry point of UDP.
type datagramPoint struct {
	name     string
	log      logrus.FieldLogger
	conn     *net.UDPConn
	sessions *udp.Sessions
	told     atomic.Int64 // of a session that has failed, Unix time
}

// listenDatagrams opens an entry point of UDP.
func (s *Server) listenDatagrams(name string, c *config.EntryPoint) (*datagramPoint, error) {
	address, err := c.ListenAddress()
	if err != nil {
		return nil, fmt.Errorf("entry point %s: %w", name, err)
	}
	conn, err := openDatagrams(address, c.ReusePort)
	if err != nil {
		return nil, fmt.Errorf("entry point %s: %w", name, err)
	}
	d := &datagramPoint{name: name, log: s.log.WithField("entryPoint", name), conn: conn}
	d.sessions = &udp.Sessions{
		Conn: conn, Timeout: time.Duration(c.UDP.Timeout),
		Choose: func() udp.Service {
			if t := s.others.Load(); t != nil {
				return t.udp.At(name)
			}
			return nil
		},
		Failed: func(client netip.AddrPort, err error) {
			now := time.Now().Unix()
			if last := d.told.Load(); now-last >= 10 && d.told.CompareAndSwap(last, now) { // addresses of clients can be forged
				d.log.WithError(err).WithField("client", client.String()).Warn("a session has failed")
			}
		},
		All: &s.sessions,
	}
	return d, nil
}

// sortedNames are the entry points, in order.
func (s *Server) sortedNames() []string { return slices.Sorted(maps.Keys(s.config.EntryPoints)) }
