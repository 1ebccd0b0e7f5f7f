package headers

import (
	"net/http"
	"net/url"
	"strings"

	"fairway/middlewares"
)

// guard answers requests that must not get further: for a host that is not served,
// or to be repeated over TLS.
type guard struct {
	allowedHosts      []string
	hostsProxyHeaders []string
	sslProxyHeaders   map[string]string
	sslRedirect       bool
	sslForceHost      bool
	sslHost           string
	redirectStatus    int
}

func newGuard(c *Config) *guard {
	g := &guard{
		allowedHosts:      c.AllowedHosts,
		hostsProxyHeaders: c.HostsProxyHeaders,
		sslProxyHeaders:   c.SSLProxyHeaders,
		sslRedirect:       c.SSLRedirect,
		sslForceHost:      c.SSLForceHost,
		sslHost:           c.SSLHost,
		redirectStatus:    http.StatusMovedPermanently,
	}
	if c.IsDevelopment {
		g.allowedHosts, g.sslRedirect = nil, false
	}
	if c.SSLTemporaryRedirect {
		g.redirectStatus = http.StatusTemporaryRedirect
	}
	return g
}

func (g *guard) answers(w http.ResponseWriter, r *http.Request) bool {
	host := g.host(r)
	if len(g.allowedHosts) > 0 && !g.serves(host) {
		middlewares.Refuse(w, r, http.StatusInternalServerError, "headers: bad host "+host)
		return true
	}
	target := host
	if g.sslHost != "" {
		target = g.sslHost
	}
	if g.sslRedirect && !g.overTLS(r) || g.sslForceHost && target != host {
		location := url.URL{Scheme: "https", Host: target, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
		w.Header().Set("Location", location.String())
		middlewares.Refuse(w, r, g.redirectStatus, "headers: redirected to https")
		return true
	}
	return false
}

func (g *guard) host(r *http.Request) string {
	for _, name := range g.hostsProxyHeaders {
		if host := r.Header.Get(name); host != "" {
			return host
		}
	}
	return r.Host
}

func (g *guard) serves(host string) bool {
	for _, allowed := range g.allowedHosts {
		if strings.EqualFold(allowed, host) {
			return true
		}
	}
	return false
}

func (g *guard) overTLS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	for name, value := range g.sslProxyHeaders {
		if r.Header.Get(name) == value {
			return true
		}
	}
	return false
}
