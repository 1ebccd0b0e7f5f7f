// Package grpcweb lets browsers call services by gRPC: what they send by gRPC-Web goes
// on as gRPC, and the answers come back.
//
// The protocol is PROTOCOL-WEB.md of gRPC. It has the same messages; only that the
// trailers, which scripts cannot read, are a last frame of the body, and that all of a
// body may be written as base64. cors.go answers for scripts of other origins, text.go
// reads base64, writer.go makes the answer.
package grpcweb

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"fairway/middlewares"
)

// Config is the grpcWeb middleware. The service must speak gRPC: its server has the
// scheme h2c or https.
type Config struct {
	// AllowOrigins lists the origins whose scripts may call the service, as in
	// "https://app.example.com". "*" is all, without cookies and other credentials.
	// Default: only scripts of the service's own origin.
	AllowOrigins []string `json:"allowOrigins,omitempty"`
}

type handler struct {
	origins map[string]bool
	next    http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, _ middlewares.Env, next http.Handler) (http.Handler, error) {
	h := &handler{origins: map[string]bool{}, next: next}
	for _, origin := range c.AllowOrigins {
		u, err := url.Parse(origin)
		if origin != anyOrigin && (err != nil || u.Scheme == "" || u.Host == "" || strings.TrimSuffix(u.Path, "/") != "") {
			return nil, fmt.Errorf(`allowOrigins: %q is neither an origin, as in "https://app.example.com", nor "*"`, origin)
		}
		h.origins[strings.TrimSuffix(strings.ToLower(origin), "/")] = true
	}
	return h, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isPreflight(r) {
		h.preflight(w, r)
		return
	}
	suffix, text, ok := kindOf(r.Header.Get("Content-Type"))
	if !ok || r.Method != http.MethodPost {
		h.next.ServeHTTP(w, r)
		return
	}
	rw := &writer{inner: w, text: text, allow: func(head http.Header) { h.allow(head, r) }}
	h.next.ServeHTTP(rw, asGRPC(r, suffix, text))
	rw.finish()
}

const (
	grpcType    = "application/grpc"
	webType     = "application/grpc-web"
	webTextType = "application/grpc-web-text"
)

// kindOf reads the type of a call: suffix is what follows, as "+proto".
func kindOf(contentType string) (suffix string, text, ok bool) {
	kind, _, _ := strings.Cut(contentType, ";")
	kind, format, plus := strings.Cut(strings.ToLower(strings.TrimSpace(kind)), "+")
	if plus {
		suffix = "+" + format
	}
	return suffix, kind == webTextType, kind == webType || kind == webTextType
}

// asGRPC returns the call as the service gets it.
func asGRPC(r *http.Request, suffix string, text bool) *http.Request {
	r2 := new(http.Request)
	*r2 = *r
	r2.Header = maps.Clone(r.Header)
	r2.Header["Content-Type"] = []string{grpcType + suffix}
	r2.Header["Te"] = []string{"trailers"} // servers by gRPC do not talk to who cannot receive them
	if text && r.Body != nil && r.ContentLength != 0 {
		r2.Body = newDecoder(r.Body)
		r2.ContentLength = -1
		delete(r2.Header, "Content-Length")
	}
	return r2
}
