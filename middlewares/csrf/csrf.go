// Package csrf refuses what another site has a visitor's browser do: requests that change something, with the
// cookies of a login. Browsers say where a request comes from, in Sec-Fetch-Site (W3C Fetch Metadata) and in Origin
// (RFC 6454); a service behind it needs no tokens in its forms.
package csrf

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"fairway/internal/headername"
	"fairway/middlewares"
)

// Config is the csrf middleware. To have it is enough. It lets pass what only reads (GET, HEAD, OPTIONS; not a
// WebSocket, which is refused like what changes something), what comes from the site itself, and what no browser
// sends. The rest gets 403.
type Config struct {
	// TrustedOrigins lists other origins whose pages may send requests, as in https://app.example.com.
	// Default: none.
	TrustedOrigins []string `json:"trustedOrigins,omitempty"`
	// Cookies lists names of cookies: only requests with one of them are looked at, as those without a login
	// gain nobody anything. Default: all are looked at.
	Cookies []string `json:"cookies,omitempty"`
	// RequiredHeader is the name of a header that requests which change something have to have, with any
	// value, as in X-Csrf: scripts of other sites cannot send it without being allowed to. It helps against
	// browsers from before 2020, which do not say where a request comes from. Default: none.
	RequiredHeader string `json:"requiredHeader,omitempty"`
}

type handler struct {
	origins *http.CrossOriginProtection
	cookies []string
	header  string
	next    http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, _ middlewares.Env, next http.Handler) (http.Handler, error) {
	h := &handler{origins: http.NewCrossOriginProtection(), cookies: c.Cookies, next: next}
	for _, origin := range c.TrustedOrigins {
		if err := h.origins.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("trustedOrigins: %q is no origin, as in https://app.example.com: %w", origin, err)
		}
	}
	for _, name := range c.Cookies {
		if !headername.Valid(name) {
			return nil, fmt.Errorf("cookies: %q is no name of a cookie", name)
		}
	}
	if c.RequiredHeader != "" {
		if h.header = http.CanonicalHeaderKey(c.RequiredHeader); !headername.Valid(c.RequiredHeader) {
			return nil, fmt.Errorf("requiredHeader: %q is no name of a header", c.RequiredHeader)
		}
		if safelisted[h.header] {
			return nil, errors.New("requiredHeader: " + h.header + " is sent by forms of other sites, too")
		}
	}
	return h, nil
}

// safelisted are headers that pages may send anywhere (WHATWG Fetch, CORS-safelisted request-header), or that a
// browser sends by itself.
var safelisted = map[string]bool{
	"Accept": true, "Accept-Language": true, "Content-Language": true, "Content-Type": true, "Range": true, "Content-Length": true,
	"Cookie": true, "Host": true, "Origin": true, "Referer": true, "User-Agent": true, "Accept-Encoding": true, "Connection": true,
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if cause := h.refuses(r); cause != "" {
		middlewares.Refuse(w, r, http.StatusForbidden, "csrf: "+cause)
		return
	}
	h.next.ServeHTTP(w, r)
}

// refuses is why a request does not pass; empty: it does.
func (h *handler) refuses(r *http.Request) string {
	if !h.looksAt(r) {
		return ""
	}
	checked := r
	if webSocket := r.Method == http.MethodGet && len(r.Header["Upgrade"]) > 0 || r.Method == http.MethodConnect; webSocket {
		checked = new(http.Request)
		*checked = *r
		checked.Method = http.MethodPost // for it changes something
	} else if safe(r.Method) {
		return ""
	}
	if err := h.origins.Check(checked); err != nil {
		return fmt.Sprintf("it comes from another site (Origin %q, Sec-Fetch-Site %q)", r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site"))
	}
	if h.header != "" && checked == r && len(r.Header[h.header]) == 0 {
		return "it has no header " + h.header
	}
	return ""
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// looksAt tells whether a request has one of the cookies.
func (h *handler) looksAt(r *http.Request) bool {
	if len(h.cookies) == 0 {
		return true
	}
	for _, line := range r.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, _, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if slices.Contains(h.cookies, name) {
				return true
			}
		}
	}
	return false
}
