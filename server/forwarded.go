package server

import (
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"

	"fairway/config"
	"fairway/internal/clientip"
)

// forwarded sets the headers that tell servers of the client. Those that come
// from peers who are not trusted are removed first.
type forwarded struct {
	everybody bool
	trusted   clientip.Ranges
	hostname  string
}

func newForwarded(c *config.ForwardedHeaders) (*forwarded, error) {
	f := &forwarded{everybody: c.Insecure}
	var err error
	if len(c.TrustedIPs) > 0 {
		if f.trusted, err = clientip.ParseRanges(c.TrustedIPs); err != nil {
			return nil, err
		}
	}
	f.hostname, err = os.Hostname()
	return f, err
}

// managed are the headers that only trusted peers may set.
var managed = []string{
	"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Method", "X-Forwarded-Port", "X-Forwarded-Prefix",
	"X-Forwarded-Proto", "X-Forwarded-Server", "X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Info",
	"X-Forwarded-Uri", "X-Real-Ip", "X-Scheme",
}

func (f *forwarded) apply(r *http.Request, peer netip.Addr) {
	h := r.Header
	dropHopByHop(h)
	if !f.everybody && !f.trusted.Contains(peer) {
		removeManaged(h)
	}
	if h.Get("X-Real-Ip") == "" {
		h.Set("X-Real-Ip", peer.String())
	}
	secure := r.TLS != nil
	if h.Get("X-Forwarded-Proto") == "" {
		h.Set("X-Forwarded-Proto", proto(secure, isWebSocket(h)))
	}
	if h.Get("X-Forwarded-Port") == "" {
		h.Set("X-Forwarded-Port", port(r.Host, secure || h.Get("X-Forwarded-Proto") == "https" || h.Get("X-Forwarded-Proto") == "wss"))
	}
	if h.Get("X-Forwarded-Host") == "" && r.Host != "" {
		h.Set("X-Forwarded-Host", r.Host)
	}
	h.Set("X-Forwarded-Server", f.hostname)
}

// removeManaged removes the managed headers, also under names with underscores:
// some servers take them for the same.
func removeManaged(h http.Header) {
	for _, name := range managed {
		delete(h, name)
	}
	for name := range h {
		if strings.IndexByte(name, '_') < 0 {
			continue
		}
		canonical := http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
		for _, m := range managed {
			if m == canonical {
				delete(h, name)
			}
		}
	}
}

// dropHopByHop removes the headers that the Connection header names (RFC 9110,
// section 7.6.1), here, before the gateway adds its own: a client must not be
// able to have those removed on the way.
func dropHopByHop(h http.Header) {
	values := h["Connection"]
	if len(values) == 0 {
		return
	}
	upgrade := false
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			switch name {
			case "Upgrade":
				upgrade = true
			case "Te", "Keep-Alive", "Close", "":
			default:
				delete(h, name)
			}
		}
	}
	delete(h, "Connection")
	if upgrade {
		h["Connection"] = []string{"Upgrade"}
	}
}

func isWebSocket(h http.Header) bool { return strings.EqualFold(h.Get("Upgrade"), "websocket") }

func proto(secure, webSocket bool) string {
	switch {
	case secure && webSocket:
		return "wss"
	case secure:
		return "https"
	case webSocket:
		return "ws"
	}
	return "http"
}

func port(host string, secure bool) string {
	if _, p, err := net.SplitHostPort(host); err == nil && p != "" {
		return p
	}
	if secure {
		return "443"
	}
	return "80"
}
