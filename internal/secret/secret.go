// Package secret has the one type for option values that must never be shown.
package secret

import (
	"bytes"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
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

// Header tells whether the values of a header are usually credentials, by the words in its
// name.
func Header(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	for _, part := range []string{"token", "secret", "password", "authorization", "cookie", "api-key", "apikey", "auth-key"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	for _, known := range []string{"x-forwarded-", "access-control-"} {
		if strings.HasPrefix(name, known) {
			return false
		}
	}
	if harmless[name] {
		return false
	}
	for _, part := range []string{"credential", "signature", "session", "jwt", "passwd", "access-client"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return slices.ContainsFunc(strings.Split(name, "-"), func(word string) bool { return words[word] })
}

// words say, standing alone in the name of a header, that its value is a credential.
var words = map[string]bool{"auth": true, "key": true, "keys": true, "pass": true, "pwd": true, "pin": true, "bearer": true, "otp": true, "sig": true, "sid": true}

// harmless have such a word, and are known to be none.
var harmless = map[string]bool{
	"sec-websocket-key": true, "idempotency-key": true, "surrogate-key": true, "xkey": true, "x-cache-key": true,
	"public-key-pins": true, "public-key-pins-report-only": true,
}

// URL returns a URL that may be shown: without the password and the values of its query,
// also when it is no valid URL.
func URL(s string) string { return withoutValues(withoutLogin(s)) }

func withoutLogin(s string) string {
	if strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//") {
		return s // a path
	}
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

// reference is a part of what a regular expression has found, as ${1}, or of what is known
// of a response, as {status}.
var reference = regexp.MustCompile(`^(\$\d+|\$?\{\w+\})$`)

// withoutValues has stars for the values of a query.
func withoutValues(s string) string {
	before, query, has := strings.Cut(s, "?")
	if !has {
		return s
	}
	query, fragment, _ := strings.Cut(query, "#")
	parts := strings.Split(query, "&")
	for i, part := range parts {
		name, value, _ := strings.Cut(part, "=")
		if value != "" && !reference.MatchString(value) {
			parts[i] = name + "=" + stars
		}
	}
	shown := before + "?" + strings.Join(parts, "&")
	if fragment != "" {
		shown += "#" + fragment
	}
	return shown
}

// address is a URL in a text, up to what cannot be a part of one, and without the sign that
// ends a part of a sentence.
var address = regexp.MustCompile("[A-Za-z][A-Za-z0-9+.-]*://[^\\s\"'`<>]*[^\\s\"'`<>.,:;)]")

// Text returns a text whose URLs may be shown.
func Text(s string) string {
	if !strings.Contains(s, "://") {
		return s
	}
	return address.ReplaceAllStringFunc(s, URL)
}

var literal = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// JSON returns a JSON text whose strings have only URLs that may be shown.
func JSON(text []byte) []byte {
	return literal.ReplaceAllFunc(text, func(quoted []byte) []byte {
		var s string
		if !bytes.Contains(quoted, []byte("://")) || json.Unmarshal(quoted, &s) != nil {
			return quoted
		}
		shown, err := json.Marshal(Text(s))
		if err != nil {
			return []byte(`"` + stars + `"`)
		}
		return shown
	})
}
