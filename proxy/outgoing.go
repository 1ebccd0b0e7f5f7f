package proxy

import (
	"net/http"
	"net/url"
	"strings"

	"fairway/http1"
)

// outgoing is a request as it is sent to the target by a transport, without its
// body. The headers that tell of the client were set at the entry point.
func outgoing(r *http.Request, target *Target, o Options) *http.Request {
	u := *r.URL
	u.Scheme, u.Host, u.User, u.Fragment = target.URL.Scheme, target.URL.Host, nil, ""
	if target.PreservePath {
		u.Path, u.RawPath = joinPath(target.URL, r.URL)
	}
	u.RawQuery = cleanQuery(u.RawQuery)
	out := &http.Request{
		Method: r.Method, URL: &u, Host: r.Host, Header: outgoingHeader(r),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: r.ContentLength,
	}
	if !o.PassHost {
		out.Host = target.URL.Host
	}
	return out
}

// outgoingHeader copies the fields that may be passed on (RFC 9110, section 7.6.1).
func outgoingHeader(r *http.Request) http.Header {
	h := make(http.Header, len(r.Header)+2)
	for name, values := range r.Header {
		if !endsHere(name) && len(values) > 0 {
			h[name] = values
		}
	}
	dropNominated(h, r.Header)
	if upgrade := http1.UpgradeOf(r.Header); upgrade != "" {
		h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{upgrade}
	}
	// The one value that HTTP/2 allows (RFC 9113, section 8.2.2). Servers by gRPC do
	// not talk to who cannot receive trailers.
	if hasToken(r.Header["Te"], "trailers") {
		h["Te"] = []string{"trailers"}
	}
	if _, named := h["User-Agent"]; !named {
		h["User-Agent"] = []string{""} // or the transport would name itself
	}
	appendPeer(h, r)
	return h
}

// endsHere tells whether a field of a request concerns the client's connection
// only, or is written anew.
func endsHere(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "Http2-Settings", "Expect", "Content-Length", "Host":
		return true
	}
	return false
}

// dropNominated removes from h the fields that the client declares to be of its
// connection, but for those that the gateway has set itself.
func dropNominated(h, from http.Header) {
	for _, list := range from["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if name != "Forwarded" && !strings.HasPrefix(name, "X-Forwarded-") {
				delete(h, name)
			}
		}
	}
}

func hasToken(lists []string, token string) bool {
	for _, list := range lists {
		for element := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(strings.TrimSpace(element), token) {
				return true
			}
		}
	}
	return false
}

// appendPeer adds the client to X-Forwarded-For, unless a middleware has taken
// the header away (left it there without values).
func appendPeer(h http.Header, r *http.Request) {
	before, present := r.Header["X-Forwarded-For"]
	if present && len(before) == 0 {
		return
	}
	all := strings.Join(before, ", ")
	if peer := peerOf(r); peer != "" {
		if all != "" {
			all += ", "
		}
		all += peer
	}
	if all != "" {
		h["X-Forwarded-For"] = []string{all}
	}
}

// cleanQuery separates parameters in the one way that all servers know, and lets no
// byte through that would end the first line of a request by HTTP/1.1: in other
// versions it may stand there.
func cleanQuery(query string) string {
	const hex = "0123456789ABCDEF"
	query = strings.ReplaceAll(query, ";", "&")
	if !strings.ContainsFunc(query, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return query
	}
	var b strings.Builder
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c == 0x7f {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// joinPath puts the path of base in front of that of u.
func joinPath(base, u *url.URL) (path, raw string) {
	join := func(a, b string) string { return strings.TrimSuffix(a, "/") + "/" + strings.TrimPrefix(b, "/") }
	path = join(base.Path, u.Path)
	if base.RawPath == "" && u.RawPath == "" {
		return path, ""
	}
	return path, join(base.EscapedPath(), u.EscapedPath())
}
