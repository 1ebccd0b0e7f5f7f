package consumers

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"
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
		return writtenSubject(text)
	}
	return "", errors.New(`is neither a subject, as in "CN=ann,O=Shop", nor does it begin with dns, email, uri or sha256`)
}

// namesOf are all that a certificate may be known by, the most exact first.
func namesOf(cert *x509.Certificate) []string {
	sum := sha256.Sum256(cert.Raw)
	names := []string{"sha256:" + hex.EncodeToString(sum[:])}
	if subject, ok := subjectOf(cert); ok {
		names = append(names, subject)
	}
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

// attributes are the names of what subjects are made of, as RFC 4514 and OpenSSL write them.
var attributes = map[string]string{
	"CN": "2.5.4.3", "COMMONNAME": "2.5.4.3", "SN": "2.5.4.4", "SURNAME": "2.5.4.4", "SERIALNUMBER": "2.5.4.5", "C": "2.5.4.6", "L": "2.5.4.7",
	"ST": "2.5.4.8", "S": "2.5.4.8", "STREET": "2.5.4.9", "O": "2.5.4.10", "OU": "2.5.4.11", "TITLE": "2.5.4.12", "T": "2.5.4.12", "POSTALCODE": "2.5.4.17",
	"GN": "2.5.4.42", "GIVENNAME": "2.5.4.42", "INITIALS": "2.5.4.43", "DNQUALIFIER": "2.5.4.46", "ORGANIZATIONIDENTIFIER": "2.5.4.97",
	"UID": "0.9.2342.19200300.100.1.1", "USERID": "0.9.2342.19200300.100.1.1", "DC": "0.9.2342.19200300.100.1.25",
	"E": "1.2.840.113549.1.9.1", "EMAIL": "1.2.840.113549.1.9.1", "EMAILADDRESS": "1.2.840.113549.1.9.1",
}

// writtenSubject brings a subject that somebody has written into the form of subjectOf. RFC
// 2253, section 4, has semicolons between the parts, too: in labels a comma is between two
// certificates.
func writtenSubject(text string) (string, error) {
	dn, err := ldap.ParseDN(text)
	if err != nil {
		return "", fmt.Errorf("is no subject: %w", err)
	}
	var parts []string
	for _, rdn := range dn.RDNs {
		for _, a := range rdn.Attributes {
			oid := attributes[strings.ToUpper(a.Type)]
			if oid == "" {
				oid = strings.TrimPrefix(strings.ToUpper(a.Type), "OID.")
			}
			if strings.Trim(oid, "0123456789.") != "" {
				return "", fmt.Errorf("no certificate has a part %q in its subject: known are CN, O, OU, C, ST, L, emailAddress, UID, DC and others, and numbers as 2.5.4.3", a.Type)
			}
			parts = append(parts, part(oid, a.Value))
		}
	}
	return subject(parts), nil
}

// subjectOf is the subject of a certificate; false: it has something that nobody can write.
func subjectOf(cert *x509.Certificate) (string, bool) {
	var rdns pkix.RDNSequence
	if rest, err := asn1.Unmarshal(cert.RawSubject, &rdns); err != nil || len(rest) > 0 {
		rdns = cert.Subject.ToRDNSequence()
	}
	var parts []string
	for _, rdn := range rdns {
		for _, a := range rdn {
			text, ok := a.Value.(string)
			if !ok {
				return "", false
			}
			parts = append(parts, part(a.Type.String(), text))
		}
	}
	return subject(parts), len(parts) > 0
}

func part(oid, value string) string {
	return oid + "=" + strconv.Quote(value)
}

// subject puts the parts into one order: programs that show subjects have several.
func subject(parts []string) string {
	slices.Sort(parts)
	return "subject:" + strings.Join(parts, ",")
}
