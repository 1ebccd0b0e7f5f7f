package accesslog

import (
	"encoding/hex"
	"strings"

	"fairway/internal/secret"
)

// splitPort takes the port off an address, and the brackets of IPv6. Who has no port has
// an empty one.
func splitPort(addr string) (host, port string) {
	colon := strings.LastIndexByte(addr, ':')
	if strings.HasPrefix(addr, "[") {
		end := strings.IndexByte(addr, ']')
		if end < 0 {
			return addr, ""
		}
		if colon != end+1 {
			return addr[1:end], ""
		}
		return addr[1:end], addr[colon+1:]
	}
	if colon < 0 || strings.IndexByte(addr, ':') != colon { // IPv6 without brackets
		return addr, ""
	}
	return addr[:colon], addr[colon+1:]
}

func (x *line) clientAddr() string {
	if x.r.RemoteAddr != "" {
		return x.r.RemoteAddr
	}
	return x.rec.Peer
}

// clientHost reads X-Forwarded-For: it is only there when the one who sent it is trusted.
func (x *line) clientHost(dst []byte) []byte {
	if forwarded := x.r.Header["X-Forwarded-For"]; len(forwarded) > 0 && forwarded[0] != "" {
		return x.text(dst, forwarded[0])
	}
	host, _ := splitPort(x.clientAddr())
	return x.text(dst, host)
}

func (x *line) clientPort(dst []byte) []byte {
	addr := x.clientAddr()
	if addr == "" {
		return dst
	}
	_, port := splitPort(addr)
	return x.orDash(dst, port)
}

func (x *line) username() string {
	if x.rec.User == "" && x.r.URL != nil && x.r.URL.User != nil {
		return x.r.URL.User.Username()
	}
	return x.rec.User
}

func (x *line) requestPort(dst []byte) []byte {
	if x.r.Host == "" {
		return dst
	}
	_, port := splitPort(x.r.Host)
	return x.orDash(dst, port)
}

// path has no spaces, also between quotes: what stands behind it there is the protocol.
func (x *line) path(dst []byte) []byte {
	x.plain = &plainWord
	opened := x.quote(dst)
	from := len(opened)
	written := x.modes.query.appendPath(opened, x, x.r)
	if len(written) == from {
		return dst
	}
	return x.quote(written)
}

func (x *line) scheme(dst []byte) []byte {
	switch {
	case x.r.TLS != nil:
		return x.text(dst, "https")
	case x.r.Method != "":
		return x.text(dst, "http")
	}
	return dst
}

// serverURL hides what a server is logged in to with.
func serverURL(server string) string {
	if strings.IndexByte(server, '@') < 0 {
		return server
	}
	return secret.URL(server)
}

func serverAddr(server string) string {
	_, addr, found := strings.Cut(server, "://")
	if !found {
		addr = server
	}
	if end := strings.IndexAny(addr, "/?#"); end >= 0 {
		addr = addr[:end]
	}
	return addr[strings.LastIndexByte(addr, '@')+1:]
}

func (x *line) span(dst []byte) []byte {
	if x.rec.Trace == nil {
		return dst
	}
	id := x.rec.Trace.SpanID()
	return x.quote(hex.AppendEncode(x.quote(dst), id[:]))
}

// trace reads the trace-id of traceparent (W3C Trace Context, section 3.2.2).
func (x *line) trace(dst []byte) []byte {
	if x.rec.Trace != nil {
		id := x.rec.Trace.TraceID()
		return x.quote(hex.AppendEncode(x.quote(dst), id[:]))
	}
	const version, length = 3, 32 // "00-", and the digits behind it
	sent := x.r.Header["Traceparent"]
	if len(sent) != 1 || len(sent[0]) < version+length+1 || sent[0][version-1] != '-' || sent[0][version+length] != '-' {
		return dst
	}
	id := sent[0][version : version+length]
	for i := range len(id) {
		if !isLowerHex[id[i]] {
			return dst
		}
	}
	if id == noTrace {
		return dst
	}
	return x.quote(append(x.quote(dst), id...))
}

const noTrace = "00000000000000000000000000000000"

var isLowerHex = func() (is [256]bool) {
	for _, digit := range lowerHex {
		is[digit] = true
	}
	return is
}()
