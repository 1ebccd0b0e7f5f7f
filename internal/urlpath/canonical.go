package urlpath

import (
	"net/url"
	"strings"
)

// Canonical returns an escaped path in the one form that all equivalent ones have
// (RFC 3986, section 6.2.2): a sequence that stands for an unreserved character is
// decoded, any other one is written with upper-case digits, and a byte that may not
// stand for itself becomes a sequence. What is returned has the meaning of what was
// given, "%2F" and "/" included; net/url, in doubt, takes the two for the same. It
// allocates only when something changes.
func Canonical(escaped string) string {
	for i := 0; i < len(escaped); i++ {
		if escaped[i] == '%' {
			if c, ok := sequence(escaped[i:]); !ok || isUnreserved(c) || isLower(escaped[i+1]) || isLower(escaped[i+2]) {
				return canonical(escaped, i)
			}
			i += 2
		} else if !isPlain(escaped[i]) {
			return canonical(escaped, i)
		}
	}
	return escaped
}

// canonical does the work from the first byte that changes.
func canonical(s string, i int) string {
	const digits = "0123456789ABCDEF"
	b := append(make([]byte, 0, len(s)+16), s[:i]...)
	for ; i < len(s); i++ {
		c, sequenced := s[i], false
		if c == '%' {
			if of, ok := sequence(s[i:]); ok {
				c, sequenced, i = of, true, i+2
			}
		}
		if isUnreserved(c) || !sequenced && isPlain(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(b)
}

// AsSent returns the escaped path of u as the client wrote it. EscapedPath writes
// it anew when one byte of it should have been escaped, and forgets what the other
// sequences were for.
func AsSent(u *url.URL) string {
	if u.RawPath != "" {
		return u.RawPath
	}
	return u.EscapedPath()
}

// sequence returns the byte that s, which begins with a percent sign, stands for.
func sequence(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	high, low := digit(s[1]), digit(s[2])
	return high<<4 | low, high < 16 && low < 16
}

// digit returns the value of a hexadecimal digit, or more than 15.
func digit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }

func isUnreserved(c byte) bool {
	return isLower(c|0x20) || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// isPlain tells whether a byte may stand for itself in a path.
func isPlain(c byte) bool {
	return isUnreserved(c) || c == '/' || c != 0 && strings.IndexByte("!$&'()*+,;=:@[]", c) >= 0
}
