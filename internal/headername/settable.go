package headername

import (
	"fmt"
	"net/http"
)

// Framing tells whether a field says how a message is sent, and not what it says (RFC
// 9110, section 7.6.1; RFC 9112, section 6). The gateway writes such fields itself.
func Framing(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Connection", "Content-Length", "Expect", "Host", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// Settable says why the gateway cannot set a field of a name that an operator has
// written, if it cannot.
func Settable(name string) error {
	switch {
	case !Valid(name):
		return fmt.Errorf("%q is no name of a header", name)
	case Framing(name):
		return fmt.Errorf("%q cannot be set: it says how a message is sent, which is up to the gateway", name)
	}
	return nil
}

// ValidValue tells whether a field may have a value: no control character but the tab is
// in it (RFC 9110, section 5.5).
func ValidValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
