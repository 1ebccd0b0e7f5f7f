package bearer

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
)

// method is the one way of binding a token that is understood (RFC 8705, section 3.1).
const method = "x5t#S256"

// Binding reads from what is said of a token, its claims or an answer about it, which
// certificate it is bound to, by its thumbprint; empty: to none. A token that is bound to
// something else is none that can be let in: it is not known whether who brings it may.
func Binding(said map[string]any) (thumbprint string, err error) {
	cnf, bound := said["cnf"]
	if !bound || cnf == nil {
		return "", nil
	}
	members, ok := cnf.(map[string]any)
	thumbprint, isText := members[method].(string)
	if !ok || !isText || thumbprint == "" || len(members) > 1 {
		return "", errors.New("the token is bound (cnf) by a method that is not understood")
	}
	return thumbprint, nil
}

// ComesWith tells whether a request comes by a connection of the certificate with this
// thumbprint.
func ComesWith(r *http.Request, thumbprint string) bool {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return false
	}
	sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:]) == thumbprint
}
