package server

import (
	"net/http"
	"os"
	"strings"

	"fairway/config"
	"fairway/internal/clientip"
	"fairway/internal/headername"
	"fairway/internal/record"
)

// forwarded sets the headers that tell servers of the client. Those that come
// from peers who are not trusted are removed first.
type forwarded struct {
	everybody  bool
	trusted    clientip.Ranges
	connection []string // fields that stay although the client's Connection names them
	unlisted   bool     // the peer is not added to X-Forwarded-For
	hostname   []string
}

func newForwarded(c *config.ForwardedHeaders) (*forwarded, error) {
	f := &forwarded{everybody: c.Insecure, unlisted: c.NotAppendXForwardedFor}
	for _, name := range c.Connection {
		f.connection = append(f.connection, http.CanonicalHeaderKey(name))
	}
	var err error
	if len(c.TrustedIPs) > 0 {
		if f.trusted, err = clientip.ParseRanges(c.TrustedIPs); err != nil {
			return nil, err
		}
	}
	name, err := os.Hostname()
	f.hostname = []string{name}
	return f, err
}

func (f *forwarded) apply(r *http.Request, rec *record.Record) {
	h := r.Header
	endNominated(h, f.connection)
	rec.Unlisted = f.unlisted
	if !f.everybody && !f.trusted.Contains(rec.ClientIP) {
		removeManaged(h)
	}
	if len(h["X-Real-Ip"]) == 0 {
		h["X-Real-Ip"] = rec.Value(rec.Peer)
	}
	if len(h["X-Forwarded-Proto"]) == 0 {
		h["X-Forwarded-Proto"] = proto(r.TLS != nil, isWebSocket(h))
	}
	if len(h["X-Forwarded-Port"]) == 0 {
		h["X-Forwarded-Port"] = port(r, rec)
	}
	if len(h["X-Forwarded-Host"]) == 0 && r.Host != "" {
		h["X-Forwarded-Host"] = rec.Value(r.Host)
	}
	h["X-Forwarded-Server"] = f.hostname
}

// removeManaged removes the headers that only trusted peers may set, also under
// names with underscores or dots: some servers take them for the same.
func removeManaged(h http.Header) {
	for name := range h {
		if len(name) < 2 || name[0]|0x20 != 'x' {
			continue
		}
		if isManaged(name) || !headername.IsPlain(name) && isManaged(headername.Plain(name)) {
			delete(h, name)
		}
	}
}

func isManaged(name string) bool {
	switch name {
	case "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Method", "X-Forwarded-Port", "X-Forwarded-Prefix",
		"X-Forwarded-Proto", "X-Forwarded-Server", "X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Info",
		"X-Forwarded-Uri", "X-Real-Ip", "X-Scheme":
		return true
	}
	return false
}

func isWebSocket(h http.Header) bool {
	upgrade := h["Upgrade"]
	return len(upgrade) > 0 && strings.EqualFold(upgrade[0], "websocket")
}

// Values that many requests share. Nobody changes a value of a header in place.
var (
	protoHTTP, protoHTTPS = []string{"http"}, []string{"https"}
	protoWS, protoWSS     = []string{"ws"}, []string{"wss"}
	port80, port443       = []string{"80"}, []string{"443"}
)

func proto(secure, webSocket bool) []string {
	switch {
	case secure && webSocket:
		return protoWSS
	case secure:
		return protoHTTPS
	case webSocket:
		return protoWS
	}
	return protoHTTP
}

// port is the port that the client asked: that of the Host field, else that of the
// scheme.
func port(r *http.Request, rec *record.Record) []string {
	if i := strings.LastIndexByte(r.Host, ':'); i >= 0 && isNumber(r.Host[i+1:]) {
		return rec.Value(r.Host[i+1:])
	}
	if by := r.Header["X-Forwarded-Proto"]; r.TLS != nil || len(by) > 0 && (by[0] == "https" || by[0] == "wss") {
		return port443
	}
	return port80
}

func isNumber(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
