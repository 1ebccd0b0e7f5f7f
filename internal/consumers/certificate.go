package consumers

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"strings"
)

// certificateName brings what is written of a certificate into the form of namesOf.
func certificateName(text string) (string, error) {
	kind, rest, found := strings.Cut(text, ":")
	switch kind = strings.ToLower(kind); {
	case found && kind == "sha256":
		digits := strings.ToLower(strings.ReplaceAll(rest, ":", ""))
		if raw, err := hex.DecodeString(digits); err != nil || len(raw) != sha256.Size {
			return "", errors.New("a fingerprint has 64 hexadecimal digits")
		}
		return "sha256:" + digits, nil
	case found && (kind == "dns" || kind == "email" || kind == "uri") && rest != "":
		if kind != "uri" {
			rest = strings.ToLower(rest)
		}
		return kind + ":" + rest, nil
	case strings.Contains(text, "="):
		// RFC 2253, section 4, has semicolons between the parts, too. In labels a comma is
		// between two certificates.
		return "subject:" + strings.ReplaceAll(text, ";", ","), nil
	}
	return "", errors.New(`is neither a subject, as in "CN=ann,O=Shop", nor does it begin with dns, email, uri or sha256`)
}

// namesOf are all that a certificate may be known by, the most exact first.
func namesOf(cert *x509.Certificate) []string {
	sum := sha256.Sum256(cert.Raw)
	names := []string{"sha256:" + hex.EncodeToString(sum[:]), "subject:" + cert.Subject.String()}
	for _, u := range cert.URIs {
		names = append(names, "uri:"+u.String())
	}
	for _, n := range cert.DNSNames {
		names = append(names, "dns:"+strings.ToLower(n))
	}
	for _, n := range cert.EmailAddresses {
		names = append(names, "email:"+strings.ToLower(n))
	}
	return names
}
