package cache

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"fairway/internal/cachestore"
	"fairway/internal/headername"
	"fairway/internal/httpcache"
)

// keys make the key of a request: all that a stored response depends on. Headers and cookies
// that an operator names are added as if every response said Vary for them, so that whatever
// purges a URL purges all responses for it.
type keys struct {
	service string
	headers []string
	cookies []string
	own     []string               // what these two add to every Vary
	query   func(name string) bool // tells of parameters that count; nil: all do
}

func (k *Key) build() (out keys, err error) {
	if k == nil {
		return keys{}, nil
	}
	for _, name := range k.Headers {
		if !headername.Valid(name) {
			return keys{}, fmt.Errorf("key: headers: %q is no name of a header", name)
		}
		out.headers = append(out.headers, http.CanonicalHeaderKey(name))
	}
	if out.cookies = k.Cookies; slices.Contains(k.Cookies, "") {
		return keys{}, errors.New("key: cookies: there is an empty name")
	}
	out.own = out.names(nil)
	switch {
	case len(k.Query) > 0 && len(k.IgnoreQuery) > 0:
		return keys{}, errors.New("key: query and ignoreQuery cannot be given together")
	case len(k.Query) > 0:
		out.query = func(name string) bool { return listed(k.Query, name) }
	case len(k.IgnoreQuery) > 0:
		out.query = func(name string) bool { return !listed(k.IgnoreQuery, name) }
	}
	return out, nil
}

// listed tells whether a list has a name, or its beginning with a * behind.
func listed(list []string, name string) bool {
	for _, pattern := range list {
		if prefix, open := strings.CutSuffix(pattern, "*"); pattern == name || open && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// target is what a request asks for.
type target struct {
	service, scheme, host, prefix, uri string
}

// targetOf is that of r, as it goes to the service. X-Forwarded-Host and -Prefix, which
// only trusted peers and other middlewares set, are part of it, since services make links
// of them.
func (k *keys) targetOf(r *http.Request) target {
	t := target{service: k.service, host: r.Host, scheme: "http", uri: r.RequestURI}
	if r.TLS != nil {
		t.scheme = "https"
	}
	if said := r.Header["X-Forwarded-Proto"]; len(said) > 0 {
		t.scheme = said[0]
	}
	if said := r.Header["X-Forwarded-Host"]; len(said) > 0 && said[0] != r.Host {
		t.prefix = said[0] + "\x00"
	}
	if said := r.Header["X-Forwarded-Prefix"]; len(said) > 0 {
		t.prefix += said[0]
	}
	if t.uri == "" || t.uri[0] != '/' {
		t.uri = r.URL.RequestURI()
	}
	if k.query != nil {
		t.uri = k.reduced(t.uri)
	}
	return t
}

// reduced is a URI with those parameters of its query only that count.
func (k *keys) reduced(uri string) string {
	path, query, ok := strings.Cut(uri, "?")
	if !ok {
		return uri
	}
	var counting []string
	for parameter := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(parameter, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if parameter != "" && k.query(name) {
			counting = append(counting, parameter)
		}
	}
	if len(counting) == 0 {
		return path
	}
	return path + "?" + strings.Join(counting, "&")
}

// append appends the key.
func (t *target) append(dst []byte) []byte {
	dst = append(append(dst, t.service...), 0)
	dst = append(append(dst, t.scheme...), 0)
	for i := range len(t.host) { // hosts are of any case
		c := t.host[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	dst = append(dst, 0)
	dst = append(append(dst, t.prefix...), 0)
	return append(dst, t.uri...)
}

// url is what purges find the response by.
func (t *target) url() string { return strings.ToLower(t.host) + t.uri }

// cookieName marks the name of a cookie among those of headers.
const cookieName = "Cookie "

// names are those by which variants are told apart, of a response that says Vary.
func (k *keys) names(vary []string) []string {
	names := slices.Concat(vary, k.headers)
	for _, c := range k.cookies {
		names = append(names, cookieName+c)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// covers tells whether responses for a URL are told apart by all that the key has. Those of
// before a reload may not be, nor those of another middleware with the same store.
func (k *keys) covers(e *httpcache.Entry) bool {
	for _, name := range k.own {
		if !slices.Contains(e.Names, name) {
			return false
		}
	}
	return true
}

// variant appends to the key of a URL what makes it that of a variant.
func variant(dst []byte, marker *httpcache.Entry, r *http.Request) []byte {
	dst = append(dst, cachestore.VariantMark...)
	for shift := 0; shift < 64; shift += 8 {
		dst = append(dst, byte(marker.Salt>>shift))
	}
	headers := marker.Names
	for _, name := range marker.Names {
		cookie, ok := strings.CutPrefix(name, cookieName)
		if !ok {
			continue
		}
		if len(headers) == len(marker.Names) {
			headers = slices.DeleteFunc(slices.Clone(headers), func(n string) bool { return strings.HasPrefix(n, cookieName) })
		}
		dst = appendCookies(append(append(dst, 0), name...), r.Header["Cookie"], cookie)
	}
	return httpcache.AppendVariant(dst, headers, r.Header)
}

// appendCookies appends all values of a cookie as they came: services have different minds about
// which of them counts, and about what is in a value. Where there are quotes, they have about
// where it ends, and all that the client has sent counts.
func appendCookies(dst []byte, lines []string, name string) []byte {
	for _, line := range lines {
		if strings.Contains(line, `"`) {
			dst = append(append(dst, 0), line...)
			continue
		}
		for pair := range strings.SplitSeq(line, ";") {
			pair = strings.TrimSpace(pair)
			if of, _, _ := strings.Cut(pair, "="); strings.TrimSpace(of) == name {
				dst = append(append(dst, ';'), pair...)
			}
		}
	}
	return dst
}

// strange are headers by which some services are made to answer something else than what the
// request line asks for. A response to a request that has one is not stored.
var strange = []string{
	"X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Original-Url", "X-Rewrite-Url", "X-Original-Host",
	"X-Host", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Original-Uri", "X-Url-Scheme", "X-Http-Host-Override", "Forwarded",
	"X-Forwarded-Path", "X-Override-Url", "X-Proxy-Url", "X-Http-Destinationurl", "Front-End-Https",
	"X-Invoke-Path", "X-Invoke-Query", "X-Invoke-Status", "X-Matched-Path", "X-Middleware-Prefetch", "X-Middleware-Rewrite", "X-Middleware-Subrequest",
}

// isStrange tells whether r has one that the key does not have, also in a form that careless
// services take for the same, as X_Host.
func (k *keys) isStrange(r *http.Request) bool {
	for name, values := range r.Header {
		plain := headername.Plain(name)
		switch {
		case len(values) == 0, slices.Contains(k.headers, name):
		case slices.Contains(strange, plain), plain != name && strings.HasPrefix(plain, "X-Forwarded-"):
			return true
		}
	}
	return isForged(r.Header, k.headers)
}

// isForged tells whether h has one of names in another form, as X_User for X-User: services that
// make variables of names may take the one for the other.
func isForged(h http.Header, names []string) bool {
	if len(names) == 0 {
		return false
	}
	for name := range h {
		if !headername.IsPlain(name) && slices.Contains(names, headername.Plain(name)) && !slices.Contains(names, name) {
			return true
		}
	}
	return false
}
