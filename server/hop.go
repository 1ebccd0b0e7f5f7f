package server

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// refuseForeign tells with which status, and why, a request by another engine than
// fairway's own is refused, beyond what that engine checks itself. HTTP/2 and HTTP/3
// let any bytes be a method; in the first line of the request that is sent on they
// would be a target, too. A host may be named twice, and a body may be announced
// that does not come (RFC 9113, section 8.3.1 and 8.1.1; RFC 9114, section 4.3.1 and
// 4.1.2).
func refuseForeign(r *http.Request) (status int, cause string) {
	for i := range len(r.Method) {
		if !isTokenByte(r.Method[i]) {
			return http.StatusBadRequest, "the method is no token"
		}
	}
	if r.Method == http.MethodConnect {
		return http.StatusNotImplemented, "CONNECT is not served"
	}
	for i := range len(r.Host) {
		if c := r.Host[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"#/<>?@\^`+"`{|}", c) >= 0 {
			return http.StatusBadRequest, "malformed host"
		}
	}
	if hosts := r.Header["Host"]; len(hosts) > 0 {
		if len(hosts) > 1 || !strings.EqualFold(hosts[0], r.Host) {
			return http.StatusBadRequest, "the host is named twice, and differently"
		}
		delete(r.Header, "Host")
	}
	if lengths := r.Header["Content-Length"]; len(lengths) > 0 {
		if n, err := strconv.ParseUint(lengths[0], 10, 63); err != nil || len(lengths) > 1 || int64(n) != r.ContentLength {
			return http.StatusBadRequest, "Content-Length is not that of the body"
		}
	}
	return 0, ""
}

func isTokenByte(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c != 0 && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// endNominated removes the fields that the client has declared to concern its own
// connection only (RFC 9110, section 7.6.1). It comes before the gateway adds
// fields: no client can have those removed, nor those that a trusted proxy has set.
// Fields to keep stay, and stay named: they end when the request is sent on.
func endNominated(h http.Header, keep []string) {
	lists := h["Connection"]
	if len(lists) == 0 {
		return
	}
	var remain []string
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			switch name = http.CanonicalHeaderKey(strings.Trim(name, " \t")); name {
			case "", "Keep-Alive", "Close", "Te":
			case "Upgrade":
				remain = append(remain, name)
			default:
				switch {
				case isManaged(name):
				case slices.Contains(keep, name):
					remain = append(remain, name)
				default:
					delete(h, name)
				}
			}
		}
	}
	if len(remain) == 0 {
		delete(h, "Connection")
	} else {
		h["Connection"] = []string{strings.Join(remain, ", ")}
	}
}
