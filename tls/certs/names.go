package certs

import (
	"crypto/tls"
	"fmt"
	"slices"

	"fairway/internal/nearest"
)

var versions = map[string]uint16{
	"VersionTLS10": tls.VersionTLS10, "VersionTLS11": tls.VersionTLS11, "VersionTLS12": tls.VersionTLS12, "VersionTLS13": tls.VersionTLS13,
}

// Version finds a version of TLS by its name, as VersionTLS12. option is where the name
// was written.
func Version(option, name string) (uint16, error) {
	if v, ok := versions[name]; ok {
		return v, nil
	}
	return 0, fmt.Errorf("%s: %q is none of VersionTLS10, VersionTLS11, VersionTLS12 and VersionTLS13", option, name)
}

// CipherSuites finds suites by their names in the standard, the unsafe ones, too: who
// names one has something old to talk to.
func CipherSuites(names []string) (ids []uint16, err error) {
	all := slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites())
	known := make([]string, len(all))
	for i, s := range all {
		known[i] = s.Name
	}
	for _, name := range names {
		at := slices.Index(known, name)
		if at < 0 {
			return nil, unknown("cipherSuites", name, known)
		}
		ids = append(ids, all[at].ID)
	}
	return ids, nil
}

// curves are the key exchanges, by the names of Go and those of the standards.
var curves = map[string]tls.CurveID{
	"CurveP256": tls.CurveP256, "CurveP384": tls.CurveP384, "CurveP521": tls.CurveP521, "X25519": tls.X25519,
	"P256": tls.CurveP256, "P384": tls.CurveP384, "P521": tls.CurveP521,
	"secp256r1": tls.CurveP256, "secp384r1": tls.CurveP384, "secp521r1": tls.CurveP521, "x25519": tls.X25519,
	"X25519MLKEM768": tls.X25519MLKEM768, "SecP256r1MLKEM768": tls.SecP256r1MLKEM768, "SecP384r1MLKEM1024": tls.SecP384r1MLKEM1024,
}

func curveIDs(names []string) (ids []tls.CurveID, err error) {
	for _, name := range names {
		id, ok := curves[name]
		if !ok {
			var known []string
			for n := range curves {
				known = append(known, n)
			}
			slices.Sort(known)
			return nil, unknown("curvePreferences", name, known)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func unknown(option, name string, known []string) error {
	err := fmt.Errorf("%s: there is no %q", option, name)
	if near := nearest.Name(name, known); near != "" {
		err = fmt.Errorf("%w; did you mean %q?", err, near)
	}
	return err
}
