package acme

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// normal is a name as certificates have it: lower case, without a last dot, and in ASCII
// (RFC 5891). The error says what is wrong with the name.
func normal(name string) (string, error) {
	name = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(name)), ".")
	if name == "" {
		return name, errors.New("the name is empty")
	}
	if ip, err := netip.ParseAddr(name); err == nil && ip.Zone() == "" {
		return ip.String(), nil
	}
	if strings.Contains(name, ":") {
		return name, errors.New("a name of a certificate has no port")
	}
	rest, wildcard := strings.CutPrefix(name, "*.")
	ascii, err := idna.Lookup.ToASCII(rest)
	switch {
	case strings.Contains(rest, "*"):
		return name, errors.New("a wildcard stands for the first label only, as in *.example.com")
	case err != nil || len(rest) > 253 || strings.Contains(rest, ".."):
		return name, errors.New("this is no host name")
	case wildcard:
		return "*." + ascii, nil
	}
	return ascii, nil
}

// isPublic tells whether the authority is one that all browsers know. Such must not sign
// names and addresses that mean another machine elsewhere (CA/Browser Forum, Baseline
// Requirements, section 7.1.2.7.12); one of your own may.
func (c *Config) isPublic() bool {
	return c.isOf("letsencrypt.org", "zerossl.com", "pki.goog", "buypass.com", "buypass.no")
}

// isOf tells whether the authority's host is one below these domains.
func (c *Config) isOf(domains ...string) bool {
	u, err := url.Parse(c.CAServer)
	return err == nil && slices.ContainsFunc(domains, func(domain string) bool {
		return strings.HasSuffix("."+strings.ToLower(u.Hostname()), "."+domain)
	})
}

// refuse says why the authority would not sign a name, or "". The name is normal.
func (c *Config) refuse(name string) string {
	if ip, err := netip.ParseAddr(name); err == nil {
		switch {
		case c.HTTPChallenge == nil:
			return "the address of a machine can be proved by httpChallenge only"
		case c.isOf("letsencrypt.org") && c.Profile == "":
			return "Let's Encrypt signs addresses of machines only with profile: shortlived"
		case c.isPublic() && (ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast()):
			return "no public authority signs a private address"
		}
		return ""
	}
	rest, wildcard := strings.CutPrefix(name, "*.")
	switch {
	case c.isPublic() && (!strings.Contains(rest, ".") || strings.HasSuffix(rest, ".localhost")):
		return "no public authority signs this name: it is not a full domain name"
	case wildcard && c.DNSChallenge == nil:
		return "a wildcard needs dnsChallenge"
	}
	return ""
}

// keyOf is what certificates are told apart by: their names, in whatever order.
func keyOf(names []string) string {
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	return strings.Join(slices.Compact(sorted), ",")
}

// fileOf is the name of the file of a certificate, without its ending. It is the main
// name, with a hash behind it where that is not enough to tell it from others.
func fileOf(names []string) string {
	main := ""
	if len(names) > 0 {
		main = names[0]
	}
	file := safe(main)
	if len(names) != 1 || strings.Contains(main, "_") {
		sum := sha256.Sum256([]byte(keyOf(names)))
		file += "+" + hex.EncodeToString(sum[:6])
	}
	return file
}

// safe makes a name of a file, or of a folder, out of anything. What was safe already
// stays as it is; what is changed gets a hash, so that two never become one.
func safe(name string) string {
	const most = 120
	readable := strings.Replace(name, "*.", "_wildcard.", 1)
	clean := []byte(readable)
	for i, c := range clean {
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' && i > 0
		if !ok {
			clean[i] = '_'
		}
	}
	if string(clean) == readable && len(clean) > 0 && len(clean) <= most {
		return readable
	}
	sum := sha256.Sum256([]byte(name))
	return string(clean[:min(len(clean), most)]) + "+" + hex.EncodeToString(sum[:6])
}
