// Package secret has the one type for option values that must never be shown.
package secret

import "strings"

// String is an option value that must not appear in the API, the dashboard, a
// log or the output of a command: every printed form is stars. It decodes like a
// plain string.
type String string

const stars = "*****"

// Reveal returns the value itself.
func (s String) Reveal() string { return string(s) }

// String implements fmt.Stringer with stars; empty stays empty.
func (s String) String() string {
	if s == "" {
		return ""
	}
	return stars
}

// GoString implements fmt.GoStringer, for %#v.
func (s String) GoString() string { return s.String() }

// MarshalText implements encoding.TextMarshaler, hence JSON and YAML as well.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Header tells whether the values of a header are usually credentials.
func Header(name string) bool {
	name = strings.ToLower(name)
	switch name {
	case "authorization", "proxy-authorization", "cookie", "set-cookie":
		return true
	}
	for _, word := range []string{"token", "secret", "password", "api-key", "apikey", "auth-key"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
