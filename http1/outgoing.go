package http1

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Outgoing says how a request is sent on, where it differs from how it came.
type Outgoing struct {
	URI  string // target in origin form
	Host string
	// Peer is added to X-Forwarded-For; empty adds nothing. A request whose header
	// map has X-Forwarded-For without values is sent without it.
	Peer string
	// DialTimeout is a shorter time for connecting than that of the upstream; 0: there is none.
	DialTimeout time.Duration
}

// isMethod tells whether a method is a token, as it has to be (RFC 9110, section
// 9.1). Those that come in are; what is made on the way has no parser behind it.
func isMethod(method string) bool {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions:
		return true
	}
	return isToken(method)
}

// appendRequest appends the head of r as it is sent to an upstream. Fields of the
// connection are left out, and those of the framing are written anew from what
// was parsed (RFC 9112, section 6; RFC 9110, section 7.6.1).
func appendRequest(dst []byte, r *http.Request, o *Outgoing) []byte {
	dst = append(append(dst, r.Method...), ' ')
	dst = appendTarget(dst, o.URI)
	dst = appendField(append(dst, " HTTP/1.1\r\n"...), nameHost, o.Host)
	nominated := r.Header[nameConnection]
	for name, values := range r.Header {
		if endsHere(name) || len(nominated) > 0 && isNominated(nominated, name) {
			continue
		}
		for _, value := range values {
			dst = appendField(dst, name, value)
		}
	}
	dst = appendForwardedFor(dst, r.Header, o.Peer)
	if upgrade := UpgradeOf(r.Header); upgrade != "" {
		dst = append(dst, "Connection: Upgrade\r\n"...)
		dst = appendField(dst, nameUpgrade, upgrade)
	}
	if te := r.Header[nameTE]; len(te) > 0 && hasElement(strings.Join(te, ","), "trailers") {
		dst = append(dst, "Te: trailers\r\nConnection: TE\r\n"...)
	}
	switch framingOf(r) {
	case bodyLength:
		dst = append(dst, "Content-Length: "...)
		dst = append(strconv.AppendInt(dst, r.ContentLength, 10), "\r\n"...)
	case bodyChunks:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
		dst = appendTrailerNames(dst, r.Trailer)
	case bodyNone:
		if r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
			dst = append(dst, "Content-Length: 0\r\n"...)
		}
	}
	return append(dst, "\r\n"...)
}

// appendTarget appends a target that no byte can end early.
func appendTarget(dst []byte, uri string) []byte {
	from := len(dst)
	dst = append(dst, uri...)
	for _, c := range dst[from:] {
		if c <= ' ' || c == 0x7f {
			return appendEscaped(dst[:from], uri)
		}
	}
	return dst
}

func appendEscaped(dst []byte, uri string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(uri) {
		if c := uri[i]; c <= ' ' || c == 0x7f {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// endsHere tells whether a field of a request concerns the client's connection
// only, or is written anew.
func endsHere(name string) bool {
	switch name {
	case nameConnection, nameContentLength, nameTransferEncoding, nameTrailer, nameUpgrade, nameKeepAlive,
		nameProxyConnection, nameTE, nameHost, nameExpect, "Http2-Settings", "X-Forwarded-For", "Proxy-Authenticate", "Proxy-Authorization":
		return true
	}
	return !isToken(name) || isFramingName(name)
}

// isNominated tells whether a Connection header names a field.
func isNominated(connection []string, name string) bool {
	for _, list := range connection {
		if hasElement(list, strings.ToLower(name)) {
			return true
		}
	}
	return false
}

func appendForwardedFor(dst []byte, h http.Header, peer string) []byte {
	before, present := h["X-Forwarded-For"]
	if present && len(before) == 0 || len(before) == 0 && peer == "" {
		return dst
	}
	dst = append(dst, "X-Forwarded-For: "...)
	from := len(dst)
	for i, value := range before {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, value...)
	}
	if peer != "" {
		if len(before) > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, peer...)
	}
	for i, c := range dst[from:] {
		if c < 0x20 || c == 0x7f {
			dst[from+i] = ' '
		}
	}
	return append(dst, "\r\n"...)
}

// UpgradeOf returns the protocol that a request asks to change to, or "". It is
// never another version of HTTP: the requests in it would pass no rule.
func UpgradeOf(h http.Header) string {
	upgrade := h[nameUpgrade]
	if len(upgrade) != 1 || speaksHTTP(upgrade[0]) {
		return ""
	}
	for _, value := range h[nameConnection] {
		if hasElement(value, "upgrade") {
			return upgrade[0]
		}
	}
	return ""
}

// isListed tells whether an upstream may change to the protocol: it was asked for.
func isListed(asked, protocol string) bool {
	return protocol != "" && hasElement(asked, strings.ToLower(protocol))
}

func speaksHTTP(protocols string) bool {
	found := false
	eachElement(protocols, func(element string) bool {
		name, _, _ := strings.Cut(element, "/")
		found = equalFold(name, "h2c") || equalFold(name, "h2") || equalFold(name, "http") || equalFold(name, "tls")
		return !found
	})
	return found
}

// framingOf decides how the body of a request is sent.
func framingOf(r *http.Request) bodyKind {
	switch {
	case r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0:
		return bodyNone
	case r.ContentLength > 0:
		return bodyLength
	}
	return bodyChunks
}

func appendTrailerNames(dst []byte, trailer http.Header) []byte {
	for name := range trailer {
		if isToken(name) && isTrailerName(name) {
			dst = append(append(append(dst, "Trailer: "...), name...), "\r\n"...)
		}
	}
	return dst
}
