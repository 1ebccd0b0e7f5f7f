package http1

import "net/http"

// Names of fields that the engine itself knows.
const (
	nameHost             = "Host"
	nameConnection       = "Connection"
	nameContentLength    = "Content-Length"
	nameTransferEncoding = "Transfer-Encoding"
	nameSetCookie        = "Set-Cookie"
	nameWWWAuthenticate  = "Www-Authenticate"
	nameTrailer          = "Trailer"
	nameUpgrade          = "Upgrade"
	nameExpect           = "Expect"
	nameKeepAlive        = "Keep-Alive"
	nameProxyConnection  = "Proxy-Connection"
	nameTE               = "Te"
	nameDate             = "Date"
	nameContentType      = "Content-Type"
	nameContentEncoding  = "Content-Encoding"
	namePragma           = "Pragma"
	nameCacheControl     = "Cache-Control"
)

// commonNames are kept in canonical form, so that clients that write names in
// lower case cost no string for each.
var commonNames = newNameTable(
	"Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Accept-Ranges", "Access-Control-Allow-Credentials",
	"Access-Control-Allow-Headers", "Access-Control-Allow-Methods", "Access-Control-Allow-Origin",
	"Access-Control-Expose-Headers", "Access-Control-Max-Age", "Access-Control-Request-Headers",
	"Access-Control-Request-Method", "Age", "Allow", "Alt-Svc", "Authorization", nameCacheControl, "Cf-Connecting-Ip",
	nameConnection, "Content-Disposition", nameContentEncoding, "Content-Language", nameContentLength, "Content-Location",
	"Content-Range", "Content-Security-Policy", nameContentType, "Cookie", nameDate, "Dnt", "Etag", nameExpect, "Expires",
	"Forwarded", "From", "Grpc-Encoding", "Grpc-Message", "Grpc-Status", "Grpc-Timeout", nameHost, "If-Match",
	"If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", nameKeepAlive, "Last-Modified", "Link",
	"Location", "Origin", namePragma, "Priority", "Proxy-Authenticate", "Proxy-Authorization", nameProxyConnection, "Range",
	"Referer", "Referrer-Policy", "Retry-After", "Sec-Ch-Ua", "Sec-Ch-Ua-Mobile", "Sec-Ch-Ua-Platform", "Sec-Fetch-Dest",
	"Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-User", "Sec-Gpc", "Sec-Websocket-Accept", "Sec-Websocket-Extensions",
	"Sec-Websocket-Key", "Sec-Websocket-Protocol", "Sec-Websocket-Version", "Server", "Server-Timing", nameSetCookie,
	"Strict-Transport-Security", nameTE, "Traceparent", "Tracestate", nameTrailer, nameTransferEncoding, nameUpgrade,
	"Upgrade-Insecure-Requests", "User-Agent", "Vary", "Via", "Www-Authenticate", "X-Api-Key", "X-Content-Type-Options",
	"X-Correlation-Id", "X-Csrf-Token", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto",
	"X-Forwarded-Server", "X-Frame-Options", "X-Powered-By", "X-Real-Ip", "X-Request-Id", "X-Requested-With",
	"X-Xss-Protection",
)

// nameTable finds a name in canonical form by any spelling: open addressing over
// a hash of the length and three letters.
type nameTable [512]string

func newNameTable(names ...string) *nameTable {
	t := new(nameTable)
	for _, name := range names {
		at := nameHash([]byte(name))
		for t[at] != "" {
			at = (at + 1) % uint32(len(t))
		}
		t[at] = name
	}
	return t
}

func nameHash(b []byte) uint32 {
	n := len(b)
	h := uint32(n)*131 + uint32(b[0]|0x20)*31 + uint32(b[n-1]|0x20)*17 + uint32(b[n/2]|0x20)*7
	return h % uint32(len(nameTable{}))
}

// find returns the canonical form of a name, or "" when it is not a common one.
func (t *nameTable) find(name []byte) string {
	if len(name) == 0 {
		return ""
	}
	for at := nameHash(name); t[at] != ""; at = (at + 1) % uint32(len(t)) {
		if known := t[at]; len(known) == len(name) && sameLetters(name, known) {
			return known
		}
	}
	return ""
}

// sameLetters compares without regard to case; both are tokens of one length.
func sameLetters(name []byte, known string) bool {
	for i, c := range name {
		if c != known[i] && (c|0x20 != known[i]|0x20 || !is(c, upperByte|lowerByte)) {
			return false
		}
	}
	return true
}

// canonicalName returns a name in the form of header maps. name has the same
// bytes as raw.
func canonicalName(raw []byte, name string) string {
	if known := commonNames.find(raw); known != "" {
		return known
	}
	return http.CanonicalHeaderKey(name)
}

// isHopName tells whether a field concerns one connection only. Such lines are
// never passed on: what they say is parsed, and written anew for the next
// connection.
func isHopName(name string) bool {
	switch name {
	case nameConnection, nameContentLength, nameTransferEncoding, nameUpgrade, nameKeepAlive, nameProxyConnection, nameTE, nameTrailer:
		return true
	}
	return false
}

// isTrailerName tells whether a field may come after the body: nothing that tells
// where a message ends, whom it is for or how the connection goes on.
func isTrailerName(name string) bool {
	return name != nameHost && name != nameExpect && !isHopName(name)
}
