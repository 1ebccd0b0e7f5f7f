// Package headername compares names of headers as careless servers do: those that
// hand headers on as variables take "X_User" and "X-User" for the same.
package headername

import (
	"net/http"
	"strings"
)

// Plain returns the canonical form of a name with its underscores as dashes.
func Plain(name string) string {
	if strings.IndexByte(name, '_') >= 0 {
		name = strings.ReplaceAll(name, "_", "-")
	}
	return http.CanonicalHeaderKey(name)
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
