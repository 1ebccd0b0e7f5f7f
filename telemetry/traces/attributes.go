package traces

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"fairway/internal/record"
	"fairway/telemetry"
)

// The names of attributes are those of the semantic conventions for HTTP spans, where these
// have one; those of fairway's own begin with its name.

// ofRequest are the attributes of a request that is over.
func (x *exchange) ofRequest(e *telemetry.Exchange) []attribute.KeyValue {
	rec, r := e.Record, e.Request
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	all := append(ofMethod(r),
		str("url.scheme", scheme), str("url.path", r.URL.EscapedPath()),
		str("server.address", rec.Host), str("client.address", clientOf(e)), str("network.peer.address", rec.Peer),
		str("network.protocol.version", strings.TrimSuffix(strings.TrimPrefix(r.Proto, "HTTP/"), ".0")),
		attribute.Int("http.response.status_code", e.Status), attribute.Int64("http.request.body.size", e.Received), attribute.Int64("http.response.body.size", e.Written),
		str("fairway.entry_point", rec.EntryPoint),
	)
	all = appendPort(all, "network.peer.port", portOf(r.RemoteAddr))
	all = appendPort(all, "server.port", portOf(r.Host))
	for _, known := range [...]struct{ name, value string }{
		{"http.route", rec.Rule},
		{"fairway.router.name", rec.Router},
		{"fairway.service.name", rec.Leaf},
		{"url.query", x.tracer.query(r.URL.RawQuery)},
		{"user_agent.original", r.Header.Get("User-Agent")},
		{"error.message", rec.Cause},
	} {
		if known.value != "" {
			all = append(all, str(known.name, known.value))
		}
	}
	for _, name := range x.tracer.request {
		if values := r.Header[name]; len(values) > 0 {
			all = append(all, list("http.request.header."+strings.ToLower(name), values))
		}
	}
	for _, name := range x.tracer.response {
		if value := e.Response.Get(name); value != "" {
			all = append(all, list("http.response.header."+strings.ToLower(name), []string{value}))
		}
	}
	return all
}

// clientOf is the client as those say who are trusted: nobody else's X-Forwarded-For is
// there any more.
func clientOf(e *telemetry.Exchange) string {
	if told := e.Request.Header["X-Forwarded-For"]; len(told) > 0 {
		if first, _, _ := strings.Cut(told[0], ","); strings.TrimSpace(first) != "" {
			return strings.TrimSpace(first)
		}
	}
	return e.Record.Peer
}

// ofAttempt are those of a request to a server.
func (x *exchange) ofAttempt(r *http.Request, server string) []attribute.KeyValue {
	if rest, ok := strings.CutPrefix(server, "h2c:"); ok {
		server = "http:" + rest
	}
	full := strings.TrimSuffix(server, "/") + r.URL.EscapedPath()
	if query := x.tracer.query(r.URL.RawQuery); query != "" {
		full += "?" + query
	}
	all := append(ofMethod(r), str("url.full", full))
	u, err := url.Parse(server)
	if err != nil {
		return all
	}
	port := u.Port()
	switch {
	case port == "" && u.Scheme == "https":
		port = "443"
	case port == "":
		port = "80"
	}
	return appendPort(append(all, str("server.address", u.Hostname())), "server.port", port)
}

// ofPart are those of a part of the gateway.
func (x *exchange) ofPart(p *record.Part) []attribute.KeyValue {
	all := []attribute.KeyValue{str("fairway."+p.Kind+".name", p.Name)}
	if p.Type != "" {
		all = append(all, str("fairway."+p.Kind+".type", p.Type))
	}
	if p.Kind == "router" && x.rec.Rule != "" {
		all = append(all, str("http.route", x.rec.Rule))
	}
	return all
}

// known are the methods that spans are named by. Clients may send any word as a method.
func known(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// methodName is what spans are named by.
func methodName(r *http.Request) string {
	if known(r.Method) {
		return strings.Clone(r.Method)
	}
	return "HTTP"
}

func ofMethod(r *http.Request) []attribute.KeyValue {
	if known(r.Method) {
		return []attribute.KeyValue{str("http.request.method", r.Method)}
	}
	return []attribute.KeyValue{str("http.request.method", "_OTHER"), str("http.request.method_original", r.Method)}
}

// portOf is the port of an address, or "".
func portOf(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return port
}

func appendPort(all []attribute.KeyValue, name, port string) []attribute.KeyValue {
	n, err := strconv.Atoi(port)
	if err != nil {
		return all
	}
	return append(all, attribute.Int(name, n))
}

// query shows the names of parameters, and the values of those that are safe. A parameter
// ends at "&", and at ";" for the servers that take it for one.
func (t *Tracer) query(raw string) string {
	if raw == "" {
		return ""
	}
	var shown strings.Builder
	for raw != "" {
		part, separator := raw, ""
		if end := strings.IndexAny(raw, "&;"); end >= 0 {
			part, separator = raw[:end], raw[end:end+1]
		}
		raw = raw[len(part)+len(separator):]
		if name, _, has := strings.Cut(part, "="); has && !slices.Contains(t.safe, name) {
			part = name + "=REDACTED"
		}
		shown.WriteString(part + separator)
	}
	return shown.String()
}
