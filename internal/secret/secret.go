// Package secret has the one type for option values that must never be shown.
package secret

import (
	"net/url"
	"strings"
)

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

// URL returns a URL that may be shown: without the password, also when it is no
// valid URL.
func URL(s string) string {
	if u, err := url.Parse(s); err == nil && u.User == nil && strings.IndexByte(s, '@') < 0 {
		return s
	} else if err == nil && u.User != nil {
		return u.Redacted()
	}
	// Everything up to the last @ may be somebody's password.
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		scheme, rest = "", s
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = stars + rest[at:]
	}
	if !ok {
		return rest
	}
	return scheme + "://" + rest
}
