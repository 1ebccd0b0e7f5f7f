// Package forwardauth asks another server about every request, whether it may pass.
// By an answer of 2xx it goes on to the service; any other answer is the client's.
//
// config.go is what the operator writes. A request is looked up among the decisions
// that are kept (cache.go), else asked about (ask.go); a decision to let pass is put
// on the request (decision.go), a refusal is passed on (refusal.go).
package forwardauth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"fairway/internal/answer"
	"fairway/internal/headername"
	"fairway/internal/record"
	"fairway/internal/responsehead"
	"fairway/internal/secret"
	"fairway/middlewares"
)

type handler struct {
	address   *url.URL
	shown     string // the address without credentials and query
	transport *http.Transport
	retired   context.Context //nolint:containedctx // ends with this instance, not with a request
	timeout   time.Duration

	trustForwarded bool
	requestHeaders []string // nil: all
	forwardBody    bool
	maxBody        int64
	preserveMethod bool

	responseHeaders []string
	responseRegex   *regexp.Regexp
	cookies         map[string]bool
	userHeader      string
	cache           *cache

	maxRefusal       int64
	preserveLocation bool
	signin           string

	next http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(ctx context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	address, err := url.Parse(c.Address)
	switch {
	case c.Address == "":
		return nil, errors.New("address is required")
	case err != nil:
		return nil, errors.New("address: not a valid URL")
	case address.Scheme != "http" && address.Scheme != "https", address.Host == "":
		return nil, fmt.Errorf("address: %q is no URL that begins with http:// or https://", secret.URL(c.Address))
	}
	h := &handler{
		address: address, shown: secret.Place(address), retired: ctx, timeout: time.Duration(c.Timeout),
		trustForwarded: c.TrustForwardHeader, forwardBody: c.ForwardBody, preserveMethod: c.PreserveRequestMethod,
		maxBody: limit(c.MaxBodySize), maxRefusal: limit(c.MaxResponseBodySize),
		userHeader: c.HeaderField, preserveLocation: c.PreserveLocationHeader, signin: c.AuthSigninURL, next: next,
	}
	if err := h.readHeaders(c); err != nil {
		return nil, err
	}
	if !leadsSomewhere(h.signin) {
		return nil, fmt.Errorf("authSigninURL: %q is neither a URL that begins with http:// or https:// nor a path that begins with /", secret.URL(h.signin))
	}
	if h.cache, err = newCache(c, env); err != nil {
		return nil, err
	}
	tlsConfig, err := c.TLS.config()
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	h.transport = &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       tlsConfig,
		TLSHandshakeTimeout:   10 * time.Second,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true, // what the client did not ask for it cannot unpack
		MaxIdleConnsPerHost:   100,
		IdleConnTimeout:       60 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
	context.AfterFunc(ctx, h.transport.CloseIdleConnections)
	return h, nil
}

// readHeaders takes over the options that are names of headers and cookies.
func (h *handler) readHeaders(c *Config) error {
	for _, name := range c.AuthResponseHeaders {
		if err := headername.Settable(name); err != nil {
			return fmt.Errorf("authResponseHeaders: %w", err)
		}
		h.responseHeaders = append(h.responseHeaders, http.CanonicalHeaderKey(name))
	}
	if c.HeaderField != "" && !headername.Valid(c.HeaderField) {
		return fmt.Errorf("headerField: %q is no name of a header", c.HeaderField)
	}
	for _, name := range c.AuthRequestHeaders {
		if !headername.Valid(name) {
			return fmt.Errorf("authRequestHeaders: %q is no name of a header", name)
		}
		h.requestHeaders = append(h.requestHeaders, http.CanonicalHeaderKey(name))
	}
	if c.AuthResponseHeadersRegex != "" {
		var err error
		if h.responseRegex, err = regexp.Compile(c.AuthResponseHeadersRegex); err != nil {
			return fmt.Errorf("authResponseHeadersRegex: %w", err)
		}
	}
	if len(c.AddAuthCookiesToResponse) > 0 {
		h.cookies = map[string]bool{}
		for _, name := range c.AddAuthCookiesToResponse {
			if !headername.Valid(name) { // a token as well (RFC 6265, section 4.1.1)
				return fmt.Errorf("addAuthCookiesToResponse: %q is no name of a cookie", name)
			}
			h.cookies[name] = true
		}
	}
	return nil
}

// leadsSomewhere tells whether a client can be sent to an address; to an empty one
// nobody is.
func leadsSomewhere(address string) bool {
	if address == "" {
		return true
	}
	u, err := url.Parse(address)
	if err != nil || strings.ContainsAny(address, " \t") {
		return false
	}
	return strings.HasPrefix(address, "/") || (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// limit is a number of bytes; negative: none.
func limit(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	record.From(r.Context()).SetAuth(false)
	key, keep := h.cache.key(h, r)
	if keep {
		if d, ok := h.cache.decisions.Get(key); ok {
			h.pass(w, r, d)
			return
		}
	}
	if h.forwardBody {
		var status int
		var err error
		if r, status, err = h.withBody(r); err != nil {
			middlewares.Refuse(w, r, status, "forwardAuth: "+err.Error())
			return
		}
	}
	res, end, err := h.ask(r)
	defer end()
	if err != nil {
		status := http.StatusInternalServerError
		if errors.Is(r.Context().Err(), context.Canceled) {
			status = answer.StatusClientClosedRequest
		}
		middlewares.Refuse(w, r, status, fmt.Sprintf("forwardAuth: ask %s: %v", h.shown, err))
		return
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		h.refuse(w, r, res)
		return
	}
	d := h.decide(res)
	end()
	if keep && mayKeep(res) {
		h.cache.decisions.Put(key, d, h.cache.ttl)
	}
	h.pass(w, r, d)
}

// pass hands a request on as it was decided.
func (h *handler) pass(w http.ResponseWriter, r *http.Request, d *decision) {
	rec := record.From(r.Context())
	rec.SetAuth(true)
	if d.user != "" {
		rec.SetUser(d.user)
	}
	r = h.withFields(r, d)
	if len(d.cookies) == 0 {
		h.next.ServeHTTP(w, r)
		return
	}
	rw := responsehead.New(w, cookies(d.cookies))
	h.next.ServeHTTP(rw, r)
	rw.Finish()
}
