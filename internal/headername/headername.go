// Package headername compares names of headers as careless servers do: those that
// hand headers on as variables take "X_User", "X.User" and "X-User" for the same.
package headername

import (
	"net/http"
	"strings"
)

// Plain returns the canonical form of a name with a dash for all that is neither a letter nor
// a digit: servers that make variables of names have an underscore in the place of a dash,
// and some, as PHP, in that of a dot, too.
func Plain(name string) string {
	if !IsPlain(name) {
		plain := []byte(name)
		for i, c := range plain {
			if !isLetterOrDigit(c) {
				plain[i] = '-'
			}
		}
		name = string(plain)
	}
	return http.CanonicalHeaderKey(name)
}

// IsPlain tells whether a name has nothing but letters, digits and dashes.
func IsPlain(name string) bool {
	for i := range len(name) {
		if c := name[i]; c != '-' && !isLetterOrDigit(c) {
			return false
		}
	}
	return true
}

func isLetterOrDigit(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
}

// Remove deletes a header under every spelling that a server may take for name.
func Remove(h http.Header, name string) {
	plain := Plain(name)
	for other := range h {
		if Plain(other) == plain {
			delete(h, other)
		}
	}
}

// Same returns what tells whether a server may take a name for that one.
func Same(name string) func(other string) bool {
	plain := Plain(name)
	return func(other string) bool { return Plain(other) == plain }
}

// Valid tells whether a name may be that of a header: a token (RFC 9110, section
// 5.6.2).
func Valid(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return name != ""
}

// RemoveHop deletes the fields that concern one connection only and are not passed
// on (RFC 9110, section 7.6.1): those of old, and those that Connection names.
func RemoveHop(h http.Header) {
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range []string{
		"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "Http2-Settings",
	} {
		delete(h, name)
	}
}
