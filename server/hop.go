package server

import (
	"net/http"
	"strings"
)

// refuseMethod tells with which status, and why, a request by another engine than
// fairway's own is refused for its method. HTTP/2 lets any bytes be one; in the
// first line of the request that is sent on they would be a target, too.
func refuseMethod(r *http.Request) (status int, cause string) {
	for i := range len(r.Method) {
		if !isTokenByte(r.Method[i]) {
			return http.StatusBadRequest, "the method is no token"
		}
	}
	if r.Method == http.MethodConnect {
		return http.StatusNotImplemented, "CONNECT is not served"
	}
	return 0, ""
}

func isTokenByte(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c != 0 && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// endNominated removes the fields that the client has declared to concern its own
// connection only (RFC 9110, section 7.6.1). It comes before the gateway adds
// fields: no client can have those removed.
func endNominated(h http.Header) {
	nominated, upgrade := false, false
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			switch name = http.CanonicalHeaderKey(strings.Trim(name, " \t")); name {
			case "", "Keep-Alive", "Close", "Te":
			case "Upgrade":
				upgrade = true
			default:
				nominated = true
				delete(h, name)
			}
		}
	}
	switch {
	case !nominated:
	case upgrade:
		h["Connection"] = []string{"Upgrade"}
	default:
		delete(h, "Connection")
	}
}
