package certs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

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

// PEM returns PEM text itself, or reads the file that is named instead. Its error does not
// show what is no path: it may be a key that was cut off in front.
func PEM(fileOrText string) ([]byte, error) {
	if isText(fileOrText) {
		return []byte(fileOrText), nil
	}
	if fileOrText == "" {
		return nil, errors.New("is empty")
	}
	text, err := os.ReadFile(fileOrText)
	if failed, ok := errors.AsType[*fs.PathError](err); ok && !isPath(fileOrText) {
		return nil, fmt.Errorf("is neither PEM text, which begins with -----BEGIN, nor a file: %w", failed.Err)
	}
	return text, err
}

func isText(fileOrText string) bool { return strings.Contains(fileOrText, "-----BEGIN") }

// isPath tells whether a text is sure to be the path of a file.
func isPath(s string) bool {
	if len(s) > 200 || strings.ContainsAny(s, "\n\r\t +=") {
		return false
	}
	if strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../") || filepath.Ext(s) != "" {
		return true
	}
	info, err := os.Stat(filepath.Dir(s))
	return strings.HasPrefix(s, "/") && err == nil && info.IsDir()
}
