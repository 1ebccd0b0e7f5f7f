package digestauth

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// credentials are what a client sends (RFC 7616, section 3.4).
type credentials struct {
	user, realm, nonce, uri, response, algorithm, cnonce, opaque, qop, ncText string
	nc                                                                        uint32
}

var errMalformed = errors.New("malformed credentials")

// longest is more than the fields of any client take.
const longest = 8192

// parse reads the value of Authorization: the scheme, then pairs of name and value
// (RFC 9110, section 11.4). No name may come twice.
func parse(line string) (*credentials, error) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	if !strings.EqualFold(scheme, "Digest") || len(line) > longest {
		return nil, errMalformed
	}
	values := map[string]string{}
	for rest = strings.TrimLeft(rest, " \t,"); rest != ""; rest = strings.TrimLeft(rest, " \t,") {
		name, after, ok := strings.Cut(rest, "=")
		if !ok {
			return nil, errMalformed
		}
		name = strings.ToLower(strings.TrimSpace(name))
		value, left, ok := parseValue(strings.TrimLeft(after, " \t"))
		if _, twice := values[name]; !ok || twice || name == "" {
			return nil, errMalformed
		}
		values[name], rest = value, left
	}
	c := &credentials{
		user: values["username"], realm: values["realm"], nonce: values["nonce"], uri: values["uri"],
		response: values["response"], algorithm: values["algorithm"], cnonce: values["cnonce"],
		opaque: values["opaque"], qop: values["qop"], ncText: values["nc"],
	}
	if err := c.complete(values); err != nil {
		return nil, err
	}
	return c, nil
}

// complete reads what is more than text.
func (c *credentials) complete(values map[string]string) error {
	if extended, ok := values["username*"]; ok { // RFC 8187, section 3.2
		parts := strings.SplitN(extended, "'", 3)
		if len(parts) != 3 || !strings.EqualFold(parts[0], "UTF-8") || c.user != "" {
			return errMalformed
		}
		name, err := url.PathUnescape(parts[2])
		if err != nil {
			return errMalformed
		}
		c.user = name
	}
	if c.ncText != "" {
		n, err := strconv.ParseUint(c.ncText, 16, 32)
		if err != nil || len(c.ncText) != 8 {
			return errMalformed
		}
		c.nc = uint32(n)
	}
	return nil
}

// parseValue reads a token or a quoted string (RFC 9110, section 5.6) up to the next
// comma.
func parseValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ",")
		value = strings.TrimSpace(value)
		return value, rest, value != "" && !strings.ContainsAny(value, "\" \t")
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			rest = strings.TrimLeft(s[i+1:], " \t")
			return b.String(), rest, rest == "" || rest[0] == ','
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}
