package rule

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Request is the part of a request that rules look at, brought into the form
// they compare with. It serves one request at a time and may be used again
// after Reset.
type Request struct {
	Host string // lower case, no port, no trailing dot: see CleanHost
	Path string // see RoutingPath
	// Remote is the peer of the connection. Left zero, it is read from
	// HTTP.RemoteAddr when a rule asks for it.
	Remote netip.Addr
	HTTP   *http.Request
	// Protocols are those that a client offers in TLS (ALPN); only for rules about connections.
	Protocols []string

	remoteRead bool
	queryRead  bool
	query      []parameter
}

// parameter is one key and value of the query, in the order sent.
type parameter struct{ key, value string }

// NewRequest prepares a request for matching.
func NewRequest(r *http.Request) Request {
	var q Request
	q.Reset(r)
	return q
}

// ForConnection prepares a connection for matching: by the name that a client asks for in TLS, its address, and the
// protocols that it offers.
func ForConnection(name string, remote netip.Addr, protocols []string) *Request {
	return &Request{Host: CleanHost(name), Remote: remote, remoteRead: true, Protocols: protocols}
}

// Reset prepares q for another request and keeps its memory.
func (q *Request) Reset(r *http.Request) {
	clear(q.query)
	*q = Request{
		Host:  CleanHost(r.Host),
		Path:  RoutingPath(r.URL.EscapedPath()),
		HTTP:  r,
		query: q.query[:0],
	}
}

// peer returns the address of the connection's other end, without zone, and
// an IPv4 address always as such.
func (q *Request) peer() netip.Addr {
	if !q.Remote.IsValid() && !q.remoteRead {
		q.remoteRead = true
		q.Remote = parsePeer(q.HTTP.RemoteAddr)
	}
	return q.Remote.Unmap().WithZone("")
}

func parsePeer(s string) netip.Addr {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr()
	}
	addr, _ := netip.ParseAddr(s) // zero when unreadable: no ClientIP matches it
	return addr
}

// maxParameters is the bound of net/url: the backend sees no query beyond it
// either.
const maxParameters = 10000

// parameters takes the query apart on first use, as net/url does: pieces
// with a semicolon or a bad escape do not count.
func (q *Request) parameters() []parameter {
	if q.queryRead {
		return q.query
	}
	q.queryRead = true
	raw := q.HTTP.URL.RawQuery
	pieces := strings.Count(raw, "&") + 1
	if raw == "" || pieces > maxParameters {
		return q.query
	}
	q.query = slices.Grow(q.query, pieces)
	for piece := range strings.SplitSeq(raw, "&") {
		if piece == "" || strings.IndexByte(piece, ';') >= 0 {
			continue
		}
		k, v, _ := strings.Cut(piece, "=")
		key, err := url.QueryUnescape(k)
		if err != nil {
			continue
		}
		value, err := url.QueryUnescape(v)
		if err != nil {
			continue
		}
		q.query = append(q.query, parameter{key, value})
	}
	return q.query
}
