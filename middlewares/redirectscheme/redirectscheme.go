// Package redirectscheme sends clients to the same address under another scheme,
// usually from http to https.
package redirectscheme

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"fairway/internal/redirect"
	"fairway/middlewares"
)

// Config is the redirectScheme middleware.
type Config struct {
	// Scheme is the scheme to send clients to, as in "https". A request that already
	// has that scheme and port is forwarded; the scheme a trusted proxy names in
	// X-Forwarded-Proto counts. Required.
	Scheme string `json:"scheme,omitempty"`
	// Port is the port to send clients to. Empty, the default, means that of the
	// scheme; 80 for http and 443 for https are left out of the address.
	Port string `json:"port,omitempty"`
	// Permanent lets clients remember the redirection: 301 for GET and 308 for other
	// methods, instead of 302 and 307. Default false.
	Permanent bool `json:"permanent,omitempty"`
}

type handler struct {
	scheme, port string
	permanent    bool
	next         http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, _ middlewares.Env, next http.Handler) (http.Handler, error) {
	if c.Scheme == "" {
		return nil, errors.New("scheme is required")
	}
	scheme := strings.ToLower(c.Scheme)
	return &handler{
		scheme:    scheme,
		port:      visiblePort(scheme, c.Port),
		permanent: c.Permanent,
		next:      next,
	}, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, port := splitHost(r.Host)
	scheme := clientScheme(r)
	if scheme == h.scheme && visiblePort(scheme, port) == h.port {
		h.next.ServeHTTP(w, r)
		return
	}
	if host == "" {
		middlewares.Refuse(w, r, http.StatusBadRequest, "redirectScheme: the request names no host")
		return
	}
	location := h.scheme + "://" + host + h.port + r.URL.RequestURI()
	w.Header().Set("Location", location)
	middlewares.Refuse(w, r, redirect.Status(r.Method, h.permanent), "redirectScheme: redirected to "+h.scheme)
}

// clientScheme is the scheme the client used. X-Forwarded-Proto has been removed
// at the entry point unless a trusted proxy wrote it.
func clientScheme(r *http.Request) string {
	proto, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	switch proto = strings.ToLower(strings.TrimSpace(proto)); {
	case proto == "ws":
		return "http"
	case proto == "wss":
		return "https"
	case proto != "":
		return proto
	case r.TLS != nil:
		return "https"
	default:
		return "http"
	}
}

// splitHost cuts the port off; brackets of an IPv6 address stay.
func splitHost(host string) (name, port string) {
	port = (&url.URL{Host: host}).Port()
	return strings.TrimSuffix(strings.TrimSuffix(host, port), ":"), port
}

// visiblePort is ":port" as it stands in an address, or nothing for the default.
func visiblePort(scheme, port string) string {
	if port == "" || scheme == "http" && port == "80" || scheme == "https" && port == "443" {
		return ""
	}
	return ":" + port
}
